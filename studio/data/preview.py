"""What data look like before anything is trained: columns, classes, sizes of the splits, some rows and pictures."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from datasets import Dataset
from PIL import Image

from studio import launch
from studio.config import Data, ImageData, TextData, Training
from studio.data import load, sources, splits
from studio.data.alike import column
from studio.data.decode import decode, header
from studio.data.lopsided import lopsided
from studio.data.marks import codes, labels_of, pairs
from studio.data.reading.labels import spellings
from studio.data.task import TASKS, guess
from studio.errors import RequestError
from studio.fields import Parser, nearest

ROWS = 20
TEXT_CHARACTERS = 300
PICTURES = 24
SIDE = 192  # pixels of a thumbnail
_MEASURED = 500  # pictures whose sizes are looked at


def preview(flags: list[str], task: str | None = None, thumbnails: Path | None = None) -> dict[str, Any]:
    """What the flags of a recipe's Data group name, as training would read and divide it.

    `thumbnails` is a folder that small pictures are written to, if the data are pictures.

    Returns:
        task, origin; columns (all that a table has) and chosen (settings and the columns they stand for); several
        (whether rows have several labels); classes ({"label", and its rows in "train", "validation", "test"}); sizes
        (rows by split), given (splits that came with the data); notes; left_out (rows that cannot be used, by the
        kind of flaw); advice (what classes of very different sizes call for, in sentences); spellings (groups of
        classes that differ in case and spaces only, the commonest first); rows (the first ones, of pictures the first
        of every class); shape (words and characters of texts, pixels of pictures); pictures ({"file", "name",
        "labels"}).

    Raises:
        RequestError: the data cannot be read or divided, or a flag is none of the Data group.
    """
    task, data = settings(flags, task)
    source = load.read(data)
    divided = splits.divide(source, data, Training.seed)
    parts = {name: getattr(divided, name) for name in splits.SPLITS}
    train = source.splits["train"]
    is_text = isinstance(data, TextData)
    order = spread(codes(labels_of(train)))
    classes = _classes(parts, divided.labels)
    several = labels_of(train).ndim == 2
    uneven = None if several else lopsided({row["label"]: row["train"] for row in classes})
    return {
        "task": task,
        "origin": divided.origin,
        "columns": list(source.chosen.columns) if source.chosen else [],
        "chosen": _chosen(source, "text" if is_text else "image"),
        "several": several,
        "classes": classes,
        "sizes": {name: len(rows) for name, rows in parts.items()},
        "given": list(source.splits),
        "notes": divided.notes,
        "left_out": _left_out(source),
        "advice": [str(uneven)] if uneven else [],
        "spellings": spellings({row["label"]: sum(row[name] for name in parts) for row in classes}),
        "rows": list(_rows(train, range(len(train)) if is_text else order, divided.labels)),
        "shape": _lengths(train) if is_text else _pixels(train),
        "pictures": list(_pictures(train, order, divided.labels, thumbnails)) if thumbnails and not is_text else [],
    }


def columns(flags: list[str], task: str | None = None) -> dict[str, Any]:
    """The columns of the table that the training rows stand in, whatever they hold; none where there is no table.

    Raises:
        RequestError: the data cannot be opened, or a flag is none of the Data group.
    """
    task, data = settings(flags, task)
    found = sources.training_table(data, "text" if isinstance(data, TextData) else "image")
    return {"task": task, "columns": [] if found is None or isinstance(found, Path) else found.columns}


def settings(flags: list[str], task: str | None = None) -> tuple[str, TextData | ImageData]:
    """The task and the Data group that the flags make; a task that is not given is told from the data.

    Raises:
        RequestError: a flag is none of the Data group, its value is wrong, or the data cannot be opened.
    """
    if task not in (None, *TASKS):
        raise RequestError(f"--task {task} is none that there is data for: give {' or '.join(TASKS)}")
    if task is None:
        (data,), _ = _parser(Data).settings(flags)
        _settle(data)
        given = {flag.removeprefix("--").partition("=")[0] for flag in flags if flag.startswith("--")}
        task = guess(data, given)
    parser = _parser(TASKS[task])
    (data,), leftover = parser.settings(flags)
    if leftover:
        name = leftover[0].removeprefix("--").partition("=")[0]
        raise RequestError(f"{leftover[0]} says nothing about data of {task}: {nearest(name, parser.names)}")
    _settle(data)
    return task, data


def thumbnail(picture: dict) -> Image.Image:
    """At most SIDE pixels wide and high; a tiny picture is enlarged, its pixels staying sharp."""
    small = decode(picture, SIDE)
    small.thumbnail((SIDE, SIDE))
    factor = SIDE // max(small.size)
    return small.resize((small.width * factor, small.height * factor), Image.Resampling.NEAREST)


def spread(classes: np.ndarray) -> np.ndarray:
    """Positions of rows: the first of every class, then the second of every class, and so on."""
    order = np.argsort(classes, kind="stable")
    place = np.empty(len(classes), int)  # within the class
    place[order] = np.arange(len(classes)) - np.searchsorted(classes[order], classes[order])
    return np.lexsort((classes, place))


def _parser(group: type[Data]) -> Parser:
    return Parser([group], {}, "", "")


def _settle(data: Data) -> None:
    launch.settle_hub([data.dataset_name])


def _chosen(source: sources.Source, content: str) -> dict[str, str]:
    """The columns taken, by the settings that name them."""
    if source.chosen is None:
        return {}
    found = {
        f"{content}_column_name": source.chosen.content,
        "text_pair_column_name": source.chosen.text_pair,
        "label_column_name": source.chosen.label,
        "group_column_name": source.chosen.group,
    }
    return {name: value for name, value in found.items() if value}


def _classes(parts: dict[str, Dataset], labels: list[str]) -> list[dict[str, Any]]:
    counts = {name: np.bincount(pairs(labels_of(rows))[1], minlength=len(labels)) for name, rows in parts.items()}
    return [
        {"label": label} | {name: int(count[at]) for name, count in counts.items()} for at, label in enumerate(labels)
    ]


def _left_out(source: sources.Source) -> dict[str, int]:
    counts = Counter()
    for flaw in source.flaws:
        if flaw.kind in ("no_label", "no_content", "damaged_rows", "unreadable"):
            counts[flaw.kind] += flaw.count
    return dict(counts)


def _rows(rows: Dataset, order: Sequence[int], labels: list[str]) -> Iterator[dict[str, Any]]:
    for row in rows.select(order[:ROWS]):
        shown = {name: _cut(row[name]) for name in ("text", "text_pair", "group") if row.get(name) is not None}
        if "image" in row:
            shown["image"] = _name(row["image"])
        yield shown | {"labels": _labels(row["label"], labels)}


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARACTERS else f"{text[:TEXT_CHARACTERS]}…"


def _labels(label: int | list[int], labels: list[str]) -> list[str]:
    return [labels[at] for at in (label if isinstance(label, list) else [label])]


def _name(picture: dict) -> str:
    return Path(picture["path"]).name if picture["path"] else ""


def _lengths(rows: Dataset) -> dict[str, dict[str, int]]:
    """Median and 95th percentile of the words and characters of texts."""
    texts = column(rows, "text")
    counts = {"words": pc.count_substring_regex(texts, r"\S+"), "characters": pc.utf8_length(texts)}
    return {
        name: dict(zip(("median", "most"), map(round, np.percentile(found.to_numpy(), [50, 95])), strict=True))
        for name, found in counts.items()
    }


def _pixels(rows: Dataset) -> dict[str, Any]:
    """The commonest size of pictures, how many have it, and the shortest and longest side, of some taken evenly."""
    some = rows.select(np.unique(np.linspace(0, len(rows) - 1, _MEASURED).astype(int)))
    sizes = Counter(header(row["image"])[:2] for row in some.select_columns(["image"]))
    (width, height), count = sizes.most_common(1)[0]
    sides = [side for both in sizes for side in both]
    return {
        "measured": len(some),
        "width": width,
        "height": height,
        "count": count,
        "shortest": min(sides),
        "longest": max(sides),
    }


def _pictures(rows: Dataset, order: Sequence[int], labels: list[str], folder: Path) -> Iterator[dict[str, Any]]:
    """Writes thumbnails of the first rows in the order."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number, row in enumerate(rows.select(order[:PICTURES])):
        file = f"{number:02}.webp"
        thumbnail(row["image"]).save(folder / file)
        yield {"file": file, "name": _name(row["image"]), "labels": _labels(row["label"], labels)}
