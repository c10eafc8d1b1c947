"""json and jsonl files are read object by object, and faults are named by line."""

import json

import pytest

from studio.data.reading import jsons
from studio.errors import RequestError

RECORDS = [{"text": f'a "text", no. {i}\n{{with brackets]}}', "label": i % 2} for i in range(50)]
EXPECTED = [(record["text"], record["label"]) for record in RECORDS]


def rows(folder, content: str, name: str = "a.json") -> list:
    path = folder / name
    path.write_text(content)
    table = jsons.open_table(path)
    return [cells for _, cells in table.rows([table.columns.index(name) for name in ("text", "label")])]


def refusal(folder, content: str) -> str:
    with pytest.raises(RequestError) as refused:
        rows(folder, content)
    return str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(RECORDS),
        json.dumps(RECORDS, indent=2),
        " \n" + json.dumps(RECORDS),
        "\n\n".join(map(json.dumps, RECORDS)),
    ],
    ids=["list", "indented list", "list after a gap", "lines with gaps"],
)
@pytest.mark.parametrize("window", [16, 1 << 16])
def test_a_list_and_lines_give_the_same_rows_however_small_the_window(tmp_path, monkeypatch, content, window):
    monkeypatch.setattr(jsons, "_CHUNK", window)
    assert rows(tmp_path, content) == EXPECTED


def test_a_cut_off_line_is_named(tmp_path):
    content = "\n".join(map(json.dumps, RECORDS))
    assert "object that begins on line 50" in refusal(tmp_path, content[:-20])


def test_a_cut_off_list_is_named_by_line(tmp_path):
    content = json.dumps(RECORDS, indent=1)
    last = content[: content.rindex("\n {")].count("\n") + 2
    assert f"object that begins on line {last}" in refusal(tmp_path, content[:-20])


@pytest.mark.parametrize("content", ['[{"text": "a", "label": 1}, 5]', '{"text": "a", "label": 1}\n5\n'])
def test_what_is_no_object_is_refused(tmp_path, content):
    assert "expected an object" in refusal(tmp_path, content) and "found 5" in refusal(tmp_path, content)


def test_keys_that_a_row_lacks_are_missing_cells(tmp_path):
    assert rows(tmp_path, '{"text": "a"}\n{"label": 1}\n') == [("a", None), (None, 1)]


@pytest.mark.parametrize("content", ["[]", "\n\n", "[" * 100_000])
def test_nothing_and_endless_nesting_are_refused(tmp_path, content):
    assert str(tmp_path / "a.json") in refusal(tmp_path, content)
