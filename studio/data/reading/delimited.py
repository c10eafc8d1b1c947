"""csv, tsv and their kin: delimiter, quoting and header are found, damaged rows are named by line."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, NamedTuple

from studio.data.reading import encodings
from studio.data.reading.columns import has_header
from studio.data.reading.table import CELL_LIMIT, COLUMN_LIMIT, DAMAGED_LIMIT, Flaw, Table
from studio.errors import RequestError

_QUOTINGS = [
    {"doublequote": True, "strict": True},  # "He said ""no"""
    {"doublequote": False, "escapechar": "\\", "strict": True},  # "He said \"no\""
    {"quoting": csv.QUOTE_NONE},  # quotes are characters like any other
]
_LINE_LIMIT = 16 * CELL_LIMIT  # characters
_HEAD = 1000  # rows that show the delimiter and the header
_EXAMPLES = 5  # of damaged rows

csv.field_size_limit(CELL_LIMIT)  # one limit for all readers of the process


def open_table(path: Path, column_names: list[str], headerless: bool) -> Table:
    """The table in a text file whose cells are separated by commas, tabs, semicolons or bars.

    column_names: the names in a file without header row. When there are none, the file is still read as one
    without header if `headerless` says so or its first row looks like the rows below it.

    Raises:
        RequestError: no rows, bytes of no known encoding, an unclosed quote, or more than a tenth of the rows
            damaged (too few cells, too many, a NUL character).
    """
    encoding, guess = encodings.find(path)
    form = _form(path, encoding)
    records = list(islice(_sound_records(path, form), _HEAD))
    head = [cells for _, cells in records]
    if not head:
        raise RequestError(f"{path} is empty: expected rows of labelled data")
    headerless = headerless or (head[0] != column_names if column_names else not has_header(head[0], head[1:]))
    if column_names and len(column_names) != form.width:
        raise RequestError(
            f"--column_names gives {len(column_names)} names, but the rows of {path} have {form.width} cells"
        )
    if len(head) == 1 and not headerless:
        raise RequestError(f"{path} holds a header ({', '.join(head[0])}) and no rows below it")
    notes, flaws = [], []
    if form.damaged:
        notes.append(f"{path.name}: {form.complaint()}; they were left out")
        examples = tuple((f"{path.name}, line {one.line}", one.shown, one.damage) for one in form.examples)
        flaws.append(Flaw("damaged_rows", form.damaged, examples))
    if headerless and not column_names:
        notes.append(f"{path.name} has no header row: its first row was read as data")
        first = (f"{path.name}, line {records[0][0]}", " | ".join(head[0]), "read as data")
        flaws.append(Flaw("no_header", 1, (first,)))
    names = column_names or ([f"column {at}" for at in range(1, form.width + 1)] if headerless else head[0])

    def rows(positions):
        pick = _picker(positions)
        for line, cells in islice(_sound_records(path, form), 0 if headerless else 1, None):
            yield line, pick(cells)

    return Table(path, [name.strip() for name in names], rows, headerless, notes, flaws).guessed(guess)


class _Damaged(NamedTuple):
    """A row that cannot be read: where it begins, what is wrong with it, and what it holds."""

    line: int
    damage: str
    shown: str


@dataclass(frozen=True)
class _Form:
    """How the characters of a file make up cells, and what the whole file looked like when read so."""

    encoding: str
    delimiter: str
    quoting: dict[str, Any]
    width: int = 0  # cells in the first row
    rows: int = 0
    spanning: bool = False  # some rows span several lines
    wrapped: bool = False  # some cells have a quote on either side
    damaged: int = 0
    examples: tuple[_Damaged, ...] = ()  # the first

    def complaint(self) -> str:
        more = ", ..." if self.damaged > len(self.examples) else ""
        return (
            f"{self.damaged} of {self.rows} rows are damaged, the first row having {self.width} cells: "
            f"{', '.join(f'line {one.line} has {one.damage}' for one in self.examples)}{more}"
        )


