"""From strokes on the sketchpad to a picture that a model knows."""

import io
from typing import Any

from PIL import Image, ImageOps

CANVAS = 280  # pixels each way
_DIGIT, _FRAME = 20, 28  # pixels: MNIST's digits fill a box of 20, which stands in the middle of 28 (LeCun et al. 1998)
_PAPER = 250  # and lighter is no ink


def drawn(sketch: dict[str, Any] | None, white_on_black: bool) -> bytes | None:
    """The drawing as a png, None where there is none; `white_on_black` makes it as MNIST's digits were made."""
    composite = sketch and sketch["composite"]  # None until the first stroke
    if composite is None:
        return None
    grey = composite.convert("L")
    box = grey.point(lambda value: 255 if value < _PAPER else 0).getbbox()
    if box is None:
        return None
    content = io.BytesIO()
    (_like_mnist(grey.crop(box)) if white_on_black else grey.convert("RGB")).save(content, "PNG")
    return content.getvalue()


def _like_mnist(ink: Image.Image) -> Image.Image:
    scale = _DIGIT / max(ink.size)
    size = [max(1, round(side * scale)) for side in ink.size]
    digit = ImageOps.invert(ink).resize(size, Image.Resampling.BOX)
    frame = Image.new("L", (_FRAME, _FRAME))
    frame.paste(digit, ((_FRAME - size[0]) // 2, (_FRAME - size[1]) // 2))
    return frame
