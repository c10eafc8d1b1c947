"""Reads labelled texts and pictures from files, folders, archives, the Hub and the samples into one shape."""

import dataclasses
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset

from studio.config import Data, ImageData, TextData
from studio.data import marks
from studio.data.reading import cells, files, formats, hub, labels, sample_rows
from studio.data.reading.columns import Chosen
from studio.data.reading.rows import Kind, Rows
from studio.data.reading.table import Flaw, Table
from studio.errors import RequestError

SPLITS = ("train", "validation", "test")
_CHUNK = 10_000  # rows
_EXAMPLES = 5  # of rows that were left out
_LACKING = {"no_label": "no label", "no_content": "nothing there"}
_OF_TABLES = {"text_column_name", "text_pair_column_name", "image_column_name", "label_column_name"}
_OF_TABLES |= {"group_column_name", "label_delimiter", "column_names"}


@dataclass
class Source:
    """Labelled rows in the splits in which they were given; "train" is always there.

    Columns: "text" (str) or "image" ({"bytes", "path"}, one of them None); "text_pair" (str) where texts come in pairs;
    "label" (id, the position in `labels`; or a list of ids, perhaps empty, where rows have several); "row_id" (hash of
    the content and a count of its earlier occurrences, unique over all splits); "place" (str, the file and line, or
    None); with --group_column_name also "group" (str, or None where a row belongs to none that is known).
    """

    splits: dict[str, Dataset]
    labels: list[str]
    notes: list[str]  # sentences about how the data was read and what was left out
    origin: str
    chosen: Chosen | None = None  # columns, where a table was read
    flaws: tuple[Flaw, ...] = ()
    excluded: frozenset[str] = frozenset()  # ids of rows that a person's decisions leave out


def read(data: TextData | ImageData) -> Source:
    """The labelled rows that the settings name.

    Raises:
        RequestError: they are not there, or cannot be read as labelled texts or pictures.
    """
    is_image = isinstance(data, ImageData)
    kind: Kind = "image" if is_image else "text"
    name = _name(data)
    origin, rows, notes, classes, chosen = name, {}, [], None, None
    places = {}  # of what is read from this machine
    if name.startswith("sample:"):
        rows["train"] = sample_rows.read(name, kind)
    elif data.dataset_name and _is_hub_id(name):
        rows, notes, classes, chosen = hub.read(data, kind)
    elif data.dataset_config_name or data.dataset_revision:
        raise RequestError(f"--dataset_config_name and --dataset_revision are for data sets on the Hub, not for {name}")
    else:
        origin = Path(name).expanduser().resolve().name
        places, notes = files.parts(Path(name), kind)
    separate, remarks = _separate_places(data, kind)
    places |= separate
    if all(part.is_dir() for parts in places.values() for part in parts):
        _refuse_idle(data, {"column_names"} if data.dataset_name and _is_hub_id(name) else _OF_TABLES)
    found = files.read(places, kind, data)
    source = _assembled(rows | found.rows, notes + remarks + found.notes, classes, found.folder_names, origin, data)
    return dataclasses.replace(source, chosen=chosen or found.chosen, flaws=(*found.flaws, *source.flaws))


def training_table(data: Data, kind: Kind) -> Table | Path | None:
    """The table that holds the training rows, or the folder that holds those of their classes; None of a sample.

    Raises:
        RequestError: there is nothing of the kind, or it cannot be read.
    """
    name = _name(data)
    if name.startswith("sample:"):
        return None
    if data.dataset_name and _is_hub_id(name):
        return hub.training_table(data)
    part = files.parts(Path(name), kind)[0]["train"][0]
    return part if part.is_dir() else formats.open_table(part, data.column_names, False)


def refuse_losses(
    before: Mapping[str, np.ndarray], left: Mapping[str, np.ndarray], names: list[str], origin: str
) -> None:
    """Checks what is left of the labels of each split when rows that cannot be used have been taken out.

    Raises:
        RequestError: a split is empty, or a class has lost all its training rows (one of several labels may).
    """
    for split, labels_left in left.items():
        if not len(labels_left):
            raise RequestError(
                f"{origin}: none of the {split} rows can be used: each lacks content that can be read, or a label "
                f"that is known ({', '.join(map(repr, names[:10]))}); mend them or leave them out"
            )
    lost = np.setdiff1d(marks.pairs(before["train"])[1], marks.pairs(left["train"])[1])
    if len(lost) and before["train"].ndim == 1:
        raise RequestError(
            f"{origin}: no training row of class {', '.join(repr(names[at]) for at in lost[:10])} has content that can "
            "be read; mend its rows, or take the class out"
        )


