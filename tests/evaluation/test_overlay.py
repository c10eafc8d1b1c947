"""The layer over a picture lies where the network saw it."""

import io

import numpy as np
import pytest
from PIL import Image
from transformers import BitImageProcessor, TimmWrapperImageProcessor, ViTImageProcessor

from studio.evaluation.overlay import draw, seen

SQUEEZES = ViTImageProcessor(size={"height": 16, "width": 16})
CROPS = BitImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
_TIMM = {"input_size": [3, 32, 32], "mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "crop_pct": 0.5}


@pytest.mark.parametrize(
    ("processor", "size", "expected"),
    [
        (SQUEEZES, (300, 100), (0, 0, 1, 1)),
        (SQUEEZES, (20, 33), (0, 0, 1, 1)),
        (CROPS, (200, 100), (0.25, 0, 0.75, 1)),
        (CROPS, (600, 1200), (0, 0.25, 1, 0.75)),
        (TimmWrapperImageProcessor(_TIMM, "resnet10t"), (500, 500), (0.25, 0.25, 0.75, 0.75)),
    ],
)
def test_what_the_network_sees_of_a_picture_is_found(processor, size, expected):
    assert seen(processor, size) == pytest.approx(expected, abs=0.015)


def opened(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def test_the_strongest_part_is_orange_and_the_unseen_is_dark():
    photo = Image.new("RGB", (400, 200), (10, 200, 10))
    grid = np.zeros((4, 4))
    grid[0, 3] = 1.0
    picture, overlay = map(opened, draw(photo, grid, (0.25, 0.0, 0.75, 1.0)))
    assert picture.shape == overlay.shape == (240, 480, 3)
    assert abs(picture[:, :, 1] - 200).max() < 12
    red, _, blue = overlay[20, 345]  # in the upper right corner of the middle half
    assert red - blue > 80
    grey = overlay[200, 240]
    assert np.ptp(grey) == 0 and overlay[100, 20, 0] < 0.6 * grey[0]


def test_small_drawings_are_shown_large_and_long_ones_whole():
    for size, expected in (((28, 28), (480, 480)), ((4000, 100), (480, 12)), ((4, 400), (5, 480))):
        picture, overlay = map(opened, draw(Image.new("L", size).convert("RGB"), np.ones((2, 2)), (0, 0, 1, 1)))
        assert picture.shape == overlay.shape == (expected[1], expected[0], 3)
