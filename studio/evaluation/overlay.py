"""Lays a grid of scores over a picture, where the network saw it."""

import io

import numpy as np
from PIL import Image
from transformers import BaseImageProcessor

_SIDE = 480  # pixels, of the longer one
_ORANGE = (217, 101, 11)  # stands out from grey for every kind of eye
_STRONGEST = 0.75  # of the orange; the picture stays to be seen below it
_UNSEEN = 0.45  # of the light that is left where the network did not look
_PROBE = 512  # pixels


def draw(photo: Image.Image, grid: np.ndarray, seen: tuple[float, float, float, float]) -> tuple[bytes, bytes]:
    """The picture (JPEG), and the same in grey with the grid (rows, columns) over it in orange (PNG), of one size.

    `seen` is where the grid lies: left, top, right, bottom as shares of the picture.
    """
    scale = _SIDE / max(photo.size)
    size = tuple(max(1, round(side * scale)) for side in photo.size)
    shown = photo.resize(size, Image.Resampling.NEAREST if scale > 2 else Image.Resampling.LANCZOS)
    left, top, right, bottom = (round(share * side) for share, side in zip(seen, (*size, *size), strict=True))
    heat = Image.fromarray(grid.astype(np.float32)).resize(
        (max(1, right - left), max(1, bottom - top)), Image.Resampling.BICUBIC
    )
    strength, light = Image.new("F", size), Image.new("F", size, _UNSEEN)
    strength.paste(heat, (left, top))
    light.paste(1.0, (left, top, right, bottom))
    share = np.clip(np.asarray(strength), 0, 1)[:, :, None] * _STRONGEST
    grey = np.asarray(shown.convert("L"), np.float32) * np.asarray(light)
    mixed = grey[:, :, None] * (1 - share) + np.array(_ORANGE) * share
    return _file(shown, "JPEG"), _file(Image.fromarray(mixed.round().astype(np.uint8)), "PNG")


def seen(processor: BaseImageProcessor, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """What of a picture of `size` (width, height) reaches the network: left, top, right, bottom as shares of it.

    Found by what the processor makes of a picture that grows lighter along each side: it may squeeze, crop or pad.
    """
    scale = _PROBE / max(size)
    width, height = (max(1, round(side * scale)) for side in size)
    black, white = (_processed(processor, np.full((height, width), level)) for level in (0, 255))
    found = []
    for axis, side in ((1, width), (0, height)):
        place = (np.arange(side) + 0.5) / side
        light = _processed(processor, np.broadcast_to(place if axis else place[:, None], (height, width)) * 255)
        count = light.shape[axis]
        inner = np.arange(count // 4, count - count // 4)  # what is added round a picture is black and white alike
        told = (light - black).sum(1 - axis)[inner] / (white - black).sum(1 - axis)[inner]
        slope, start = np.polyfit((inner + 0.5) / count, told, 1)
        found.append((start, start + slope))
    (left, right), (top, bottom) = found
    return tuple(round(float(share), 2) for share in (left, top, right, bottom))


def _processed(processor: BaseImageProcessor, grey: np.ndarray) -> np.ndarray:
    """(height, width): the first channel of what the processor makes of grey values from 0 to 255."""
    picture = Image.fromarray(np.rint(grey).astype(np.uint8)).convert("RGB")
    return processor(images=[picture], return_tensors="pt")["pixel_values"][0, 0].double().numpy()


def _file(picture: Image.Image, kind: str) -> bytes:
    content = io.BytesIO()
    picture.save(content, kind)
    return content.getvalue()
