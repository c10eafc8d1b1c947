"""Which characters the bytes of a text file stand for."""

import codecs
import gzip
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from string import ascii_letters
from typing import IO

from studio.data.reading import archives
from studio.errors import RequestError

_BOMS = {  # UTF-32 first: its little-endian mark begins like that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_ACCENTED = bytes(range(0xC0, 0x100))  # in Windows-1252
_MEANINGLESS = bytes([0x81, 0x8D, 0x8F, 0x90, 0x9D])  # there too
_CHUNK_BYTES = 1 << 20


def find(path: Path) -> tuple[str, str | None]:
    """The encoding under which the whole file can be read, and a note when it had to be guessed.

    UTF-8, UTF-16 and UTF-32 are known from their byte order mark or their pattern; a file that is none of
    them is read as Windows-1252, which contains Latin-1, when it looks like Western European text.

    Raises:
        RequestError: the bytes are none of these (names the first that shows it, and its line), or a damaged .gz.
    """
    try:
        encoding = _unicode(path)
        fault = _first_fault(path, encoding)
    except (gzip.BadGzipFile, zlib.error, EOFError) as damage:
        raise RequestError(f"{path} is no gzip file that can be unpacked: {damage}") from damage
    if fault is None:
        return encoding, None
    told = f"line {fault.line}: byte {fault.offset} (0x{fault.value:02x}) is not {encoding.upper()}"
    if encoding == "utf-8" and _western(path):
        return (
            "cp1252",
            f"{told}; the file was read as Windows-1252 (Western European); save it as UTF-8 if characters look wrong",
        )
    raise RequestError(
        f"{path}, {told}, and the file does not look like Western European text either: save it as UTF-8 and try again"
    )


def open_text(path: Path, encoding: str) -> IO[str]:
    """The characters of a file, decompressed when its name ends in .gz, line ends as they are."""
    opener = gzip.open if _is_packed(path) else open
    return opener(path, "rt", encoding=encoding, newline="")


@dataclass(frozen=True)
class _Fault:
    """The first byte that an encoding cannot explain."""

    offset: int  # bytes before it
    value: int
    line: int  # counted from 1


def _unicode(path: Path) -> str:
    with _open(path) as file:
        head = file.read(4096)
    for mark, encoding in _BOMS.items():
        if head.startswith(mark):
            return encoding
    if head[1::2].count(0) > len(head) // 5:  # mostly ASCII characters, each with an empty upper byte
        return "utf-16-le"
    if head[::2].count(0) > len(head) // 5:
        return "utf-16-be"
    return "utf-8"


def _first_fault(path: Path, encoding: str) -> _Fault | None:
    decoder = codecs.getincrementaldecoder(encoding)()
    offset, line = 0, 1  # of the end of what has been read
    for chunk in chain(_chunks(path), [b""]):
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            begin = offset + len(chunk) - len(error.object)  # it may hold back a character of the chunk before
            return _Fault(
                begin + error.start,
                error.object[error.start],
                line + error.object[: error.start].count(b"\n"),
            )
        offset += len(chunk)
        line += chunk.count(b"\n")
    return None


def _western(path: Path) -> bool:
    """Accented letters among plain ones: neither damaged UTF-8 nor another alphabet."""
    whole = damaged = plain = accented = 0
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for chunk in _chunks(path):
        if len(chunk.translate(None, _MEANINGLESS)) < len(chunk):
            return False
        plain += len(chunk) - len(chunk.translate(None, ascii_letters.encode()))
        accented += len(chunk) - len(chunk.translate(None, _ACCENTED))
        unicode = decoder.decode(chunk)
        damaged += unicode.count("\ufffd")
        whole += len(unicode) - len(unicode.encode("ascii", "ignore")) - unicode.count("\ufffd")
    return damaged > whole and accented < plain / 4


def _chunks(path: Path) -> Iterator[bytes]:
    left = archives.size_limit(path) if _is_packed(path) else math.inf
    with _open(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise archives.bomb(path)
            yield chunk


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if _is_packed(path) else path.open("rb")


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"
