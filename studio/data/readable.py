"""Leave out the pictures that cannot be decoded, by decoding all of them before anything is trained."""

import dataclasses
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from datasets import Dataset
from rich.progress import Progress

from studio import launch
from studio.data.decode import UnreadablePicture, decode
from studio.data.marks import labels_of
from studio.data.progress import progress
from studio.data.reading.table import Flaw
from studio.data.sources import Source, refuse_losses
from studio.errors import RequestError

CHECKED_AT = 32  # pixels: a large JPEG is read from its first byte to its last also when it is decoded small
_SHOWN = 20  # pictures named in a message
Looked = TypeVar("Looked")
BLANK = 8  # levels of 256 that the pixels of an empty page or a covered lens may differ by


def readable(source: Source) -> Source:
    """The source without its unreadable pictures, which are counted and named in its notes, as blank ones are.

    Raises:
        RequestError: more than three pictures and more than a tenth of all are unreadable, or all are, or those of
            a split or of a class to train on.
    """
    good, complaints, blanks = launch.from_rank_zero(lambda: _checked(source))
    if not (complaints or blanks):
        return source
    kept = {name: rows.select(good[name]) for name, rows in source.splits.items()}
    total, notes = sum(map(len, source.splits.values())), []
    if blanks:
        notes.append(f"{len(blanks)} of {total} pictures are blank, of one colour all over: {_listed(blanks)}.")
    listed = _listed(complaints)
    if len(complaints) == total or len(complaints) > max(3, total // 10):
        raise RequestError(
            f"{source.origin}: {len(complaints)} of {total} pictures cannot be read ({listed}). Up to a tenth would be "
            "left out; with so many, repair or remove these files first"
        )
    flaws = source.flaws
    labels, left = ({split: labels_of(rows) for split, rows in found.items()} for found in (source.splits, kept))
    refuse_losses(labels, left, source.labels, source.origin)
    if complaints:
        notes.append(f"{len(complaints)} of {total} pictures cannot be read and are left out: {listed}.")
        flaws += (Flaw("unreadable", len(complaints), tuple(("", told, "") for told in complaints[:_SHOWN])),)
    return dataclasses.replace(source, splits=kept, notes=source.notes + notes, flaws=flaws)


def each(rows: Dataset, look: Callable[[dict, str], Looked], bar: Progress) -> Iterator[Looked]:
    """What `look` says of the picture and the id of each row, in order; Pillow decodes on all cores at once."""
    task = bar.add_task("Checking pictures", total=len(rows))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch in rows.select_columns(["image", "row_id"]).iter(batch_size=64):
            for looked in pool.map(look, batch["image"], batch["row_id"]):
                bar.advance(task)
                yield looked


def _checked(source: Source) -> tuple[dict[str, np.ndarray], list[str], list[str]]:
    """The places of the readable pictures in each split; what is wrong with the others; the names of blank ones."""
    good, complaints, blanks = {}, [], []
    with progress() as bar:
        for name, rows in source.splits.items():
            fine = np.zeros(len(rows), bool)
            for at, (complaint, blank) in enumerate(each(rows, _check, bar)):
                blanks += [blank] if blank else []
                complaints += [complaint] if complaint else []
                fine[at] = complaint is None
            good[name] = np.flatnonzero(fine)
    return good, complaints, blanks


def _check(image: dict, row_id: str) -> tuple[str | None, str | None]:
    name = image["path"] or f"the picture of row {row_id}"
    try:
        extremes = decode(image, CHECKED_AT).getextrema()
    except UnreadablePicture as error:
        return f"{name} {error}", None
    return None, name if all(high - low < BLANK for low, high in extremes) else None


def _listed(names: list[str]) -> str:
    return "; ".join(names[:_SHOWN]) + ("; ..." if len(names) > _SHOWN else "")