def _form(path: Path, encoding: str) -> _Form:
    """The first way of quoting under which the file is sound."""
    delimiter = _delimiter(path, encoding)
    complaints = []
    for quoting in _QUOTINGS:
        try:
            form = _inspected(path, _Form(encoding, delimiter, quoting))
        except RequestError as complaint:
            complaints.append(complaint)
            continue
        if form.spanning:
            # A stray quote at the start of one cell and the end of another swallows the rows between them.
            plain = _inspected(path, _Form(encoding, delimiter, _QUOTINGS[-1]))
            form = form if plain.damaged or plain.wrapped else plain
        if form.damaged <= DAMAGED_LIMIT * form.rows:
            return form
        complaints.append(
            RequestError(
                f"{path}: {form.complaint()}. Cells that contain {delimiter!r} have to stand in quotes; "
                "mend those rows or take them out"
            )
        )
    raise complaints[0]


def _delimiter(path: Path, encoding: str) -> str:
    """The character that divides most of the first rows into the same number of cells."""
    with encodings.open_text(path, encoding) as file:
        head = file.read(CELL_LIMIT // 2)

    def regularity(delimiter: str) -> float:
        rows = islice(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), _HEAD)
        widths = [len(cells) for cells in rows if any(cells)]
        return widths.count(widths[0]) / len(widths) if widths and widths[0] > 1 else 0

    is_tsv = not {".tsv", ".tab"}.isdisjoint(path.suffixes)
    return max("\t,;|" if is_tsv else ",\t;|", key=regularity)


def _inspected(path: Path, form: _Form) -> _Form:
    """`form` with what the file looks like when read so."""
    width = rows = damaged = 0
    spanning = wrapped = False
    examples = []
    for line, cells in _records(path, form):
        rows += 1
        width = width or len(cells)
        damage = _damage(cells, width)
        if damage:
            damaged += 1
            shown = " | ".join(cells).replace("\0", "\u2400")  # NUL as a character that can be seen
            examples += [_Damaged(line, damage, shown)] if damaged <= _EXAMPLES else []
        spanning = spanning or any("\n" in cell for cell in cells)
        wrapped = wrapped or any(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells)
    if width > COLUMN_LIMIT:
        raise RequestError(f"{path}: the first row has {width:,} cells, more than the {COLUMN_LIMIT:,} accepted")
    return replace(
        form, width=width, rows=rows, spanning=spanning, wrapped=wrapped, damaged=damaged, examples=tuple(examples)
    )


def _sound_records(path: Path, form: _Form) -> Iterator[tuple[int, list[str]]]:
    return (record for record in _records(path, form) if not _damage(record[1], form.width))


def _damage(cells: list[str], width: int) -> str | None:
    if len(cells) != width:
        return f"{len(cells)} cell{'s' * (len(cells) != 1)}"
    return "a NUL character" if "\0" in "".join(cells) else None


def _records(path: Path, form: _Form) -> Iterator[tuple[int, list[str]]]:
    """(line where it begins, cells) of every row that is not blank."""
    with encodings.open_text(path, form.encoding) as file:
        reader = csv.reader(_lines(path, file), delimiter=form.delimiter, **form.quoting)
        line = 1
        try:
            for cells in reader:
                if any(cells):
                    yield line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            raise RequestError(f"{path}, line {line}: {_explained(error)}") from error


def _lines(path: Path, file: IO[str]) -> Iterator[str]:
    number = 0
    while line := file.readline(_LINE_LIMIT):
        number += 1
        if len(line) == _LINE_LIMIT:
            raise RequestError(
                f"{path}: line {number} has more than {_LINE_LIMIT:,} characters: is it a table of text?"
            )
        yield line


def _explained(error: csv.Error) -> str:
    if "end of data" in str(error):
        return "a quote that opens here is never closed"
    if "field limit" in str(error):
        return f"a cell of more than {CELL_LIMIT:,} characters begins here; is a quote left open?"
    return f'a cell that begins with a quote goes on after its closing quote; inside a cell, write "" for " ({error})'


def _picker(positions: Sequence[int]) -> Callable[[list[str]], tuple[str, ...]]:
    """Takes the cells at these positions out of a row."""
    if len(positions) == 1:
        return lambda cells: (cells[positions[0]],)
    return itemgetter(*positions)
