"""Vary training pictures: parts of them, turned, mirrored, recoloured, drawn from (seed, epoch, row id) alone."""

import math
import random
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps, ImageStat

from studio.config import ImageAugmentation


@dataclass(frozen=True)
class Variation:
    """What is drawn for each picture; what is 0, or 1 for a factor, stays as it is."""

    area: tuple[float, float] = (1.0, 1.0)  # the share of the picture that is kept
    stretch: float = 1.0  # width to height by a factor between 1 / stretch and stretch
    mirror: bool = False
    turn: float = 0.0  # degrees to either side
    shift: float = 0.0  # share of the sides, in any direction
    zoom: float = 1.0  # size by a factor between 1 / zoom and zoom
    colour: float = 0.0  # brightness, contrast and saturation, each by a factor of up to 1 -+ this
    blur: float = 0.0  # of half the pictures: a radius of up to this share of the shorter side
    noise: float = 0.0  # of half the pictures: a deviation of up to this share of white
    policy: str = "none"  # or randaugment, or which of AutoAugment's lists: imagenet, svhn
    magnitude: int = 9  # of 30, which Cubuk et al. 2019, https://arxiv.org/abs/1909.13719, found best on ImageNet
    erasing: float = 0.0  # share of the pictures that lose a box

    @property
    def repaints(self) -> bool:
        """Whether every pixel is worked on, which takes the longer the more there are."""
        moves = self.turn or self.shift or self.zoom != 1
        return bool(moves or self.colour or self.blur or self.noise or self.policy != "none")


# By --augmentation and --mirror: what may not be mirrored may not lose much of itself either.
PRESETS = {
    # Shifts, sizes and stretches that leave a digit or a page what it is, as in LeCun et al. 1998, section III
    # (no mirror: it makes another sign of most of them).
    ("light", False): Variation(area=(0.8, 1.0), stretch=1.1),
    ("medium", False): Variation(area=(0.8, 1.0), stretch=1.1, turn=10, shift=0.1, zoom=1.1),
    ("strong", False): Variation(
        area=(0.7, 1.0), stretch=1.2, turn=15, shift=0.15, zoom=1.2, colour=0.3, blur=0.01, noise=0.05
    ),
    ("light", True): Variation(area=(0.8, 1.0), stretch=1.1, mirror=True),
    # Inception's crop and mirror (Szegedy et al. 2014, https://arxiv.org/abs/1409.4842: 8 % to 100 % of the area,
    # ratio 3/4 to 4/3), from 35 % on as fastai fine-tunes: 8 % is for long trainings from nothing, in a few epochs
    # it costs more than it gives.
    ("medium", True): Variation(area=(0.35, 1.0), stretch=4 / 3, mirror=True),
    ("strong", True): Variation(
        area=(0.25, 1.0), stretch=4 / 3, mirror=True, turn=15, colour=0.4, blur=0.01, noise=0.05
    ),
}


def chosen(settings: ImageAugmentation) -> Variation | None:
    """The variation that settings ask for; None where pictures stay as they are."""
    preset = PRESETS.get((settings.augmentation, settings.mirror), Variation())
    policy = settings.augmentation_policy
    if policy == "autoaugment":  # the list for house numbers serves what may not be mirrored
        policy = "imagenet" if settings.mirror else "svhn"
    magnitude = Variation.magnitude if settings.randaugment_magnitude is None else settings.randaugment_magnitude
    variation = replace(preset, policy=policy, magnitude=magnitude, erasing=settings.random_erasing)
    return None if variation == Variation() else variation


def vary(picture: Image.Image, variation: Variation, seed: int, epoch: int, row_id: str) -> Image.Image:
    """The picture varied, in its own resolution; the same for the same seed, epoch and row id, in any process.

    The generator is a private one, so that torch's, which dropout draws from, never depends on the pictures.
    """
    draw = random.Random(f"{seed}/{epoch}/{row_id}")
    picture = _turned(picture, variation, draw)
    part = _part(picture, variation, draw)
    part = ImageOps.mirror(part) if variation.mirror and draw.random() < 0.5 else part
    part = _recoloured(part, variation, draw)
    if variation.policy != "none":
        part = _by_policy(part, variation, draw)
    return _erased(part, draw) if draw.random() < variation.erasing else part


