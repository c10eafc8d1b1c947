"""The sample data sets as rows, cleaned as their makers advise."""

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from studio import samples
from studio.data.reading.rows import Kind, Row, Rows, store
from studio.errors import RequestError

_SURE = 0.65  # share of the labelling people's trust that stands behind a label; below it they disagreed too much
_SIDE = 28  # pixels


def read(name: str, kind: Kind) -> Rows:
    """The rows of sample:tweets or sample:mnist.

    Raises:
        RequestError: another name, or a sample of texts where pictures are needed or the other way round.
    """
    if (name, kind) == ("sample:tweets", "text"):
        path = samples.tweets()
        return store(_tweets(path), "text", f"{name} {path.stat().st_size}")
    if (name, kind) == ("sample:mnist", "image"):
        path = samples.mnist()
        return store(_digits(path), "image", f"{name} {path.stat().st_size}")
    choice = "sample:tweets for texts, sample:mnist for pictures"
    raise RequestError(f"--dataset_name {name} is no sample of {kind}s: there are {choice}")


def _tweets(path: Path) -> Iterator[Row]:
    """Texts and sentiments, without labels that people were unsure of, and each text once."""
    seen = set()
    # The texts were damaged before they were published: bytes that are no UTF-8 carry nothing.
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.DictReader(file):
            unsure = row["confidence"] and float(row["confidence"]) < _SURE
            if not unsure and row["text"] not in seen:
                seen.add(row["text"])
                yield Row(row["text"], row["sentiment"])


def _digits(path: Path) -> Iterator[Row]:
    """PNGs of 28x28 grey pixels and their digits."""
    with gzip.open(path, "rt", newline="") as file:
        for *pixels, digit in csv.reader(file):
            picture = io.BytesIO()
            grey = np.array(pixels, float).astype(np.uint8).reshape(_SIDE, _SIDE)
            Image.fromarray(grey).save(picture, "PNG")
            yield Row(picture.getvalue(), str(int(float(digit))))
