"""Divides labelled rows into training, validation and test rows so that the test tells the truth."""

import json
import shutil
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, concatenate_datasets

from studio.config import Data
from studio.data import alike
from studio.data.alike import column
from studio.data.carving import carve, deal
from studio.data.marks import codes, labels_of, pairs
from studio.data.sources import SPLITS, Source
from studio.data.stratify import stratify
from studio.errors import RequestError

_SHOWN = 10  # labels listed in a note


@dataclass
class Splits:
    """Rows with the columns of a Source, each in one split only."""

    train: Dataset
    validation: Dataset
    test: Dataset
    labels: list[str]
    notes: list[str]
    origin: str


def divide(source: Source, data: Data, seed: int, before: Path | None = None) -> Splits:
    """Takes the splits that were given and carves the missing ones out of the training rows.

    What is carved is stratified by label, and rows of one content (texts alike but for case and white space,
    pictures of the same bytes) stay together; so do those of one group, and near duplicates if asked. Draws depend
    on the seed and the contents, not on the order of rows.

    `before` is the folder of this very run where it is resumed: its division is used again, as is that of the run that
    --splits_from names.

    Raises:
        RequestError: a class has too few rows to be in every split, or the saved division is none of this data.
    """
    if before or data.splits_from:
        splits, notes = _as_before(source, Path(before or data.splits_from), resumed=before is not None)
    else:
        splits, notes = _carved(source, data, seed)
    limits = {"train": data.max_train_samples, "validation": data.max_eval_samples, "test": data.max_predict_samples}
    drawn = {split: _sample(rows, limits[split], seed) for split, rows in splits.items()}
    notes += _unlearnt(splits["train"], drawn["train"], source.labels, data)
    return Splits(**drawn, labels=source.labels, notes=source.notes + notes, origin=source.origin)


def save(splits: Splits, folder: Path) -> None:
    """Writes train.txt, validation.txt and test.txt, one row id per line, and labels.json, the classes by their ids.

    The folder appears when all of them are there.
    """
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)  # of a run that was killed while it wrote
    unfinished.mkdir(mode=0o700, parents=True)
    (unfinished / "labels.json").write_text(json.dumps(splits.labels, ensure_ascii=False), encoding="utf-8")
    for split, rows in zip(SPLITS, (splits.train, splits.validation, splits.test), strict=True):
        ids = column(rows, "row_id").to_pylist()
        (unfinished / f"{split}.txt").write_text("".join(f"{row_id}\n" for row_id in ids))
    unfinished.rename(folder)