def check_classes(ids: dict[str, np.ndarray], names: list[str], origin: str) -> list[str]:
    """Notes on labels (several per row) that no training row has: large sets of tags have such.

    Raises:
        RequestError: the training rows are of one class, or lack one that the other splits have.
    """
    notes = []
    present = {split: np.unique(marks.pairs(found)[1]) for split, found in ids.items()}
    known = present["train"]
    if len(known) < 2:
        raise RequestError(
            f"{origin}: the training rows that can be used are of {len(known)} class"
            f"{'es' * (len(known) == 0)} ({', '.join(names[at] for at in known)}); a classifier needs at least two"
        )
    for split in ids:
        unknown = [repr(names[at]) for at in np.setdiff1d(present[split], known)]
        if unknown and ids["train"].ndim == 2:
            notes.append(
                f"{len(unknown):,} labels of the {split} rows stand in no training row, so that the model cannot "
                f"learn them: {', '.join(unknown[:10])}"
            )
        elif unknown:
            raise RequestError(
                f"{origin}: the {split} rows have labels that no training row has: {', '.join(unknown[:10])} "
                f"(training rows: {', '.join(repr(names[at]) for at in known[:10])}). "
                "Correct the spelling or take them out"
            )
    return notes


def _name(data: Data) -> str:
    """What the settings call the training rows."""
    name = data.dataset_name or data.train_file
    if name is None:
        raise RequestError("there is no data to train on: give --dataset_name or --train_file")
    return name


def _separate_places(data: TextData | ImageData, kind: Kind) -> tuple[dict[str, list[Path]], list[str]]:
    """The files or folders of the splits that have flags of their own; and notes."""
    found, notes = {}, []
    for split, name in _flagged(data).items():
        parts, remarks = files.parts(Path(name), kind)
        if list(parts) != ["train"]:
            raise RequestError(
                f"--{split}_file {name} is divided itself ({', '.join(parts)}): name one of its parts, "
                "or give the whole as --dataset_name"
            )
        found[split] = parts["train"]
        notes += remarks
    return found, notes


def _flagged(data: TextData | ImageData) -> dict[str, str]:
    flags = {"validation": data.validation_file, "test": data.test_file}
    return {split: name for split, name in flags.items() if name}


def _refuse_idle(data: Data, settings: set[str]) -> None:
    """Refuses settings that say how tables are read, where none is."""
    idle = [f"--{one.name}" for one in dataclasses.fields(data) if one.name in settings and getattr(data, one.name)]
    if idle:
        raise RequestError(
            f"{' and '.join(idle)}: {data.dataset_name or data.train_file} is no table file whose columns could be "
            f"named; leave {'them' if len(idle) > 1 else 'it'} out, or bring a table"
        )


def _is_hub_id(name: str) -> bool:
    """Whether a name that is no path on this machine looks like owner/name rather than like a missing file."""
    like_a_file = formats.suffix(Path(name)) in formats.SUFFIXES | {".zip", ".gz", ".xlsx", ".xls"}
    like_an_id = re.fullmatch(r"\w[\w.-]*(/[\w.-]+)?", name)
    return not Path(name).expanduser().exists() and not like_a_file and bool(like_an_id)


def _assembled(
    found: dict[str, Rows], notes: list[str], classes: list[str] | None, certain: set[str], origin: str, data: Data
) -> Source:
    """Labels become ids, rows without label or content are left out, every other row gets its id."""
    rows = {split: found[split] for split in SPLITS if split in found}
    notes = notes + _drop_unlabelled(rows, _flagged(data))
    written = {split: part.labels for split, part in rows.items()}
    names, ids, remarks = labels.number(written, classes, origin, data.merge_label_spellings, certain)
    notes += remarks
    empty = sum(np.count_nonzero(part.hashes == 0) for part in rows.values())
    if empty:
        kind = found["train"].content.column_names[0]
        notes.append(f"{empty:,} of {sum(map(len, ids.values())):,} rows have no {kind} and were left out")
    several = ids["train"].ndim == 2
    known = {split: (found >= 0).all(axis=1) if several else found >= 0 for split, found in ids.items()}
    kept = {split: known[split] & (part.hashes != 0) for split, part in rows.items()}
    left = {split: ids[split][kept[split]] for split in rows}
    refuse_losses({split: ids[split][known[split]] for split in rows}, left, names, origin)
    notes += check_classes(left, names, origin)
    row_ids = _row_ids([(part.hashes, marks.codes(ids[split]), kept[split]) for split, part in rows.items()])
    label = datasets.ClassLabel(names=names)
    features = datasets.Features(
        {"label": datasets.List(label) if several else label}
        | {name: datasets.Value("string") for name in ("row_id", "place")}
    )
    if data.group_column_name:
        features["group"] = datasets.Value("string")
        notes += _ungrouped(rows, data.group_column_name)
    groups = _groups(rows)
    splits = {}
    for (split, part), identities in zip(rows.items(), row_ids, strict=True):
        named = {"label": marks.lists(ids[split]), "row_id": identities, "place": part.places, "group": groups[split]}
        table = pa.table({name: named[name] for name in features})
        # Without a fingerprint, `datasets` makes one from a copy of the whole table.
        fingerprint = hashlib.blake2b(ids[split], key=hashlib.blake2b(part.hashes).digest()).hexdigest()
        columns = Dataset(table, info=datasets.DatasetInfo(features=features), fingerprint=fingerprint[:16])
        joined = datasets.concatenate_datasets([part.content, columns], axis=1)
        splits[split] = joined if kept[split].all() else joined.select(np.flatnonzero(kept[split]))
    filled = {split: part.hashes != 0 for split, part in rows.items()}
    flaws = [
        *_lacking(rows, {split: ~known[split] & filled[split] for split in rows}, "no_label"),
        *_lacking(rows, {split: ~part for split, part in filled.items()}, "no_content"),
    ]
    return Source(splits, names, notes, origin, flaws=tuple(flaws))


