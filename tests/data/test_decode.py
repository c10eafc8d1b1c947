"""Any picture file becomes an upright RGB picture, or is refused with the reason."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from studio.data.decode import MAX_ASPECT, UnreadablePicture, decode

BOMBS = """
import io, resource, sys
from PIL import Image
from studio.data.decode import UnreadablePicture, decode

data = int(next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (data + 64 * 2**20,) * 2)
for name in sys.argv[1:]:
    try:
        decode(open(name, "rb").read())
    except UnreadablePicture as reason:
        print(reason)
"""


def photo(width=60, height=40) -> Image.Image:
    """A smooth picture of which no two sides or corners are alike."""
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return Image.fromarray((255 * np.stack([across, down, across * down], axis=-1)).astype(np.uint8))


def saved(picture: Image.Image, format: str, **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format, **options)
    return stream.getvalue()


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean over pixels and colours, of 255."""
    assert one.size == other.size
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


def png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_taken_with_the_camera_turned_is_upright(orientation):
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that undoes what decoding has to do
    stored = photo() if orientation == 1 else photo().transpose(Image.Transpose(turns[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = decode(saved(stored, "JPEG", quality=95, exif=exif))
    assert difference(upright, photo()) < 3


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM"])
def test_the_content_decides_and_not_the_extension(format, tmp_path):
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    misnamed = tmp_path / "picture.txt"
    misnamed.write_bytes(saved(photo(), format))
    picture = decode(misnamed)
    assert picture.mode == "RGB" and difference(picture, photo()) < 8


@pytest.mark.parametrize("format", ["ICO", "TGA", "EPS", "PDF"])
def test_formats_off_the_list_are_refused(format):
    with pytest.raises(UnreadablePicture, match="none of JPEG, PNG"):
        decode(saved(photo(), format))


def test_ordinary_pictures_are_what_pipeline_sees(tmp_path):
    from transformers.image_utils import load_image

    exif = Image.Exif()
    exif[0x0112] = 6
    for name, content in {
        "photo.jpg": saved(photo(), "JPEG", exif=exif),
        "grey.jpg": saved(photo().convert("L"), "JPEG"),
        "print.jpg": saved(photo().convert("CMYK"), "JPEG"),
        "drawing.png": saved(photo().convert("P"), "PNG"),
        "moving.gif": saved(photo(), "GIF", save_all=True, append_images=[photo().rotate(180)]),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert difference(decode(tmp_path / name), load_image(str(tmp_path / name))) == 0, name


def test_a_row_is_read_from_its_bytes_or_else_its_path(tmp_path):
    (tmp_path / "red.png").write_bytes(saved(Image.new("RGB", (8, 8), "red"), "PNG"))
    blue = saved(Image.new("RGB", (8, 8), "blue"), "PNG")
    path = str(tmp_path / "red.png")
    assert decode({"bytes": None, "path": path}).getpixel((0, 0)) == (255, 0, 0)
    assert decode({"bytes": blue, "path": path}).getpixel((0, 0)) == (0, 0, 255)
    assert decode(blue).getpixel((0, 0)) == (0, 0, 255)


def test_ink_colours_become_light_colours():
    red = decode(saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG")).getpixel((8, 8))
    assert red[0] > 240 and max(red[1:]) < 15


@pytest.mark.parametrize(
    ("values", "format", "expected"),
    [
        (np.linspace(0, 65535, 64, dtype=np.uint16), "PNG", np.linspace(0, 255, 64)),
        (np.linspace(0, 65535, 64, dtype=np.uint16), "TIFF", np.linspace(0, 255, 64)),
        (np.linspace(0, 4095, 64, dtype=np.uint16), "PNG", np.linspace(0, 255, 64)),  # a 12-bit sensor
        (np.linspace(0, 20000, 64, dtype=np.uint16), "PNG", np.linspace(0, 20000 / 257, 64)),  # a dark scene stays dark
        (np.linspace(0, 1, 64, dtype=np.float32), "TIFF", np.linspace(0, 255, 64)),
        (np.linspace(0, 1.02, 64, dtype=np.float32), "TIFF", np.linspace(0, 255, 64)),  # a little over is not 0 to 255
        (np.linspace(0, 255, 64, dtype=np.float32), "TIFF", np.linspace(0, 255, 64)),
        (np.linspace(-1, 1, 64, dtype=np.float32), "TIFF", np.linspace(0, 127.5 * 2, 64)),
        (np.linspace(0, 2**31 - 1, 64).astype(np.int32), "TIFF", np.linspace(0, 255, 64)),
        (np.zeros(64, np.uint16), "PNG", np.zeros(64)),
    ],
)
def test_deep_pictures_are_scaled_and_never_cut_off(values, format, expected):
    deep = Image.fromarray(np.tile(values, (8, 1)))
    seen = np.asarray(decode(saved(deep, format)), float)  # (8, 64, 3)
    assert np.abs(seen - expected[None, :, None]).max() <= 1


def test_missing_values_in_a_float_picture_are_black():
    values = np.full((8, 8), 0.5, np.float32)
    values[0, 0], values[0, 1], values[0, 2] = np.nan, np.inf, 1
    picture = decode(saved(Image.fromarray(values), "TIFF"))
    assert [picture.getpixel((i, 0))[0] for i in range(4)] == [0, 0, 255, 128]


def test_what_is_transparent_is_white():
    half_red = Image.new("RGBA", (8, 8), (255, 0, 0, 128))
    assert decode(saved(half_red, "PNG")).getpixel((4, 4)) == (255, 127, 127)
    assert decode(saved(half_red, "WEBP", lossless=True)).getpixel((4, 4)) == (255, 127, 127)
    assert decode(saved(Image.new("LA", (8, 8), (0, 0)), "PNG")).getpixel((4, 4)) == (255, 255, 255)

    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 255, 255, 0, 0])
    palette.putpixel((0, 0), 0)
    for hidden in (0, b"\x00\xff"):
        picture = decode(saved(palette, "PNG", transparency=hidden))
        assert picture.getpixel((0, 0)) == (255, 255, 255) and picture.getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "TIFF", "PNG"])
def test_the_first_frame_or_page_is_taken(format):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    first = decode(saved(frames[0], format, save_all=True, append_images=frames[1:])).getpixel((8, 8))
    assert first[0] > 240 and first[2] < 15


def test_a_large_jpeg_is_read_smaller_when_less_is_needed():
    large = photo(1600, 1200)
    content = saved(large, "JPEG", quality=95)
    assert decode(content).size == (1600, 1200)
    assert decode(content, towards=300).size == (400, 300)
    assert decode(content, towards=301).size == (800, 600)
    assert difference(decode(content, towards=300), large.resize((400, 300), Image.Resampling.BOX)) < 2
    assert decode(saved(large, "PNG"), towards=300).size == (1600, 1200)


def test_what_is_no_picture_is_named(tmp_path):
    heif = b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(200)
    for content, reason in [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html><body>404 not found</body></html>", "web page"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (heif, "HEIF"),
        (bytes(500), "damaged from its first bytes on"),
        (png_header(64, 64)[:20], "damaged"),
    ]:
        with pytest.raises(UnreadablePicture, match=reason):
            decode(content)
    with pytest.raises(UnreadablePicture, match="does not exist"):
        decode(tmp_path / "gone.jpg")
    with pytest.raises(UnreadablePicture, match="cannot be opened .*directory"):
        decode(tmp_path)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_file_cut_off_is_refused(format, share):
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    whole = saved(Image.effect_noise((64, 64), 50).convert("RGB"), format)
    with pytest.raises(UnreadablePicture), warnings.catch_warnings(action="ignore"):
        decode(whole[: int(len(whole) * share)], towards=8)


def test_sizes_that_no_photo_has_are_refused():
    with pytest.raises(UnreadablePicture, match="too small: 1 x 1"):
        decode(saved(Image.new("RGB", (1, 1)), "PNG"))
    with pytest.raises(UnreadablePicture, match="too narrow"):
        decode(saved(Image.new("RGB", (5 * MAX_ASPECT + 1, 5)), "PNG"))
    decode(saved(Image.new("RGB", (5 * MAX_ASPECT, 5)), "PNG"))


def test_pictures_that_would_fill_the_memory_are_refused_before_they_do(tmp_path, program):
    frame = bytearray(saved(Image.new("P", (20, 20)), "GIF"))
    start = frame.find(b",")
    frame[start + 5 : start + 9] = struct.pack("<HH", 60000, 60000)
    bombs = {
        "lying.png": png_header(60000, 60000) + b"\0\0\0\0IDAT",
        "flat.png": saved(Image.new("1", (9000, 9000)), "PNG"),
        "fax.tiff": saved(Image.new("1", (9000, 9000)), "TIFF", compression="group4"),
        "map.ppm": b"P6 60000 60000 255\n",
        "frame.gif": bytes(frame),
        "screen.bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 9000, 9000, 1, 24, *[0] * 6),
    }
    for name, content in bombs.items():
        (tmp_path / name).write_bytes(content)
    seen = program("-c", BOMBS, *sorted(tmp_path.iterdir()))
    assert seen.returncode == 0, seen.stderr
    reasons = seen.stdout.splitlines()
    assert len(reasons) == len(bombs) and all("million" in reason for reason in reasons), reasons


def test_damaged_files_are_never_worse_than_unreadable():
    """Files with single bytes changed: each is decoded or refused; nothing else is raised."""
    chance = np.random.default_rng(0)
    outcomes = set()
    for format in ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"]:
        whole = saved(photo(), format)
        for _ in range(60):
            content = bytearray(whole)
            for place in chance.integers(0, len(content), 3):
                content[place] = chance.integers(256)
            try:
                with warnings.catch_warnings(action="ignore"):
                    outcomes.add(decode(bytes(content)).mode)
            except UnreadablePicture:
                outcomes.add("refused")
    assert outcomes == {"RGB", "refused"}


def test_decoding_needs_no_torch(program):
    done = program("-c", "import sys, studio.data.decode, studio.data.augment\nassert 'torch' not in sys.modules")
    assert done.returncode == 0, done.stderr


def test_a_path_may_be_any_unicode_name(tmp_path):
    path: Path = tmp_path / "蜂 été 🐝.JPG"
    path.write_bytes(saved(photo(), "JPEG"))
    assert decode(path).size == (60, 40)
