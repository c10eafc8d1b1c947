"""Mix the pictures of a batch in pairs, and their labels with them: mixup and CutMix."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from studio.config import ImageAugmentation


@dataclass(frozen=True)
class Mixing:
    """How batches are mixed: by mixup or by CutMix, by turns where both have an alpha above 0."""

    mixup_alpha: float
    cutmix_alpha: float
    classes: int
    seed: int

    def __call__(self, batch: Mapping[str, torch.Tensor], *place: int) -> dict[str, torch.Tensor]:
        """The batch with mixed pixel_values and, for labels, the share of each class: (batch, classes).

        All is drawn from the seed and the `place` of the batch (step, process, number within the step), so that a
        resumed run mixes alike.
        """
        chance = np.random.default_rng([self.seed, *place])
        ways = [way for way in ((mixup, self.mixup_alpha), (cutmix, self.cutmix_alpha)) if way[1]]
        way, alpha = ways[chance.integers(len(ways))]
        pixels, labels = batch["pixel_values"], batch["labels"]
        others = torch.from_numpy(chance.permutation(len(pixels))).to(pixels.device)
        middle = tuple(chance.random(2))
        mixed, share = way(pixels, pixels[others], float(chance.beta(alpha, alpha)), middle)
        targets = labels.float() if labels.ndim == 2 else functional.one_hot(labels, self.classes).float()
        return {**batch, "pixel_values": mixed, "labels": targets.lerp(targets[others], 1 - share)}


def mixing(settings: ImageAugmentation, classes: int, seed: int) -> Mixing | None:
    """The mixing that settings ask for, if they do."""
    if not settings.mixup_alpha and not settings.cutmix_alpha:
        return None
    return Mixing(settings.mixup_alpha, settings.cutmix_alpha, classes, seed)


def mixup(
    pixels: torch.Tensor, others: torch.Tensor, share: float, middle: tuple[float, float]
) -> tuple[torch.Tensor, float]:
    """Pictures (batch, 3, height, width) of which `share` is their own, laid over others; and that share.

    Zhang et al. 2017, https://arxiv.org/abs/1710.09412
    """
    return pixels.lerp(others, 1 - share), share


def cutmix(
    pixels: torch.Tensor, others: torch.Tensor, share: float, middle: tuple[float, float]
) -> tuple[torch.Tensor, float]:
    """Pictures (batch, 3, height, width) with a box about the `middle` (down, right; as shares) from others.

    The box is cut off at the edges; the share that comes back is what is left of the picture itself.
    Yun et al. 2019, https://arxiv.org/abs/1905.04899
    """
    sides = np.array(pixels.shape[-2:])
    half = np.sqrt(1 - share) * sides / 2
    centre = np.array(middle) * sides
    top, left = np.rint((centre - half).clip(0, sides)).astype(int)
    bottom, right = np.rint((centre + half).clip(0, sides)).astype(int)
    mixed = pixels.clone()
    mixed[..., top:bottom, left:right] = others[..., top:bottom, left:right]
    return mixed, float(1 - (bottom - top) * (right - left) / sides.prod())
