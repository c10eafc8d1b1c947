"""Divides labelled rows into training, validation and test rows so that the test tells the truth."""

import unicodedata
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, concatenate_datasets

from studio.config import Data
from studio.data.reading.rows import hash_text
from studio.data.sources import SPLITS, Source
from studio.errors import RequestError

_BATCH = 1000  # rows


@dataclass
class Splits:
    """Rows with the columns of a Source, each in one split only."""

    train: Dataset
    validation: Dataset
    test: Dataset
    labels: list[str]
    notes: list[str]
    origin: str


def divide(source: Source, data: Data, seed: int) -> Splits:
    """Takes the splits that were given and carves the missing ones out of the training rows.

    What is carved is stratified by label, and rows of one content (texts alike but for case and white space,
    pictures of the same bytes) stay together. Draws depend on the seed and the contents, not on the order of rows.

    Raises:
        RequestError: a class has too few rows to be in every split, or --splits_from names no division of this data.
    """
    if data.splits_from:
        splits, notes = _as_before(source, Path(data.splits_from))
    else:
        splits, notes = _carved(source, data, seed)
    limits = {"train": data.max_train_samples, "validation": data.max_eval_samples, "test": data.max_predict_samples}
    drawn = {split: _sample(rows, limits[split], seed) for split, rows in splits.items()}
    return Splits(**drawn, labels=source.labels, notes=source.notes + notes, origin=source.origin)


