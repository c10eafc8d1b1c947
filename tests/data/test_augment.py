"""Variations of training pictures follow from seed, epoch and row id, and stay what they promise to be."""

import random

import numpy as np
import pytest
import torch
from PIL import Image

from studio.config import ImageAugmentation
from studio.data.augment import PRESETS, Variation, chosen, vary

ACROSS, DOWN = np.meshgrid(np.arange(100), np.arange(80))
MAP = Image.fromarray(np.stack([ACROSS, DOWN, 0 * DOWN], axis=-1).astype(np.uint8))  # a pixel's colour is its place


WAYS = {f"{strength}, {'photos' if mirror else 'signs'}": one for (strength, mirror), one in PRESETS.items()}
WAYS |= {f"policy {name}": Variation(policy=name) for name in ("randaugment", "imagenet", "svhn")}
WAYS["erasing"] = Variation(erasing=1.0)


def box(part: Image.Image) -> tuple[int, int, int, int]:
    """left, top, right, bottom of the part of MAP; right is below left when it is mirrored."""
    (left, top, _), (right, bottom, _) = part.getpixel((0, 0)), part.getpixel((part.width - 1, part.height - 1))
    return left, top, right, bottom


def draws(variation: Variation, count: int = 300) -> list[tuple[int, int, int, int]]:
    return [box(vary(MAP, variation, 1, 0, f"row{i}")) for i in range(count)]


@pytest.mark.parametrize("name", WAYS)
def test_the_same_seed_epoch_and_row_give_the_same_picture(name):
    first = vary(MAP, WAYS[name], 1, 2, "row")
    for other in range(5):
        vary(MAP, WAYS[name], 1, 2, str(other))
    assert vary(MAP, WAYS[name], 1, 2, "row") == first


@pytest.mark.parametrize("name", WAYS)
def test_another_seed_epoch_or_row_gives_another_picture(name):
    triples = [(seed, epoch, row) for seed in (1, 12) for epoch in (1, 2, 21) for row in ("a", "1a")]
    seen = {vary(MAP, WAYS[name], *triple).tobytes() for triple in triples}
    assert len(seen) >= len(triples) - (4 if "policy" in name else 0)  # which may draw the same change twice


@pytest.mark.parametrize("name", WAYS)
def test_no_other_random_numbers_are_touched(name):
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    draws(WAYS[name], 5)
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


@pytest.mark.parametrize(("variation", "least"), [(PRESETS["light", False], 0.8), (PRESETS["medium", True], 0.35)])
def test_the_promised_share_of_the_picture_stays(variation, least):
    shares = [(abs(right - left) + 1) * (bottom - top + 1) / 8000 for left, top, right, bottom in draws(variation)]
    assert least - 0.03 < min(shares) < least + 0.05 and max(shares) > 0.95


def test_parts_come_from_everywhere_in_the_picture():
    corners = np.array(
        [
            (min(left, right), top, max(left, right), bottom)
            for left, top, right, bottom in draws(PRESETS["light", False])
        ]
    )
    assert (corners.min(axis=0)[:2] == 0).all() and (corners.max(axis=0)[2:] == (99, 79)).all()


@pytest.mark.parametrize(("strength", "mirror"), PRESETS)
def test_what_must_not_be_mirrored_never_is_and_photos_are_half_the_time(strength, mirror):
    slope = Image.fromarray(np.tile(np.linspace(0, 255, 60, dtype=np.uint8)[None, :, None], (60, 1, 3)))
    seen = [np.asarray(vary(slope, PRESETS[strength, mirror], 1, 0, str(row)), float) for row in range(100)]
    mirrored = np.mean([part[:, : part.shape[1] // 2].mean() > part[:, part.shape[1] // 2 :].mean() for part in seen])
    assert (0.35 < mirrored < 0.65) if mirror else mirrored == 0


def test_a_turned_and_shifted_picture_stays_in_its_frame_on_the_colour_of_its_edges():
    sign = Image.new("RGB", (60, 40), "white")
    sign.paste("black", (20, 12, 40, 28))
    moved = Variation(turn=20, shift=0.1, zoom=1.1)
    for row in range(30):
        seen = vary(sign, moved, 1, 0, str(row))
        pixels = np.asarray(seen)[..., 0]
        edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        assert seen.size == sign.size and edges.min() > 200  # white came in from outside
        assert 320 / 1.1**2 - 40 < (pixels < 128).sum() < 320 * 1.1**2 + 40


def test_erasing_writes_noise_into_the_promised_share_of_the_pictures_and_of_each():
    blank = Image.new("RGB", (50, 50), "white")
    seen = [np.asarray(vary(blank, Variation(erasing=0.5), 1, 0, str(row))) for row in range(200)]
    lost = np.array([(pixels != 255).any(axis=-1).mean() for pixels in seen])
    assert 0.4 < (lost > 0).mean() < 0.6
    assert lost[lost > 0].min() > 0.01 and lost.max() < 0.35 and lost.max() > 0.25


def test_by_the_defaults_nothing_is_varied():
    assert chosen(ImageAugmentation()) is None and chosen(ImageAugmentation(mirror=True)) is None


def test_photos_and_signs_have_lists_of_their_own_in_autoaugment():
    lists = [chosen(ImageAugmentation(augmentation_policy="autoaugment", mirror=m)).policy for m in (True, False)]
    assert lists == ["imagenet", "svhn"]


@pytest.mark.parametrize("name", WAYS)
def test_the_smallest_pictures_can_be_varied(name):
    for row in range(20):
        part = vary(Image.new("RGB", (4, 4)), WAYS[name], 1, 1, str(row))
        assert min(part.size) >= 1 and max(part.size) <= 4 and part.mode == "RGB"
