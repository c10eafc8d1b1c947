"""Reads files, folders and archives of this machine into rows; the columns chosen for training hold for all splits."""

import difflib
import hashlib
import math
import os
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from studio.config import Data
from studio.data.reading import archives, columns, folders, formats, pictures
from studio.data.reading.labels import written
from studio.data.reading.rows import Kind, Picture, Rows, store
from studio.data.reading.table import CELL_LIMIT, DAMAGED_LIMIT, Table
from studio.errors import RequestError

_NO_TEXT = {"nan", "null", "<na>", "#n/a"}  # what programs write into an empty cell

Reading = Callable[[Any], str | Picture | None]  # of a cell


def parts(path: Path, kind: Kind) -> dict[str, list[Path]]:
    """Per split, the tables or class folders at a path; a single file or an undivided folder is all "train".

    Raises:
        RequestError: nothing there, or an archive or folder that holds no data.
    """
    path = path.expanduser()
    if not path.exists():
        raise RequestError(f"there is no file or folder {path}{_nearest(path)}")
    if not os.access(path, os.R_OK):
        raise RequestError(f"{path} may not be read by you: change its permissions")
    if path.suffix.lower() == ".zip":
        path = archives.unzipped(path)
    return folders.layout(path, kind) if path.is_dir() else {"train": [path]}


def read(
    parts: dict[str, list[Path]], kind: Kind, data: Data, content_column: str | None
) -> tuple[dict[str, Rows], list[str]]:
    """The rows of each split, and notes. Rows of a table without the label column of the training rows have no label.

    Raises:
        RequestError: a file that cannot be read, or a column that cannot be found.
    """
    rows, notes = {}, []
    chosen: tuple[str, str] | None = None  # names of the content and the label column
    headerless = False
    for split in sorted(parts, key=lambda split: split != "train"):  # the training rows choose
        if all(part.is_dir() for part in parts[split]):
            rows[split] = _from_class_folders(parts[split])
            notes += chain.from_iterable(map(pictures.passed_over, parts[split]))
            continue
        tables = [formats.open_table(part, data.column_names, headerless) for part in parts[split]]
        notes += [note for table in tables for note in table.notes]
        if chosen is None:
            at = columns.choose(tables[0], kind, content_column, data.label_column_name)
            chosen = tables[0].columns[at[0]], tables[0].columns[at[1]]
            headerless = tables[0].headerless and not data.column_names
            notes.append(f"{tables[0].path.name}: column {chosen[0]!r} is the {kind}, column {chosen[1]!r} the label")
        rows[split] = (_texts if kind == "text" else _pictures)(tables, *chosen)
    return rows, notes


def _texts(tables: list[Table], text: str, label: str) -> Rows:
    state = [(_fingerprint(table.path), table.headerless) for table in tables]
    return store(_pairs(tables, text, label, lambda _: _text), "text", f"{text!r} {label!r} {state}")


def _pictures(tables: list[Table], image: str, label: str) -> Rows:
    """Pictures that stand in the tables themselves, or in files below the folders of the tables."""

    def pairs() -> Iterator[tuple[Picture | None, str | None]]:
        return _pairs(tables, image, label, lambda table: pictures.Finder(table.path.parent).find)

    rows = store(pairs(), "image", pictures.stamp(pairs()))
    missing = np.count_nonzero(rows.hashes == 0)
    if missing > DAMAGED_LIMIT * len(rows.hashes):
        raise RequestError(
            f"{missing:,} of the {len(rows.hashes):,} pictures that {tables[0].path} names are not below the folder "
            f"{tables[0].path.parent}, among them {_first_missing(tables, image)}. Put them there, correct the names, "
            "or name the column of file names with --image_column_name"
        )
    return rows


def _from_class_folders(parents: list[Path]) -> Rows:
    def pairs() -> Iterator[tuple[Path, str]]:
        return chain.from_iterable(map(pictures.by_folder, parents))

    rows = store(pairs(), "image", pictures.stamp(pairs()))
    if not len(rows.hashes):
        raise RequestError(
            f"{parents[0]} holds no pictures in folders named after their classes, "
            f"only files that are no pictures by name ({', '.join(columns.PICTURE_SUFFIXES[:6])}, ...)"
        )
    return rows


def _pairs(
    tables: list[Table], content: str, label: str, reading: Callable[[Table], Reading]
) -> Iterator[tuple[str | Picture | None, str | None]]:
    """(content, label) of every row; faults are told with file and line."""
    for table in tables:
        read_content = reading(table)
        wanted = [content, label] if label in table.columns else [content]
        for line, (cell, *value) in table.rows([columns.position(table, name) for name in wanted]):
            try:
                pair = read_content(cell), written(value[0]) if value else None
            except RequestError as fault:
                raise RequestError(f"{table.path}, line {line}: {fault}") from None
            yield pair


def _text(cell: Any) -> str | None:
    if isinstance(cell, str):
        if len(cell) > CELL_LIMIT:
            raise RequestError(f"a text of {len(cell):,} characters, more than the {CELL_LIMIT:,} accepted")
        return None if cell.strip().casefold() in _NO_TEXT else cell
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, int | float):
        return str(cell)
    raise RequestError(f"a text should be a string, found {cell!r:.60}; name another column with --text_column_name")


def _first_missing(tables: list[Table], image: str) -> str:
    for table in tables:
        find = pictures.Finder(table.path.parent).find
        for line, (cell,) in table.rows([columns.position(table, image)]):
            if find(cell) is None:
                return f"{cell!r} on line {line}"


def _fingerprint(path: Path) -> str:
    """Stands for the content of a file, which no date or size of the file does for sure."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _nearest(path: Path) -> str:
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=1)
    return f"; did you mean {path.with_name(near[0])}?" if near else ""
