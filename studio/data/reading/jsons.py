"""json and jsonl: one object per row, read a piece at a time, faults named by line."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

from studio.data.reading import encodings
from studio.data.reading.table import CELL_LIMIT, COLUMN_LIMIT, Table
from studio.errors import RequestError

_HEAD = 1000  # rows whose keys make the columns
_OBJECT_LIMIT = 16 * CELL_LIMIT  # characters
_CHUNK = 1 << 16  # characters
_GAP = re.compile(r"[\s,]*")


def open_table(path: Path) -> Table:
    """The table in a file that holds a list of objects, or one object per line.

    Raises:
        RequestError: no objects, or something that is not JSON or not an object; names its line.
    """
    encoding, guess = encodings.find(path)

    def records():
        with encodings.open_text(path, encoding) as file:
            start = file.read(_CHUNK).lstrip()
            file.seek(0)
            yield from _listed(path, file) if start.startswith("[") else _by_line(path, file)

    columns: dict[str, None] = {}
    for line, record in islice(records(), _HEAD):
        columns.update(dict.fromkeys(record))
        if len(columns) > COLUMN_LIMIT:
            raise RequestError(
                f"{path}: the objects up to line {line} have more than the {COLUMN_LIMIT:,} different keys accepted"
            )
    if not columns:
        raise RequestError(f"{path} holds no rows: expected a list of objects, or one object per line")
    names = list(columns)

    def rows(positions):
        wanted = [names[at] for at in positions]
        for line, record in records():
            yield line, tuple(record.get(name) for name in wanted)

    return Table(path, names, rows).guessed(guess)


def _by_line(path: Path, file: IO[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    while line := file.readline(_OBJECT_LIMIT):
        number += 1
        if not line.isspace():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as fault:
                raise _broken(path, number, fault) from fault
            yield number, _checked(path, number, record)


def _listed(path: Path, file: IO[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of one long list, of which only a window is in memory."""
    decode = json.JSONDecoder().raw_decode
    window, line = file.read(_CHUNK), 1
    at = window.index("[") + 1
    while True:
        gap = _GAP.match(window, at).end()
        line += window.count("\n", at, gap)
        at = gap
        if window.startswith("]", at):
            return
        try:
            record, end = decode(window, at)
        except (ValueError, RecursionError) as fault:
            more = file.read(max(_CHUNK, len(window)))
            if not more or len(window) - at > _OBJECT_LIMIT:
                raise _broken(path, line, fault) from fault
            window, at = window[at:] + more, 0
            continue
        yield line, _checked(path, line, record)
        line += window.count("\n", at, end)
        at = end


def _checked(path: Path, line: int, record: Any) -> dict[str, Any]:
    if isinstance(record, dict):
        return record
    raise RequestError(
        f'{path}, line {line}: expected an object such as {{"text": "...", "label": "..."}}, '
        f"found {json.dumps(record)[:60]}"
    )


def _broken(path: Path, line: int, fault: Exception) -> RequestError:
    return RequestError(
        f"{path}: the object that begins on line {line} is not complete JSON ({fault}). "
        "Expected a list of objects, or one object per line; is the file cut off?"
    )
