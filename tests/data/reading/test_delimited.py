"""Tables in text files are read whole whatever their dialect, and damage is named by line."""

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from studio.data.reading import delimited
from studio.errors import RequestError

FILLER = "".join(f"plain text {i},{i % 2}\n" for i in range(40))


def table(folder: Path, content: str | bytes, name: str = "a.csv", **arguments) -> delimited.Table:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return delimited.open_table(path, **{"column_names": [], "headerless": False, **arguments})


def cells(found: delimited.Table) -> list[tuple[str, ...]]:
    return [row for _, row in found.rows(range(len(found.columns)))]


def refusal(folder: Path, content: str | bytes) -> str:
    with pytest.raises(RequestError) as refused:
        table(folder, content)
    return str(refused.value)


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_the_delimiter_is_found_although_others_stand_in_the_texts(tmp_path, delimiter):
    others = [other for other in ",\t;|" if other != delimiter]
    rows = [(f"so{other}so {i}", str(i % 2)) for i, other in enumerate(others * 3)]
    content = io.StringIO()
    csv.writer(content, delimiter=delimiter).writerows([("text", "label"), *rows])
    assert cells(table(tmp_path, content.getvalue())) == rows


def test_quoted_cells_may_hold_line_ends_delimiters_and_quotes(tmp_path):
    found = table(tmp_path, 'text,label\n"He said ""no"",\r\nthen left;\n""ok""",1\nfine,0\n')
    assert cells(found) == [('He said "no",\r\nthen left;\n"ok"', "1"), ("fine", "0")]
    assert [line for line, _ in found.rows([0])] == [2, 5]


def test_quotes_may_be_escaped_with_backslashes(tmp_path):
    found = table(tmp_path, 'text,label\n"He said \\"no\\", then left",1\n"fine, really",0\n')
    assert cells(found) == [('He said "no", then left', "1"), ("fine, really", "0")]


def test_stray_quotes_are_plain_characters_and_swallow_no_rows(tmp_path):
    rows = [('"who is there', "1"), ("nobody", "0"), ("he sang", "1"), ('said the "cat"', "0"), ('the end"', "1")]
    content = "text\tlabel\n" + "".join("\t".join(row) + "\n" for row in rows)
    assert cells(table(tmp_path, content)) == rows
    swallowing = [row for row in rows if row[0] != 'said the "cat"']  # from one stray quote to the other
    content = "text\tlabel\n" + "".join("\t".join(row) + "\n" for row in swallowing)
    assert cells(table(tmp_path, content)) == swallowing


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system_are_read(tmp_path, end):
    assert cells(table(tmp_path, f"text,label{end}a,1{end}{end}b,0{end}")) == [("a", "1"), ("b", "0")]


def test_an_unclosed_quote_is_named_by_the_line_where_it_opens(tmp_path):
    assert "line 42: a quote that opens here is never closed" in refusal(
        tmp_path, f'text,label\n{FILLER}"no end,1\n' + "so, it goes, on,1\n" * 9
    )


def test_a_few_ragged_rows_are_left_out_and_named_by_line(tmp_path):
    found = table(tmp_path, f"text,label\n{FILLER}alone\nan, unquoted, comma,1\n")
    assert len(cells(found)) == 40 and all(len(row) == 2 for row in cells(found))
    assert "2 of 43 rows are damaged" in found.notes[0]
    assert "line 42 has 1 cell, line 43 has 4 cells" in found.notes[0]


def test_many_ragged_rows_are_refused_by_line(tmp_path):
    message = refusal(tmp_path, f"text,label\n{FILLER}" + "an, unquoted, comma,1\n" * 9)
    assert "9 of 50 rows" in message and "line 42 has 4 cells" in message


def test_a_row_with_a_nul_character_is_left_out_and_named_by_line(tmp_path):
    found = table(tmp_path, f"text,label\n{FILLER}bad\0row,1\n")
    assert len(cells(found)) == 40 and "line 42 has a NUL character" in found.notes[0]


def test_a_cell_of_a_million_characters_is_refused(tmp_path):
    assert "more than 1,000,000 characters" in refusal(tmp_path, f"text,label\n{'x' * 1_000_001},1\n")


def test_a_line_without_end_is_refused(tmp_path):
    assert "line 2 has more than" in refusal(tmp_path, "text,label\n" + "x,1," * 5_000_000)


def test_very_many_columns_are_refused(tmp_path):
    assert "10,001 cells" in refusal(tmp_path, ",".join(map(str, range(10_001))) + "\n")


def test_a_file_without_header_keeps_all_rows_when_its_training_table_has_none(tmp_path):
    assert cells(table(tmp_path, "one,a\ntwo,b\n", headerless=True)) == [("one", "a"), ("two", "b")]


def test_column_names_that_repeat_the_header_do_not_make_a_row_of_it(tmp_path):
    found = table(tmp_path, "text,label\none,a\n", column_names=["text", "label"])
    assert cells(found) == [("one", "a")]


characters = st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=("Cs",))
texts = st.text(characters, min_size=1, max_size=30).filter(str.strip)


@settings(max_examples=75, deadline=None)
@given(
    st.lists(texts, min_size=3, max_size=12),
    st.sampled_from([",", "\t", ";", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_csv_writer_writes_is_read_back(words, delimiter, encoding, quoting, end):
    if quoting == csv.QUOTE_MINIMAL:
        assume("\r" not in "".join(words))  # the writer leaves it bare, where readers take it for a line end
        assume(not any(delimiter in word and "\n" in word for word in words))  # may be rows between stray quotes
    rows = [(word, f"label {at % 2}") for at, word in enumerate(words)]
    content = io.StringIO()
    writer = csv.writer(content, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([("some text column", "some label column"), *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_bytes(content.getvalue().encode(encoding))
        assert cells(delimited.open_table(path, [], headerless=False)) == rows
