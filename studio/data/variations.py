"""Some training rows and what an Augmentation makes of them, to look at before anything is trained."""

import base64
import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from PIL import Image, ImageOps

from studio.config import ImageAugmentation, TextAugmentation, Training
from studio.data import load, preview, words
from studio.data.augment import chosen, vary
from studio.data.decode import decode
from studio.data.marks import codes, labels_of, targets
from studio.data.mixing import mixing
from studio.fields import Parser

ROWS = 6
EPOCHS = 5
SIDE = 128  # pixels of a view


def variations(flags: list[str], task: str | None = None, folder: Path | None = None) -> dict[str, Any]:
    """Rows of all classes, as they are and as the first epochs would have them.

    `flags` are those of a recipe's Data and Augmentation groups. With a `folder`, pictures are also written to its
    augmented.png, a line for each row.

    Returns:
        task; rows: [{"labels", "views": [{"text"} or {"picture": a data URL, "labels": what it is to be told as}]}],
        of which the first view is the row as it is.

    Raises:
        RequestError: the data cannot be read, or a flag is none of the two groups.
    """
    (image,), rest = Parser([ImageAugmentation], {}, "", "").settings(flags)
    (text,), rest = Parser([TextAugmentation], {}, "", "").settings(rest)
    task, data = preview.settings(rest, task)
    source = load.read(data)
    train = source.splits["train"]
    some = train.select(preview.spread(codes(labels_of(train)))[:ROWS])
    if task == "text-classification":
        views = [[{"text": text} for text in _texts(row, text)] for row in some]
    else:
        pictures = _pictures(some, image, source.labels)
        views = [[view | {"picture": _url(view["picture"])} for view in line] for line in pictures]
        if folder:
            _write(pictures, folder)
    names = (_named(mark, source.labels) for mark in _marks(some, len(source.labels)))
    return {"task": task, "rows": [{"labels": n, "views": v} for n, v in zip(names, views, strict=True)]}


def _texts(row: dict[str, Any], settings: TextAugmentation) -> list[str]:
    """A text as it is, then varied; its words are here what stands between spaces."""
    whole = row["text"].split()[: preview.TEXT_CHARACTERS // 6]
    drawn = (random.Random(f"{Training.seed}/{epoch}/{row['row_id']}") for epoch in range(EPOCHS))
    return [" ".join(whole), *(" ".join(words.vary(whole, settings, draw)) for draw in drawn)]


def _pictures(rows: Dataset, settings: ImageAugmentation, labels: list[str]) -> list[list[dict[str, Any]]]:
    """For each row the views {"picture", "labels"}, cut to squares."""
    variation, mix = chosen(settings), mixing(settings, len(labels), Training.seed)
    decoded = [decode(row["image"], 2 * SIDE) for row in rows]
    marks = _marks(rows, len(labels))
    columns = [(list(map(_square, decoded)), marks)]
    for epoch in range(EPOCHS):
        seen = decoded
        if variation:
            seen = [
                vary(picture, variation, Training.seed, epoch, row_id)
                for picture, row_id in zip(decoded, rows["row_id"], strict=True)
            ]
        column = list(map(_square, seen)), marks
        columns.append(_mixed(*column, mix, epoch) if mix else column)
    return [
        [{"picture": pictures[at], "labels": _named(told[at], labels)} for pictures, told in columns]
        for at in range(len(rows))
    ]


def _mixed(pictures: list[Image.Image], marks: np.ndarray, mix: Any, epoch: int) -> tuple:
    pixels = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).permute(0, 3, 1, 2)
    batch = mix({"pixel_values": pixels.float(), "labels": torch.from_numpy(marks)}, epoch)
    mixed = batch["pixel_values"].permute(0, 2, 3, 1).round().byte().numpy()
    return [Image.fromarray(one) for one in mixed], batch["labels"].numpy()


def _marks(rows: Dataset, classes: int) -> np.ndarray:
    """(rows, classes): 1 for each label of a row."""
    labels = np.asarray(targets(rows["label"][:], rows.features["label"]))
    return labels.astype(np.float32) if labels.ndim == 2 else np.eye(classes, dtype=np.float32)[labels]


def _named(shares: np.ndarray, labels: list[str]) -> list[str]:
    """The labels of a row, with the share of each that is not whole; the largest first."""
    order = [at for at in np.argsort(-shares, kind="stable") if shares[at] >= 0.005]
    return [labels[at] if shares[at] > 0.995 else f"{shares[at]:.0%} {labels[at]}" for at in order]


def _square(picture: Image.Image) -> Image.Image:
    tiny = max(picture.size) < SIDE / 2  # the pixels of a digit stay sharp
    return ImageOps.fit(picture, (SIDE, SIDE), Image.Resampling.NEAREST if tiny else Image.Resampling.BICUBIC)


def _url(picture: Image.Image) -> str:
    content = io.BytesIO()
    picture.save(content, "WEBP", quality=85)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"


def _write(lines: list[list[dict[str, Any]]], folder: Path) -> None:
    grid = Image.new("RGB", (SIDE * len(lines[0]), SIDE * len(lines)))
    for down, line in enumerate(lines):
        for right, view in enumerate(line):
            grid.paste(view["picture"], (SIDE * right, SIDE * down))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    grid.save(folder / "augmented.png")
