"""Makes hostile files of every kind that the studio reads; the tests and `make hostile` open them."""

import gzip
import io
import json
import stat
import struct
import zipfile
import zlib
from pathlib import Path

from PIL import Image


def archives(folder: Path) -> list[Path]:
    """Twelve zips that lead outside, are no plain files, or grow without end."""
    flood = bytes(1_000_000)
    entries = {
        "slip": [("../escaped.txt", b"x")],
        "nested slip": [("fine/../../escaped.txt", b"x")],
        "absolute": [(str(folder.absolute() / "escaped.txt"), b"x")],
        "drive": [("C:/escaped.txt", b"x")],
        "backslash": [("..\\escaped.txt", b"x")],
        "link": [(_special("link", stat.S_IFLNK), str(folder).encode())],
        "through a link": [(_special("way", stat.S_IFLNK), str(folder).encode()), ("way/escaped.txt", b"x")],
        "device": [(_special("zero", stat.S_IFCHR), b"")],
        "depth": [("/".join("d" * 500) + "/a.txt", b"x")],
        "bomb": [(f"{at}.csv", flood) for at in range(200)],
        "lying size": [("a.csv", flood)],
        "overlap": [("a.csv", flood)],
    }
    paths = []
    for name, content in entries.items():
        paths.append(folder / f"{name}.zip")
        with zipfile.ZipFile(paths[-1], "w", zipfile.ZIP_DEFLATED) as archive:
            for entry, data in [("train.csv", b"text,label\n"), *content]:
                archive.writestr(entry, data)
            if name == "lying size":
                archive.infolist()[1].file_size = 10
            if name == "overlap":
                archive.filelist.extend([archive.infolist()[1]] * 1000)  # one megabyte, a thousand times
    return paths


def pictures(folder: Path) -> list[Path]:
    """Fifteen picture files that would fill the memory, run a program, or never end."""
    frame = bytearray(_saved(Image.new("P", (20, 20)), "GIF"))
    start = frame.find(b",")
    frame[start + 5 : start + 9] = struct.pack("<HH", 60000, 60000)
    canvas = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + (16382).to_bytes(3, "little") * 2
    small = _saved(Image.new("RGB", (8, 8)), "PNG")
    scan = bytearray(_saved(Image.new("RGB", (20, 20)), "JPEG"))
    size = scan.find(b"\xff\xc0") + 5
    scan[size : size + 4] = struct.pack(">HH", 65500, 65500)
    laughs = "".join(f'<!ENTITY l{at} "' + f"&l{at - 1};" * 10 + '">' for at in range(1, 10))
    contents = {
        "lying.png": _png((60000, 60000)),
        "flat.png": _saved(Image.new("1", (9000, 9000)), "PNG"),
        "colours.png": _saved(Image.new("RGB", (9000, 9000)), "PNG"),
        "fax.tiff": _saved(Image.new("1", (9000, 9000)), "TIFF", compression="group4"),
        "strips.tiff": _saved(Image.new("L", (9000, 9000)), "TIFF", compression="tiff_deflate"),
        "map.ppm": b"P6 60000 60000 255\n",
        "frame.gif": bytes(frame),
        "screen.bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 9000, 9000, 1, 24, *[0] * 6),
        "scan.jpg": bytes(scan),
        "canvas.webp": b"RIFF" + struct.pack("<I", len(canvas)) + canvas,
        "tape.png": _png((1_000_000, 5)),
        "profile.png": small[:33] + _chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(200_000_000), 9)) + small[33:],
        "words.png": small[:33] + _chunk(b"zTXt", b"t\0\0" + zlib.compress(bytes(200_000_000), 9)) + small[33:],
        "program.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n{} loop\n",
        "laughs.png": f'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY l0 "ha">{laughs}]><svg>&l9;</svg>'.encode(),
    }
    return [_written(folder / name, content) for name, content in contents.items()]


def tables(folder: Path) -> list[Path]:
    """Ten tables with too much of something."""
    rows = "text,label\n" + "".join(f"text {at},{at % 2}\n" for at in range(10))
    row = '{"text": "a", "label": "b"}\n'
    contents = {
        "columns.csv": ",".join(map(str, range(200_000))) + "\n",
        "cell.csv": f"{rows}{'x' * 2_000_000},1\n",
        "quote.csv": rows + '"' + "x, y, z\n" * 300_000,
        "line.csv": rows + "x" * 20_000_000,
        "ragged.csv": rows + "a,b,c,d\n" * 100_000,
        "nested.json": "[" * 200_000,
        "object.json": '[{"text": "' + "x" * 20_000_000,
        "digits.jsonl": row + '{"text": "a", "label": ' + "9" * 100_000 + "}\n",
        "keys.jsonl": row + json.dumps({f"k{at}": at for at in range(200_000)}),
        "bomb.csv.gz": gzip.compress(b"text,label\n" + b"aaaa,b\n" * 30_000_000, 9),
    }
    return [
        _written(folder / name, content if isinstance(content, bytes) else content.encode())
        for name, content in contents.items()
    ]


def settings(folder: Path, canary: Path) -> list[Path]:
    """Thirteen YAML files that would make the canary, fill the memory, or never end."""
    touch = f'["touch {canary}"]'
    contents = {
        "apply": f"a: !!python/object/apply:os.system {touch}\n",
        "new": f"a: !!python/object/new:os.system {touch}\n",
        "key": f"? !!python/object/apply:os.system {touch}\n: 1\n",
        "name": "a: !!python/name:os.system\n",
        "module": "a: !!python/module:os\n",
        "tag directive": f"%TAG ! tag:yaml.org,2002:python/object/apply:\n---\na: !os.system {touch}\n",
        "laughs": "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)),
        "merge": "a: &a {b: 1}\nc:\n  <<: *a\n",
        "itself": "a: &a [*a]\n",
        "depth": "a: " + "[" * 40_000 + "\n",
        "crowd": "a: 1\n" * 19_000,
        "indent": "".join(f"{' ' * at}a:\n" for at in range(250)),
        "size": "a: " + "x" * 20_000_000 + "\n",
    }
    return [_written(folder / f"{name}.yaml", content.encode()) for name, content in contents.items()]


def _special(name: str, kind: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (kind | 0o777) << 16
    return entry


def _png(size: tuple[int, int]) -> bytes:
    """A header that claims a size, and no pixels."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + _chunk(b"IDAT", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _saved(picture: Image.Image, format: str, **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format, **options)
    return stream.getvalue()


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