def _turned(picture: Image.Image, variation: Variation, draw: random.Random) -> Image.Image:
    """Turned, shifted and made larger or smaller about its middle, all at once; beyond its edges is their colour."""
    if not variation.turn and not variation.shift and variation.zoom == 1:
        return picture
    angle = math.radians(draw.uniform(-1, 1) * variation.turn)
    zoom = math.exp(draw.uniform(-1, 1) * math.log(variation.zoom))
    right, down = (draw.uniform(-1, 1) * variation.shift * side for side in picture.size)
    cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
    x, y = picture.width / 2, picture.height / 2  # the middle, to which (x + right, y + down) of the outcome goes back
    back = (cos, sin, x - cos * (x + right) - sin * (y + down), -sin, cos, y + sin * (x + right) - cos * (y + down))
    return picture.transform(
        picture.size, Image.Transform.AFFINE, back, Image.Resampling.BILINEAR, fillcolor=_edge_colour(picture)
    )


def _part(picture: Image.Image, variation: Variation, draw: random.Random) -> Image.Image:
    area = draw.uniform(*variation.area)
    stretch = math.exp(draw.uniform(-1, 1) * math.log(variation.stretch))
    width = max(1, round(picture.width * min(1.0, math.sqrt(area * stretch))))
    height = max(1, round(picture.height * min(1.0, math.sqrt(area / stretch))))
    left = draw.randint(0, picture.width - width)
    top = draw.randint(0, picture.height - height)
    return picture.crop((left, top, left + width, top + height))


def _recoloured(part: Image.Image, variation: Variation, draw: random.Random) -> Image.Image:
    if variation.colour:
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            part = enhance(part).enhance(1 + draw.uniform(-1, 1) * variation.colour)
    if variation.blur and draw.random() < 0.5:
        part = part.filter(ImageFilter.GaussianBlur(draw.uniform(0, variation.blur) * min(part.size)))
    if variation.noise and draw.random() < 0.5:
        deviation = 255 * draw.uniform(0, variation.noise)
        numbers = np.random.default_rng(draw.getrandbits(64))
        rough = np.asarray(part) + numbers.standard_normal((part.height, part.width, 3), np.float32) * deviation
        part = Image.fromarray(rough.clip(0, 255).astype(np.uint8))
    return part


def _by_policy(part: Image.Image, variation: Variation, draw: random.Random) -> Image.Image:
    """Changed by RandAugment, or by AutoAugment (Cubuk et al. 2018, https://arxiv.org/abs/1805.09501).

    torchvision draws from torch's own generator, which is put back to where it was.
    """
    import torch
    from torchvision.transforms import v2

    how = {"interpolation": v2.InterpolationMode.BILINEAR, "fill": list(_edge_colour(part))}
    if variation.policy == "randaugment":
        change = v2.RandAugment(magnitude=variation.magnitude, **how)
    else:
        change = v2.AutoAugment(v2.AutoAugmentPolicy(variation.policy), **how)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(draw.getrandbits(63))
        return change(part)


def _erased(part: Image.Image, draw: random.Random) -> Image.Image:
    """With noise in a box of 2 % to 33 % of its area (Zhong et al. 2017, https://arxiv.org/abs/1708.04896)."""
    area = draw.uniform(0.02, 0.33) * part.width * part.height
    stretch = math.exp(draw.uniform(-1, 1) * math.log(1 / 0.3))
    width = max(1, min(part.width, round(math.sqrt(area * stretch))))
    height = max(1, min(part.height, round(math.sqrt(area / stretch))))
    noise = np.random.default_rng(draw.getrandbits(64)).integers(0, 256, (height, width, 3), np.uint8)
    erased = part.copy()
    erased.paste(Image.fromarray(noise), (draw.randint(0, part.width - width), draw.randint(0, part.height - height)))
    return erased


def _edge_colour(picture: Image.Image) -> tuple[int, int, int]:
    """The median colour along the edges."""
    width, height = picture.size
    strips = [(0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height)]
    edges = Image.fromarray(np.concatenate([np.asarray(picture.crop(strip)).reshape(1, -1, 3) for strip in strips], 1))
    return tuple(ImageStat.Stat(edges).median)
