"""Vary training pictures: a random part of the picture, mirrored or not, drawn from (seed, epoch, row id) alone."""

import math
import random
from dataclasses import dataclass

from PIL import Image, ImageOps


@dataclass(frozen=True)
class Variation:
    """What is drawn for each picture: the share of its area that is kept, the stretch of its width, a mirror."""

    area: tuple[float, float]
    stretch: float  # width to height by a factor between 1 / stretch and stretch
    mirror: bool


# The keys are the choices of --augmentation.
VARIATIONS = {
    "none": None,
    # Shifts, sizes and stretches that leave a digit or a page what it is, as in LeCun et al. 1998, section III
    # (no mirror: it makes another sign of most of them).
    "crop": Variation(area=(0.8, 1.0), stretch=1.1, mirror=False),
    # Inception's crop and mirror (Szegedy et al. 2014, https://arxiv.org/abs/1409.4842: 8 % to 100 % of the area,
    # ratio 3/4 to 4/3), from 35 % on as fastai fine-tunes: 8 % is for long trainings from nothing, in a few epochs
    # it costs more than it gives.
    "crop_and_flip": Variation(area=(0.35, 1.0), stretch=4 / 3, mirror=True),
}


def vary(picture: Image.Image, variation: Variation, seed: int, epoch: int, row_id: str) -> Image.Image:
    """A part of the picture in its own resolution; the same one for the same seed, epoch and row id, in any process.

    The generator is a private one, so that torch's, which dropout draws from, never depends on the pictures.
    """
    draw = random.Random(f"{seed}/{epoch}/{row_id}")
    area = draw.uniform(*variation.area)
    stretch = math.exp(draw.uniform(-1, 1) * math.log(variation.stretch))
    width = max(1, round(picture.width * min(1.0, math.sqrt(area * stretch))))
    height = max(1, round(picture.height * min(1.0, math.sqrt(area / stretch))))
    left = draw.randint(0, picture.width - width)
    top = draw.randint(0, picture.height - height)
    part = picture.crop((left, top, left + width, top + height))
    return ImageOps.mirror(part) if variation.mirror and draw.random() < 0.5 else part
