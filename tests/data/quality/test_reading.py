"""What reading had to make the best of is told like any other finding."""

import dataclasses

import pytest

from tests.data.quality.planted import found, good, table


def examples(finding) -> list[tuple[str, str, str]]:
    return [(one.place, one.excerpt, one.remark) for one in finding.examples]


def test_rows_without_label_or_text_are_told_with_their_lines(tmp_path):
    findings = found(table(tmp_path / "t.csv", [*good(), ("a text", ""), ("", "a"), ("   ", "b"), ("more", "NaN")]))
    assert findings["no_label"].count == 2 and findings["no_content"].count == 2
    assert examples(findings["no_label"])[0] == ("t.csv, line 62", "a text", "no label")
    assert [place for place, *_ in examples(findings["no_label"])] == ["t.csv, line 62", "t.csv, line 65"]
    assert [place for place, *_ in examples(findings["no_content"])] == ["t.csv, line 63", "t.csv, line 64"]


def test_damaged_rows_are_told_with_their_lines_and_what_they_hold(tmp_path):
    place = table(tmp_path / "t.csv", [*good(), ("alone",), ("one", "two", "three")])
    with place.open("a") as file:
        file.write("bad\0row,a\n")
    finding = found(place)["damaged_rows"]
    assert (finding.count, finding.severity) == (3, "warning") and "NUL" in finding.remedy
    assert examples(finding) == [
        ("t.csv, line 62", "alone", "1 cell"),
        ("t.csv, line 63", "one | two | three", "3 cells"),
        ("t.csv, line 64", "bad␀row | a", "a NUL character"),
    ]


def test_a_file_without_header_row_is_told_once_for_each_file_until_its_columns_have_names(tmp_path):
    rows, test = good(), table(tmp_path / "test.csv", good(seed=9)[1:], good(seed=9)[0])
    place = table(tmp_path / "t.csv", rows[1:], rows[0])
    finding = found(place, test_file=str(test))["no_header"]
    assert (finding.count, finding.severity) == (2, "note") and "--column_names" in finding.remedy
    assert examples(finding)[0] == ("t.csv, line 1", " | ".join(rows[0]), "read as data")
    assert "no_header" not in found(place, test_file=str(test), column_names=["text", "label"])


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_guessed_encoding_is_told_with_the_line_that_shows_it(tmp_path, ending):
    line = {"csv": "{} café,{}\n", "jsonl": '{{"text": "{} café", "label": "{}"}}\n'}[ending]
    place = tmp_path / f"t.{ending}"
    head = "text,label\n" if ending == "csv" else ""
    place.write_text(head + "".join(line.format(*row) for row in good()), encoding="latin-1")
    finding = found(place)["other_encoding"]
    assert dataclasses.astuple(finding)[:2] == ("other_encoding", "note") and finding.count == 1
    assert f"line {2 if head else 1}: byte" in finding.examples[0].remark and finding.examples[0].place == place.name
