"""Labelled pictures as tensors: the model's own image processor makes them, in training as in serving."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from datasets import Dataset
from PIL import Image
from transformers import BaseImageProcessor

from studio.config import ImageAugmentation
from studio.data import splits
from studio.data.augment import Variation, chosen, vary
from studio.data.decode import UnreadablePicture, decode
from studio.data.marks import targets
from studio.errors import RequestError, RunError


def prepare(
    divided: splits.Splits, processor: BaseImageProcessor, augmentation: ImageAugmentation, seed: int
) -> dict[str, "Pictures"]:
    """The three splits as the model reads them. Only training pictures are varied.

    Raises:
        RequestError: the processor makes pictures of different sizes, which cannot share a batch.
    """
    return {
        "train": Pictures(divided.train, processor, chosen(augmentation), seed),
        "validation": Pictures(divided.validation, processor),
        "test": Pictures(divided.test, processor),
    }


class Pictures(torch.utils.data.Dataset):
    """Items {"pixel_values": (3, height, width) floats, "labels": int, or (classes,) floats of 0 and 1 for several}.

    An index beyond the last row counts on from the first: the same picture, varied in another way.

    The processor makes every tensor, so that a picture is to the model in training what it is in `pipeline()`; a
    variation is a part of the picture that goes the same way.
    """

    def __init__(self, rows: Dataset, processor: BaseImageProcessor, variation: Variation | None = None, seed: int = 0):
        self.row_ids = rows["row_id"][:]
        self.labels = targets(rows["label"][:], rows.features["label"])
        self._rows = rows
        self._processor = processor
        self._variation = variation
        self._seed = seed
        # In shared memory, so that loader processes that outlive an epoch see it change.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        # The smallest part that a variation keeps is about half as wide or high as the picture: twice the model's
        # size is resolution enough to cut it from. Unvaried pictures go to the processor as they are.
        side = max(_size(processor))
        self._towards = 2 * side if self._variation else None

    def varied(self, variation: Variation, seed: int) -> "Pictures":
        """The same pictures, varied."""
        return Pictures(self._rows, self._processor, variation, seed)

    def plain(self, indices: Sequence[int] | None = None) -> "Pictures":
        """The same pictures, or those at `indices`, as they are: not varied."""
        rows = self._rows if indices is None else self._rows.select(indices)
        return Pictures(rows, self._processor)

    def set_epoch(self, epoch: int) -> None:
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[dict]:
        """Each picture once; without this, Python would ask for one index after the other, and find no end."""
        return (self[at] for at in range(len(self)))

    def __getitem__(self, index: int) -> dict:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: list[int]) -> list[dict]:
        """What torch's loader calls for a batch: for small pictures one call of the processor halves the time."""
        times, indices = (part.tolist() for part in np.divmod(indices, len(self)))
        rows = self._rows[indices]
        pictures = [self._picture(*row) for row in zip(rows["image"], rows["row_id"], times, strict=True)]
        pixels = self._processor(pictures, return_tensors="pt")["pixel_values"]  # (batch, 3, height, width)
        labels = (self.labels[index] for index in indices)
        return [{"pixel_values": values, "labels": label} for values, label in zip(pixels, labels, strict=True)]

    def _picture(self, image: dict, row_id: str, time: int) -> Image.Image:
        try:
            picture = decode(image, self._towards)
        except UnreadablePicture as error:
            name = image["path"] or f"the picture of row {row_id}"
            raise RunError(f"{name} could be read when the run began, and now {error}") from error
        if self._variation is None:
            return picture
        larger = min(picture.size) / self._towards
        if self._variation.repaints and larger > 1:
            size = tuple(round(side / larger) for side in picture.size)
            picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        return vary(picture, self._variation, self._seed, int(self._epoch), f"{row_id}/{time}" if time else row_id)


def collate(items: list[dict]) -> dict[str, torch.Tensor]:
    """A batch: pixel_values (batch, 3, height, width), channels last as convolutions like it; labels (batch, ...)."""
    pixels = torch.stack([item["pixel_values"] for item in items])
    return {
        "pixel_values": pixels.contiguous(memory_format=torch.channels_last),
        "labels": torch.as_tensor(np.array([item["labels"] for item in items])),
    }


def _size(processor: BaseImageProcessor) -> tuple[int, int]:
    """Height and width that the processor brings every picture to."""
    wide, tall = (
        tuple(processor(Image.new("RGB", size), return_tensors="pt")["pixel_values"].shape[-2:])
        for size in ((96, 64), (64, 96))
    )
    if wide != tall:
        raise RequestError(
            f"--model_name_or_path: the model's image processor makes {wide[1]} x {wide[0]} pixels of a wide picture "
            f"and {tall[1]} x {tall[0]} of a tall one, but the pictures of a batch must have one size: choose a model "
            "whose processor crops or pads to a fixed size"
        )
    return wide
