"""Turn whatever a picture file holds into an upright 8-bit RGB picture, or say why it cannot be read."""

import io
import warnings
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# Formats that pictures are kept in. Pillow's other readers (EPS runs a program, PSD, FITS, ...) widen what a
# hostile file can reach and are of no use here.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM")

MAX_PIXELS = 8192 * 6144  # the 50-megapixel sensors of today's telephones; 192 MiB in Pillow's memory
MIN_SIDE = 4  # pixels; 1 x 1 is what web trackers use
MAX_ASPECT = 100  # a processor that scales the short side to 256 makes 256 x 25,600 of it, 26 MB in floats a channel
FULL_SCALES = (1, 2**8 - 1, 2**12 - 1, 2**16 - 1)  # masks and floats, bytes, medical and microscope sensors, 16 bits

# decode() draws the line lower than Pillow does, and says so in its own words
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class UnreadablePicture(ValueError):
    """The file is not a picture that can be used; the message is the reason, a clause that follows its name."""


def decode(picture: dict | bytes | Path, towards: int | None = None) -> Image.Image:
    """The picture as RGB, upright, transparency on white; of several frames or pages, the first.

    `picture` is the content, a path, or a row of a data set: {"bytes", "path"}. The content decides what it is, not
    the extension. `towards` is a side in pixels that is enough: a larger JPEG is read at a half, a quarter or an
    eighth of its size as long as both sides stay at least that long, which is up to four times faster.

    Raises:
        UnreadablePicture: empty, damaged, cut off, of another kind, or of a size that no photo has.
    """
    try:
        with _stream(picture) as stream, Image.open(stream, formats=FORMATS) as image:
            _refuse_odd_size(*image.size)
            if towards:
                image.draft(None, (towards, towards))
            ImageOps.exif_transpose(image, in_place=True)  # loads the pixels
            return _rgb(image)
    except UnreadablePicture:
        raise
    except UnidentifiedImageError:
        raise UnreadablePicture(_nature(picture)) from None
    except Image.DecompressionBombError:
        raise UnreadablePicture(f"claims far more than the {MAX_PIXELS / 1e6:.0f} million pixels allowed") from None
    except FileNotFoundError:
        raise UnreadablePicture("does not exist") from None
    except Exception as error:  # Pillow's readers raise whatever a damaged file makes them stumble over
        if isinstance(error, OSError) and error.errno:
            raise UnreadablePicture(f"cannot be opened ({error.strerror})") from error
        raise UnreadablePicture(f"is damaged ({str(error) or type(error).__name__})") from error


class Header(NamedTuple):
    """What a picture file states before its pixels are decoded; sides in pixels."""

    width: int
    height: int
    format: str
    mode: str  # Pillow's word: L, RGB, CMYK ...
    transparent: bool


def header(picture: dict | bytes | Path) -> Header:
    """What a picture file states, without decoding it.

    Raises:
        UnreadablePicture: the file states nothing of the kind.
    """
    try:
        with _stream(picture) as stream, Image.open(stream, formats=FORMATS) as image:
            return Header(*image.size, image.format, image.mode, image.has_transparency_data)
    except UnidentifiedImageError:
        raise UnreadablePicture(_nature(picture)) from None
    except Exception as error:
        raise UnreadablePicture(f"is damaged ({str(error) or type(error).__name__})") from error


def _stream(picture: dict | bytes | Path) -> AbstractContextManager[BinaryIO]:
    if isinstance(picture, dict):
        picture = picture["path"] if picture["bytes"] is None else picture["bytes"]
    return io.BytesIO(picture) if isinstance(picture, bytes) else open(picture, "rb")


def _refuse_odd_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UnreadablePicture(
            f"claims {width} x {height} pixels, more than the {MAX_PIXELS / 1e6:.0f} million allowed"
        )
    if min(width, height) < MIN_SIDE:
        raise UnreadablePicture(f"is too small: {width} x {height} pixels")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise UnreadablePicture(f"is too narrow: {width} x {height} pixels")


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image).convert("RGB")
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey values of 16 or 32 bits or floats as bytes.

    A file says how many bits a value has but not how many are in use: 12-bit sensors write 16-bit files. So the full
    scale is the usual one that the picture reaches at least an eighth of, or else its own maximum: never
    white for being cut off, never black for being divided by too much. Values below zero move the zero.
    """
    values = np.nan_to_num(np.array(image, dtype=np.float32), copy=False, posinf=0, neginf=0)
    values -= min(0.0, float(values.min()))
    top = float(values.max())
    full_scale = next((scale for scale in FULL_SCALES if scale / 8 <= top <= scale), top) or 1.0
    values *= 255 / full_scale
    return Image.fromarray(np.rint(values, out=values).astype(np.uint8))


def _nature(picture: dict | bytes | Path) -> str:
    """What a file that is no picture seems to be."""
    with _stream(picture) as stream:
        head = stream.read(1024)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "is empty"
    if b"<svg" in text:
        return "is an SVG drawing: save it as PNG"
    if text.startswith((b"<!doctype html", b"<html")):
        return "is a web page, not a picture"
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"):
        return "is an HEIF photo: save it as JPEG"
    return f"is damaged from its first bytes on, or none of {', '.join(FORMATS)}"
