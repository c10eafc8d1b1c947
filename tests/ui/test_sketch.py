"""Drawings reach a model as the pictures that it was trained on looked."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from studio.ui.tryout.sketch import CANVAS, drawn


def paper(*box: int) -> dict[str, Image.Image]:
    """What the sketchpad gives for a black box (left, top, right, bottom) on its white paper."""
    sheet = Image.new("RGBA", (CANVAS, CANVAS), "white")
    if box:
        ImageDraw.Draw(sheet).rectangle(box, fill="black")
    return {"composite": sheet}


@pytest.mark.parametrize("sketch", [None, {"composite": None}, paper()])
def test_a_blank_sheet_is_no_drawing(sketch):
    assert drawn(sketch, True) is None is drawn(sketch, False)


@pytest.mark.parametrize("box", [(10, 10, 29, 59), (100, 80, 179, 279)])
def test_a_digit_becomes_white_fills_twenty_pixels_and_stands_in_the_middle(box):
    pixels = np.asarray(Image.open(io.BytesIO(drawn(paper(*box), True))))
    rows, columns = np.nonzero(pixels > 128)
    assert pixels.shape == (28, 28)
    assert (rows.min(), rows.max()) == (4, 23)
    assert (columns.min(), columns.max()) == (10, 17)  # two fifths as wide as high


def test_any_other_drawing_stays_as_it_was_drawn():
    picture = Image.open(io.BytesIO(drawn(paper(10, 10, 29, 59), False)))
    assert picture.size == (CANVAS, CANVAS)
    assert picture.getpixel((15, 15)) == (0, 0, 0) and picture.getpixel((200, 200)) == (255, 255, 255)
