"""Variations of training pictures follow from seed, epoch and row id, and stay what they promise to be."""

import random

import numpy as np
import pytest
import torch
from PIL import Image

from studio.data.augment import VARIATIONS, vary

ACROSS, DOWN = np.meshgrid(np.arange(100), np.arange(80))
MAP = Image.fromarray(np.stack([ACROSS, DOWN, 0 * DOWN], axis=-1).astype(np.uint8))  # a pixel's colour is its place


def box(part: Image.Image) -> tuple[int, int, int, int]:
    """left, top, right, bottom of the part of MAP; right is below left when it is mirrored."""
    (left, top, _), (right, bottom, _) = part.getpixel((0, 0)), part.getpixel((part.width - 1, part.height - 1))
    return left, top, right, bottom


def draws(name: str, count: int = 300) -> list[tuple[int, int, int, int]]:
    return [box(vary(MAP, VARIATIONS[name], 1, 0, f"row{i}")) for i in range(count)]


def test_the_same_seed_epoch_and_row_give_the_same_part():
    first = vary(MAP, VARIATIONS["crop_and_flip"], 1, 2, "row")
    for other in range(20):
        vary(MAP, VARIATIONS["crop_and_flip"], 1, 2, str(other))
    assert vary(MAP, VARIATIONS["crop_and_flip"], 1, 2, "row") == first


def test_another_seed_epoch_or_row_gives_another_part():
    triples = [(seed, epoch, row) for seed in (1, 12) for epoch in (1, 2, 21) for row in ("a", "1a")]
    assert len({vary(MAP, VARIATIONS["crop_and_flip"], *triple).tobytes() for triple in triples}) == len(triples)


def test_no_other_random_numbers_are_touched():
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    draws("crop_and_flip", 5)
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


@pytest.mark.parametrize(("name", "least"), [("crop", 0.8), ("crop_and_flip", 0.35)])
def test_the_promised_share_of_the_picture_stays(name, least):
    shares = [(abs(right - left) + 1) * (bottom - top + 1) / 8000 for left, top, right, bottom in draws(name)]
    assert least - 0.03 < min(shares) < least + 0.05 and max(shares) > 0.95


def test_parts_come_from_everywhere_in_the_picture():
    corners = np.array(
        [(min(left, right), top, max(left, right), bottom) for left, top, right, bottom in draws("crop")]
    )
    assert (corners.min(axis=0)[:2] == 0).all() and (corners.max(axis=0)[2:] == (99, 79)).all()


def test_digits_are_never_mirrored_and_photos_half_the_time():
    assert not any(right < left for left, _, right, _ in draws("crop"))
    assert 0.4 < np.mean([right < left for left, _, right, _ in draws("crop_and_flip")]) < 0.6


def test_the_smallest_pictures_can_be_varied():
    for row in range(50):
        part = vary(Image.new("RGB", (4, 4)), VARIATIONS["crop_and_flip"], 1, 1, str(row))
        assert min(part.size) >= 1 and max(part.size) <= 4