def _lacking(
    rows: dict[str, Rows], gone: dict[str, np.ndarray], kind: Literal["no_label", "no_content"]
) -> Iterator[Flaw]:
    """The rows that are gone for one reason, if any."""
    examples = []
    for split, part in rows.items():
        for at in np.flatnonzero(gone[split])[: _EXAMPLES - len(examples)].tolist():
            content = next(iter(part.content[at].values()))
            shown = content["path"] if isinstance(content, dict) else content
            examples.append((part.places[at].as_py() or "", shown or "", _LACKING[kind]))
    if count := int(sum(map(np.count_nonzero, gone.values()))):
        yield Flaw(kind, count, tuple(examples))


def _drop_unlabelled(rows: dict[str, Rows], flagged: dict[str, str]) -> list[str]:
    """Takes out splits whose labels are hidden: a public test set often has none, or -1 everywhere."""
    hidden = set() if "-1" in pc.unique(labels.flat(rows["train"].labels)).to_pylist() else {"-1"}
    notes = []
    for split in [split for split in rows if split != "train"]:
        found = {(label or "").strip().casefold() for label in pc.unique(labels.flat(rows[split].labels)).to_pylist()}
        if found <= cells.NO_LABEL | hidden:
            if split in flagged:
                raise RequestError(
                    f"--{split}_file {flagged[split]} has no labels, or not in the column of the training rows"
                )
            del rows[split]
            notes.append(f"the {split} rows that came with the data have no labels and were not used")
    return notes


def _groups(rows: dict[str, Rows]) -> dict[str, pa.ChunkedArray]:
    """To whom or what the rows belong; where all of them are numbers, 12.0 and 12 are the same."""
    groups = {split: part.groups for split, part in rows.items()}
    names = pc.unique(pa.chunked_array([chunk for part in groups.values() for chunk in part.chunks], pa.string()))
    numbers = pc.all(pc.match_substring_regex(names, r"^-?\d+(\.\d*)?$")).as_py()
    if not numbers or not pc.any(pc.match_substring(names, ".")).as_py():
        return groups
    return {split: pc.replace_substring_regex(part, r"\.0*$", "") for split, part in groups.items()}


def _ungrouped(rows: dict[str, Rows], column: str) -> list[str]:
    """A note on rows that belong to no known group."""
    count = sum(part.groups.null_count for part in rows.values())
    total = sum(len(part.hashes) for part in rows.values())
    return (
        [f"{count:,} of {total:,} rows have no {column} (or a word such as None): each is a group of its own"]
        if count
        else []
    )


def _row_ids(splits: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> list[pa.ChunkedArray]:
    """From (hashes, class ids, which rows are kept) of each split, the ids of its rows, null where not kept.

    Rows of one content are counted by split and class, so that the order of the rows in a file does not matter.
    """
    hashes, classes, kept = (np.concatenate(arrays) for arrays in zip(*splits, strict=True))
    split = np.repeat(np.arange(len(splits)), [len(part[0]) for part in splits])
    order = np.lexsort((classes, split, hashes, ~kept))  # kept rows first
    first = np.diff(hashes[order], prepend=~hashes[order[0]]) != 0
    begins = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    occurrence = np.empty(len(order), np.int64)
    occurrence[order] = np.arange(len(order)) - begins

    ends = np.cumsum([len(part[0]) for part in splits])
    chunks = []
    for begin in range(0, len(order), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        pairs = zip(hashes[part].tolist(), occurrence[part].tolist(), kept[part].tolist(), strict=True)
        chunks.append(pa.array([f"{digest:016x}-{count}" if keep else None for digest, count, keep in pairs]))
    everything = pa.chunked_array(chunks, pa.string())
    return [everything.slice(end - len(part[0]), len(part[0])) for end, part in zip(ends, splits, strict=True)]