def save(splits: Splits, folder: Path) -> None:
    """Writes train.txt, validation.txt and test.txt: one row id per line."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in zip(SPLITS, (splits.train, splits.validation, splits.test), strict=True):
        ids = _column(rows, "row_id").to_pylist()
        (folder / f"{split}.txt").write_text("".join(f"{row_id}\n" for row_id in ids))


def carve(contents: np.ndarray, labels: np.ndarray, fractions: list[float], seed: int) -> np.ndarray:
    """For each row the number of its part: 1, 2, ... for those of the given size, 0 for the rest.

    contents: (rows,) hashes; rows of one content come into one part.
    labels: (rows,) class ids; each class is divided in the given proportions as far as its contents allow.
    fractions: sizes of the parts 1, 2, ... relative to all rows; every class has at least one row in each part
        and in the rest, if it has as many different contents as that takes.
    """
    groups, group_of, sizes = np.unique(contents, return_inverse=True, return_counts=True)
    # A content that stands with several labels counts for the rarest, which can spare it least.
    commonness = np.argsort(np.argsort(np.bincount(labels), kind="stable"))  # rank of each class
    stratum = np.full(len(groups), len(commonness))
    np.minimum.at(stratum, group_of, commonness[labels])
    draw = np.random.default_rng(seed).permutation(len(groups))  # groups are sorted: row order plays no part
    order = np.lexsort((draw, stratum))
    part_of = np.zeros(len(groups), np.int64)
    for members in np.split(order, np.flatnonzero(np.diff(stratum[order])) + 1):
        rows = sizes[members].sum()
        for part, fraction in enumerate(fractions, start=1):
            quota = max(1, round(fraction * rows))
            # Contents that alone are more than that come last, the smaller first.
            members = members[np.argsort(np.where(sizes[members] > quota, sizes[members], 0), kind="stable")]
            middles = np.cumsum(sizes[members]) - sizes[members] / 2
            needed = len(fractions) - part + 1  # contents: one for every part to come and one for the rest
            count = min(max(1, np.count_nonzero(middles <= quota)), max(0, len(members) - needed))
            part_of[members[:count]] = part
            members = members[count:]
    return part_of[group_of]


def _carved(source: Source, data: Data, seed: int) -> tuple[dict[str, Dataset], list[str]]:
    """The given splits and, for those that are missing, parts of the training rows."""
    train, splits = source.splits["train"], dict(source.splits)
    labels = _column(train, "label").to_numpy()
    contents = {split: _contents(rows) for split, rows in splits.items()}
    notes = _repetitions(contents["train"], labels) + _overlaps(contents)
    wanted = {"test": data.test_fraction, "validation": data.validation_fraction}
    fractions = {split: fraction for split, fraction in wanted.items() if split not in splits}
    parts = carve(contents["train"], labels, list(fractions.values()), seed)
    names = ["train", *fractions]
    _check_every_class(source, contents["train"], labels, parts, names)
    for part, split in enumerate(names):
        splits[split] = train.select(np.flatnonzero(parts == part))
    return splits, notes


def _contents(rows: Dataset) -> np.ndarray:
    """uint64 per row, equal where the contents are the same to a reader."""
    if "image" in rows.column_names:
        chunks = _column(rows, "row_id").chunks
        hashes = (int(row_id[:16], 16) for chunk in chunks for row_id in chunk.to_pylist())
    else:
        batches = rows.select_columns(["text"]).iter(_BATCH)
        hashes = (hash_text(_plain(text)) for batch in batches for text in batch["text"])
    return np.fromiter(hashes, np.uint64, len(rows))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


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


def _overlaps(contents: dict[str, np.ndarray]) -> list[str]:
    """Notes on given splits that share contents, which makes the metrics of the later one too good."""
    names = {"train": "training", "validation": "validation", "test": "test"}
    notes = []
    for early, late in combinations([split for split in SPLITS if split in contents], 2):
        shared = np.count_nonzero(np.isin(contents[late], contents[early]))
        if shared:
            share = f"{shared:,} of the {len(contents[late]):,} {late} rows"
            notes.append(f"{share} have the content of a {names[early]} row, which flatters the {late} metrics")
    return notes


def _check_every_class(
    source: Source, contents: np.ndarray, labels: np.ndarray, parts: np.ndarray, names: list[str]
) -> None:
    """Refuses a division in which some split lacks some class."""
    shares = np.bincount(labels * len(names) + parts, minlength=len(source.labels) * len(names))
    shares = shares.reshape(len(source.labels), len(names))  # (classes, splits) rows
    lacking = np.flatnonzero(shares.any(axis=1) & ~shares.all(axis=1))
    if len(lacking):
        rare, more = lacking[0], f" (so do {len(lacking) - 1} more classes)" if len(lacking) > 1 else ""
        found, different = shares[rare].sum(), len(np.unique(contents[labels == rare]))
        raise RequestError(
            f"{source.origin}: class {source.labels[rare]!r} has too few rows for {', '.join(names)}: {found} found, "
            f"{different} of them different, at least {len(names)} different ones needed{more}. Add rows of the class, "
            "take it out, or bring rows of your own with --validation_file and --test_file"
        )


def _as_before(source: Source, run: Path) -> tuple[dict[str, Dataset], list[str]]:
    """The rows whose ids another run has saved."""
    everything = concatenate_datasets(list(source.splits.values()))
    known = _column(everything, "row_id")
    splits, used = {}, 0
    for split in SPLITS:
        file = run / "splits" / f"{split}.txt"
        if not file.is_file():
            raise RequestError(f"--splits_from {run} is no run folder with saved splits: {file} is missing")
        ids = file.read_text().split()
        at = pc.index_in(pa.array(ids, pa.string()), known)
        if at.null_count:
            first = ids[at.is_null().index(True).as_py()]
            raise RequestError(
                f"--splits_from {run} divides other data: {at.null_count:,} of its {len(ids):,} {split} rows are not "
                f"among the {len(known):,} rows of {source.origin}, the first being {first}"
            )
        splits[split] = everything.select(at.to_numpy())
        used += len(ids)
    unused = len(known) - used
    notes = [f"divided as in {run}" + (f"; {unused:,} rows that it does not mention are not used" if unused else "")]
    return splits, notes


def _sample(rows: Dataset, limit: int | None, seed: int) -> Dataset:
    """At most `limit` rows, with the classes in their proportions and none lost if that is possible."""
    if limit is None or limit >= len(rows):
        return rows
    labels, ids = _column(rows, "label").to_numpy(), _column(rows, "row_id").combine_chunks()
    draw = np.empty(len(rows), int)
    draw[pc.sort_indices(ids).to_numpy()] = np.random.default_rng(seed).permutation(len(rows))
    order = np.lexsort((draw, labels))
    place = np.empty(len(rows), int)  # within the class
    place[order] = np.arange(len(rows)) - np.searchsorted(labels[order], labels[order])
    share = place / np.bincount(labels)[labels]  # the first of every class, then all classes at the same pace
    return rows.select(np.sort(np.lexsort((draw, share))[:limit]))


def _column(rows: Dataset, name: str) -> pa.ChunkedArray:
    return rows.select_columns([name]).with_format("arrow")[:][name]
