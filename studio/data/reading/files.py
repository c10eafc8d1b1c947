"""Reads files, folders and archives of this machine into rows; the columns chosen for training hold for all splits."""

import difflib
import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc

from studio.config import ImageData, TextData
from studio.data.reading import archives, cells, columns, folders, formats, pictures
from studio.data.reading.rows import Kind, Picture, Row, Rows, store
from studio.data.reading.table import DAMAGED_LIMIT, Flaw, Table
from studio.errors import RequestError

Reading = Callable[[Any], str | Picture | None]  # of a cell


class Found(NamedTuple):
    """The rows of each split; notes; flaws; labels that are names of folders; the columns, where there is a table."""

    rows: dict[str, Rows]
    notes: list[str]
    flaws: list[Flaw]
    folder_names: set[str]
    chosen: columns.Chosen | None


def parts(path: Path, kind: Kind) -> tuple[dict[str, list[Path]], list[str]]:
    """Per split, the tables or class folders at a path; a single file or an undivided folder is all "train". And notes.

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
    return folders.layout(path, kind) if path.is_dir() else ({"train": [path]}, [])


def read(parts: dict[str, list[Path]], kind: Kind, data: TextData | ImageData) -> Found:
    """What these parts hold; rows of a table without the label column of the training rows have no label.

    Raises:
        RequestError: a file that cannot be read, or a column that cannot be found.
    """
    rows, tables, notes, folder_names = {}, {}, [], set()
    chosen: columns.Chosen | None = None
    headerless = False
    for split in sorted(parts, key=lambda split: split != "train"):  # the training rows choose
        if all(part.is_dir() for part in parts[split]):
            rows[split] = _from_class_folders(parts[split])
            folder_names.update(pc.unique(rows[split].labels).to_pylist())
            notes += chain.from_iterable(map(pictures.passed_over, parts[split]))
            continue
        tables[split] = [formats.open_table(part, data.column_names, headerless) for part in parts[split]]
        notes += [note for table in tables[split] for note in table.notes]
        if chosen is None:
            first = tables[split][0]
            chosen = columns.choose(first, kind, data)
            headerless = first.headerless and not data.column_names
            notes.append(f"{first.path.name}: {chosen.told(kind)}")
    opened = [table for found in tables.values() for table in found]
    flaws = [flaw for table in opened for flaw in table.flaws]
    if kind == "text":
        rows |= {split: _texts(found, chosen) for split, found in tables.items()}
        return Found(rows, notes, flaws, folder_names, chosen)
    finders = _finders(opened, chosen)
    notes += [note for finder in finders.values() for note in finder.note()]
    for split, found in tables.items():
        rows[split], remarks = _pictures(found, chosen, finders)
        notes += remarks
    return Found(rows, notes, flaws, folder_names, chosen)


def _texts(tables: list[Table], chosen: columns.Chosen) -> Rows:
    state = [(table.path.name, _fingerprint(table.path), table.columns, table.headerless) for table in tables]
    found = _found(tables, chosen, lambda _: cells.text)
    return store(found, "text", f"{chosen} {state}", several=chosen.several, pairs=chosen.text_pair is not None)


def _finders(tables: list[Table], chosen: columns.Chosen) -> dict[Path, pictures.Finder]:
    """For each folder of tables, what finds the pictures that they name."""
    beside = defaultdict(list)
    for table in tables:
        beside[table.path.parent].append(table)
    return {folder: pictures.Finder(folder, partial(_cells, found, chosen.content)) for folder, found in beside.items()}


def _pictures(
    tables: list[Table], chosen: columns.Chosen, finders: dict[Path, pictures.Finder]
) -> tuple[Rows, list[str]]:
    """Pictures that stand in the tables themselves, or in files below the folders of the tables; and notes."""

    def found() -> Iterator[Row]:
        return _found(tables, chosen, lambda table: finders[table.path.parent].find)

    rows = store(found(), "image", pictures.stamp(found()), several=chosen.several)
    notes = []
    if missing := np.count_nonzero(rows.hashes == 0):
        faults = _faults(tables, chosen.content, finders)
        told = f"of the {len(rows.hashes):,} pictures that {tables[0].path} names, {faults}"
        if missing > DAMAGED_LIMIT * len(rows.hashes):
            raise RequestError(
                f"{told}. Put them there, correct the names, or name the column of file names with --image_column_name"
            )
        notes.append(told)
    return rows, notes


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
                    f"{table.path.name}, line {line}",
                )
            except RequestError as fault:
                raise RequestError(f"{table.path}, line {line}: {fault}") from None


def _cells(tables: list[Table], column: str) -> Iterator[Any]:
    return (cell for table in tables for _, (cell,) in table.rows([columns.position(table, column)]))


def _faults(tables: list[Table], image: str, finders: dict[Path, pictures.Finder]) -> str:
    """Why pictures were not found: how often each reason holds, and where first."""
    counts, first = Counter(), {}
    for table in tables:
        finder = finders[table.path.parent]
        for line, (cell,) in table.rows([columns.position(table, image)]):
            if finder.find(cell) is None:
                fault = finder.fault(cell)
                counts[fault] += 1
                first.setdefault(fault, f"{cell!r:.80} on line {line}")
    return "; ".join(f"{count:,} {fault}, such as {first[fault]}" for fault, count in counts.items())


def _fingerprint(path: Path) -> str:
    """Stands for the content of a file, which no date or size of the file does for sure."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _nearest(path: Path) -> str:
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=1)
    return f"; did you mean {path.with_name(near[0])}?" if near else ""