def folds(source: Source, data: Data, count: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """For each training row of the source the number of its fold, from 0 on: (rows,); and notes.

    Folds are about equal in size, each class has about equal shares in them, and what `divide` keeps together is
    in one fold.

    Raises:
        RequestError: a class has too few rows that may be parted to be in every fold.
    """
    train = {"train": source.splits["train"]}
    labels = labels_of(train["train"])
    tied, notes = alike.units(train, {"train": alike.contents(train["train"])}, data.near_duplicates)
    numbers = deal(tied["train"], labels, count, seed)
    names = [f"fold {at}" for at in range(1, count + 1)]
    notes += _check_every_class(source, data, tied["train"], labels, numbers, names, "or make fewer folds")
    return numbers, notes


def _carved(source: Source, data: Data, seed: int) -> tuple[dict[str, Dataset], list[str]]:
    """The given splits and, for those that are missing, parts of the training rows."""
    splits = dict(source.splits)
    contents = {split: alike.contents(rows) for split, rows in splits.items()}
    units, notes = alike.units(splits, contents, data.near_duplicates)
    notes += _repetitions(contents["train"], codes(labels_of(splits["train"])))
    notes += _ties(contents["train"], units["train"], data)
    notes += _without_overlap(source, splits, units, data) if data.drop_overlap else _overlaps(units, data)
    train = splits["train"]
    labels = labels_of(train)
    wanted = {"test": data.test_fraction, "validation": data.validation_fraction}
    fractions = {split: fraction for split, fraction in wanted.items() if split not in splits}
    parts = carve(units["train"], labels, list(fractions.values()), seed)
    names = ["train", *fractions]
    otherwise = "or bring rows of your own with --validation_file and --test_file"
    notes += _check_every_class(source, data, units["train"], labels, parts, names, otherwise)
    for part, split in enumerate(names):
        splits[split] = train.select(np.flatnonzero(parts == part))
        if split != "train" and len(source.splits) > 1:
            share = f"{len(splits[split]):,} of the {len(train):,} training rows"
            notes.append(f"no {split} rows were given: {share} were set aside for it (--{split}_fraction)")
    return splits, notes + _half_shared(splits)


def _repetitions(contents: np.ndarray, labels: np.ndarray) -> list[str]:
    """Notes on contents that training rows share, and on those among them with different labels."""
    order = np.argsort(contents)
    starts = np.flatnonzero(np.diff(contents[order], prepend=~contents[order[:1]]))
    notes = []
    if repeated := len(contents) - len(starts):
        notes.append(f"{repeated:,} training rows repeat the content of another one; they were kept in one split")
    labels = labels[order]
    torn = np.count_nonzero(np.minimum.reduceat(labels, starts) != np.maximum.reduceat(labels, starts))
    if torn:
        notes.append(f"{torn:,} contents stand in several training rows with different labels")
    return notes


def _ties(contents: np.ndarray, units: np.ndarray, data: Data) -> list[str]:
    """A note on the training rows that stay together for more than a common content, where that was asked for."""
    if not (data.group_column_name or data.near_duplicates):
        return []
    sizes = np.unique_counts(units).counts
    return [
        f"{len(np.unique(contents)):,} different training contents make {len(sizes):,} sets of rows that "
        f"stay together; the largest has {sizes.max():,} of {len(units):,} rows"
    ]


def _overlaps(units: dict[str, np.ndarray], data: Data) -> list[str]:
    """Notes on given splits that have something in common, which makes the metrics of the later one too good."""
    names = {"train": "training", "validation": "validation", "test": "test"}
    notes = []
    for early, late in combinations([split for split in SPLITS if split in units], 2):
        shared = np.count_nonzero(np.isin(units[late], units[early]))
        if shared:
            share = f"{shared:,} of the {len(units[late]):,} {late} rows"
            notes.append(
                f"{share} have the {_bond(data)} of a {names[early]} row, which flatters the {late} metrics; "
                f"--drop_overlap leaves those {names[early]} rows out"
            )
    return notes


def _half_shared(splits: dict[str, Dataset]) -> list[str]:
    """Notes on single texts of pairs that stand in several splits, as whole pairs never do that are carved."""
    notes = []
    for name, which in ("text", "first"), ("text_pair", "second"):
        if "text_pair" not in splits["train"].column_names:
            continue
        texts = {split: np.unique(alike.contents(rows.select_columns([name]))) for split, rows in splits.items()}
        if shared := np.count_nonzero(np.unique_counts(np.concatenate(list(texts.values()))).counts > 1):
            notes.append(
                f"{shared:,} {which} texts stand in pairs of several splits, which may "
                "flatter the metrics; --group_column_name COLUMN keeps what is the same in a column in one split"
            )
    return notes


def _without_overlap(source: Source, splits: dict[str, Dataset], units: dict[str, np.ndarray], data: Data) -> list[str]:
    """Takes rows out of earlier splits that are tied to rows of later ones: a given test set stays what it is."""
    notes = []
    for early, late in [("validation", "test"), ("train", "test"), ("train", "validation")]:
        if early not in splits or late not in splits:
            continue
        kept = ~np.isin(units[early], units[late])
        if kept.all():
            continue
        labels = labels_of(splits[early])
        gone = np.setdiff1d(pairs(labels)[1], pairs(labels[kept])[1]) if early == "train" else []
        if len(gone) or not kept.any():
            rows = f"{early} row of class {source.labels[gone[0]]!r}" if len(gone) else f"{early} row"
            raise RequestError(
                f"{source.origin}: every {rows} has the {_bond(data)} of a {late} row, and --drop_overlap would leave "
                "none: bring others, or leave out --drop_overlap"
            )
        splits[early], units[early] = splits[early].select(np.flatnonzero(kept)), units[early][kept]
        notes.append(
            f"{np.count_nonzero(~kept):,} of the {len(kept):,} {early} rows have the {_bond(data)} of a {late} row: "
            "left out"
        )
    return notes


def _bond(data: Data) -> str:
    """What ties rows together, in words."""
    content = "content (or nearly)" if data.near_duplicates else "content"
    return f"{content} or group" if data.group_column_name else content


def _check_every_class(
    source: Source,
    data: Data,
    units: np.ndarray,
    labels: np.ndarray,
    parts: np.ndarray,
    names: list[str],
    otherwise: str,
) -> list[str]:
    """Refuses a division in which some split or fold lacks some class.

    Where rows have several labels, that is noted, and refused only if one has no rows at all.
    """
    row, label = pairs(labels)
    shares = np.bincount(label * len(names) + parts[row], minlength=len(source.labels) * len(names))
    shares = shares.reshape(len(source.labels), len(names))  # (classes, splits) rows
    lacking = np.flatnonzero(shares.any(axis=1) & ~shares.all(axis=1))
    if len(lacking) and labels.ndim == 2 and len(np.unique(parts)) == len(names):
        rare = _listed([source.labels[at] for at in lacking])
        return [f"{len(lacking):,} labels have too few rows to be in each of {', '.join(names)}: {rare}"]
    if len(lacking):
        rare, more = lacking[0], f" (so do {len(lacking) - 1} more classes)" if len(lacking) > 1 else ""
        found, different = shares[rare].sum(), len(np.unique(units[row[label == rare]]))
        free = "of different groups" if data.group_column_name else "different"
        short = f"{found} found, {different} of them {free}, at least {len(names)} {free} ones needed"
        if different >= len(names):
            short = f"{found} found, {different} of them {free}, but most of these are tied to rows of rarer classes"
        raise RequestError(
            f"{source.origin}: class {source.labels[rare]!r} has too few rows for {', '.join(names)}: {short}{more}. "
            f"Add rows of the class, take it out, {otherwise}"
        )
    return []


def _listed(labels: list[str]) -> str:
    return ", ".join(map(repr, labels[:_SHOWN])) + ", ..." * (len(labels) > _SHOWN)


def _as_before(source: Source, run: Path, *, resumed: bool) -> tuple[dict[str, Dataset], list[str]]:
    """The rows whose ids a run has saved."""
    name, differs, remedy = f"--splits_from {run}", f"--splits_from {run} divides other data", ""
    if resumed:
        name, remedy = f"the run {run}", "; start a new run"
        differs = "the data has changed since this run was started"
    classes = run / "splits" / "labels.json"  # older runs have none
    if classes.is_file() and (saved := json.loads(classes.read_text(encoding="utf-8"))) != source.labels:
        differing = _listed(sorted(set(saved) ^ set(source.labels)) or saved)
        raise RequestError(
            f"{differs}: the classes of {source.origin} are others or in another order ({differing}){remedy}"
        )
    everything = concatenate_datasets(list(source.splits.values()))
    known = column(everything, "row_id")
    splits, used = {}, 0
    for split in SPLITS:
        file = run / "splits" / f"{split}.txt"
        if not file.is_file():
            raise RequestError(f"{name} is no run folder with saved splits: {file} is missing{remedy}")
        ids = file.read_text().split()
        if source.excluded and not resumed:
            ids = [row_id for row_id in ids if row_id not in source.excluded]
        at = pc.index_in(pa.array(ids, pa.string()), known)
        if at.null_count:
            first = ids[at.is_null().index(True).as_py()]
            raise RequestError(
                f"{differs}: {at.null_count:,} of its {len(ids):,} {split} rows are not among the {len(known):,} rows "
                f"of {source.origin}, the first being {first}{remedy}"
            )
        splits[split] = everything.select(at.to_numpy())
        used += len(ids)
    unused = len(known) - used
    notes = [f"divided as in {run}" + (f"; {unused:,} rows that it does not mention are not used" if unused else "")]
    return splits, notes


def _unlearnt(train: Dataset, drawn: Dataset, labels: list[str], data: Data) -> list[str]:
    """A note on classes of which --max_train_samples has left no training row."""
    if len(drawn) == len(train):
        return []
    before, left = (np.unique(pairs(labels_of(rows))[1]) for rows in (train, drawn))
    if len(left) < 2:
        raise RequestError(
            f"--max_train_samples {data.max_train_samples} leaves training rows of {len(left)} class"
            f"{'es' * (len(left) == 0)}, and a classifier needs at least two: raise it"
        )
    lost = [labels[at] for at in np.setdiff1d(before, left)]
    return [f"--max_train_samples left no training row of {len(lost):,} classes: {_listed(lost)}"] if lost else []


def _sample(rows: Dataset, limit: int | None, seed: int) -> Dataset:
    """At most `limit` rows, with the classes in their proportions and none lost if that is possible."""
    if limit is None or limit >= len(rows):
        return rows
    labels, ids = labels_of(rows), column(rows, "row_id").combine_chunks()
    draw = np.empty(len(rows), int)
    draw[pc.sort_indices(ids).to_numpy()] = np.random.default_rng(seed).permutation(len(rows))
    if labels.ndim == 2:
        share = limit / len(rows)
        left_out = stratify(draw, labels, [share, 1 - share], seed)  # a few rows more or less than asked for
        return rows.select(np.sort(np.lexsort((draw, left_out))[:limit]))
    order = np.lexsort((draw, labels))
    place = np.empty(len(rows), int)  # within the class
    place[order] = np.arange(len(rows)) - np.searchsorted(labels[order], labels[order])
    share = place / np.bincount(labels)[labels]  # the first of every class, then all classes at the same pace
    return rows.select(np.sort(np.lexsort((draw, share))[:limit]))
