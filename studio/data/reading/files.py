"""Reads files, folders and archives of this machine into rows; the columns chosen for training hold for all splits."""

import difflib
import hashlib
import os
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from studio.config import ImageData, TextData
from studio.data.reading import archives, cells, columns, folders, formats, pictures
from studio.data.reading.rows import Kind, Picture, Row, Rows, store
from studio.data.reading.table import DAMAGED_LIMIT, Table
from studio.errors import RequestError

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
    parts: dict[str, list[Path]], kind: Kind, data: TextData | ImageData
) -> tuple[dict[str, Rows], list[str], set[str]]:
    """The rows of each split; notes; and the labels that are names of folders.

    Rows of a table without the label column of the training rows have no label.

    Raises:
        RequestError: a file that cannot be read, or a column that cannot be found.
    """
    rows, notes, folder_names = {}, [], set()
    chosen: columns.Chosen | None = None
    headerless = False
    for split in sorted(parts, key=lambda split: split != "train"):  # the training rows choose
        if all(part.is_dir() for part in parts[split]):
            rows[split] = _from_class_folders(parts[split])
            folder_names.update(pc.unique(rows[split].labels).to_pylist())
            notes += chain.from_iterable(map(pictures.passed_over, parts[split]))
            continue
        tables = [formats.open_table(part, data.column_names, headerless) for part in parts[split]]
        notes += [note for table in tables for note in table.notes]
        if chosen is None:
            chosen = columns.choose(tables[0], kind, data)
            headerless = tables[0].headerless and not data.column_names
            notes.append(f"{tables[0].path.name}: {chosen.told(kind)}")
        rows[split] = (_texts if kind == "text" else _pictures)(tables, chosen)
    return rows, notes, folder_names


def _texts(tables: list[Table], chosen: columns.Chosen) -> Rows:
    state = [(_fingerprint(table.path), table.columns, table.headerless) for table in tables]
    found = _found(tables, chosen, lambda _: cells.text)
    return store(found, "text", f"{chosen} {state}", several=chosen.several, pairs=chosen.text_pair is not None)


def _pictures(tables: list[Table], chosen: columns.Chosen) -> Rows:
    """Pictures that stand in the tables themselves, or in files below the folders of the tables."""

    def found() -> Iterator[Row]:
        return _found(tables, chosen, lambda table: pictures.Finder(table.path.parent).find)

    rows = store(found(), "image", pictures.stamp(found()), several=chosen.several)
    missing = np.count_nonzero(rows.hashes == 0)
    if missing > DAMAGED_LIMIT * len(rows.hashes):
        raise RequestError(
            f"{missing:,} of the {len(rows.hashes):,} pictures that {tables[0].path} names are not below the folder "
            f"{tables[0].path.parent}, among them {_first_missing(tables, chosen.content)}. Put them there, correct "
            "the names, or name the column of file names with --image_column_name"
        )
    return rows


def _from_class_folders(parents: list[Path]) -> Rows:
    def found() -> Iterator[Row]:
        return chain.from_iterable(map(pictures.by_folder, parents))

    rows = store(found(), "image", pictures.stamp(found()))
    if not len(rows.hashes):
        raise RequestError(
            f"{parents[0]} holds no pictures in folders named after their classes, "
            f"only files that are no pictures by name ({', '.join(columns.PICTURE_SUFFIXES[:6])}, ...)"
        )
    return rows


def _found(tables: list[Table], chosen: columns.Chosen, reading: Callable[[Table], Reading]) -> Iterator[Row]:
    """Every row of the tables; faults are told with file and line."""
    read_label = cells.labels(chosen.several, chosen.label_delimiter)
    for table in tables:
        read_content = reading(table)
        wanted = [chosen.content, chosen.text_pair, chosen.group]
        names = [name for name in wanted if name] + [chosen.label] * (chosen.label in table.columns)
        for line, values in table.rows([columns.position(table, name) for name in names]):
            found = dict(zip(names, values, strict=True))
            try:
                yield Row(
                    read_content(found[chosen.content]),
                    read_label(found.get(chosen.label)),
                    cells.group(found.get(chosen.group)),
                    None if chosen.text_pair is None else cells.text(found[chosen.text_pair]) or "",
                )
            except RequestError as fault:
                raise RequestError(f"{table.path}, line {line}: {fault}") from None


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
