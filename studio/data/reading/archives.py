"""Unpacks zip and gzip files into the cache, whatever they claim about themselves."""

import gzip
import hashlib
import lzma
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from studio.data.reading.rows import cache_folder, full_disk_told
from studio.errors import RequestError

_COUNT_LIMIT = 1_000_000  # files
_DEPTH_LIMIT = 20  # folders
_FREE_BYTES = 100_000_000  # may come out of any archive
_RATIO_LIMIT = 100  # bytes out for a byte in, beyond that
_CHUNK_BYTES = 1 << 20


def unzipped(path: Path) -> Path:
    """The folder that holds the files of a zip; unpacked once for each content.

    Raises:
        RequestError: no zip, a damaged or locked one, a name that leads outside, a link or device, too many
            files, too deep folders, or more bytes than an archive of this size should hold.
    """
    folder = cache_folder() / f"{_fingerprint(path)}.unzipped"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=cache_folder()) as unfinished:
            target = Path(unfinished) / "files"
            target.mkdir()
            try:
                with zipfile.ZipFile(path) as archive:
                    _extract(archive, path, target)
            except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, OSError) as fault:
                raise RequestError(f"{path} is no zip that can be unpacked: {fault}") from fault
            _settle(target, folder)
    return folder


def gunzipped(path: Path) -> Path:
    """The file that a .gz holds; unpacked once for each content.

    Raises:
        RequestError: no gzip, a damaged one, or more bytes than a file of this size should hold.
    """
    file = cache_folder() / f"{_fingerprint(path)}{Path(path.stem).suffix}"
    if not file.exists():
        with tempfile.TemporaryDirectory(dir=cache_folder()) as unfinished:
            target = Path(unfinished) / "file"
            try:
                with gzip.open(path) as source:
                    _copy(source, target, path, size_limit(path))
            except (zlib.error, EOFError, OSError) as fault:
                raise RequestError(f"{path} is no gzip file that can be unpacked: {fault}") from fault
            _settle(target, file)
    return file


def size_limit(path: Path) -> int:
    """Bytes that may come out of an archive."""
    return _FREE_BYTES + _RATIO_LIMIT * path.stat().st_size


def bomb(path: Path) -> RequestError:
    """What to say when more comes out."""
    return RequestError(
        f"{path} grows to more than {_RATIO_LIMIT} times its size when unpacked, as bombs do: "
        "unpack it by hand if you trust it, and name what comes out"
    )


def _extract(archive: zipfile.ZipFile, path: Path, target: Path) -> None:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > _COUNT_LIMIT:
        raise RequestError(f"{path} holds {len(entries):,} files, more than the {_COUNT_LIMIT:,} accepted")
    for entry in entries:
        _check(entry, path)
    left = size_limit(path)
    for entry in entries:
        place = target / entry.filename
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source:
                left -= _copy(source, place, path, left)
        except (FileExistsError, NotADirectoryError) as fault:
            raise RequestError(
                f"{path} holds {entry.filename!r} twice, or a file and a folder of one name there: pack the data afresh"
            ) from fault


def _check(entry: zipfile.ZipInfo, path: Path) -> None:
    name = PurePosixPath(entry.filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if not name.parts or name.is_absolute() or ".." in name.parts or "\\" in entry.filename or ":" in name.parts[0]:
        fault = "leads outside the archive's folder"
    elif kind not in (0, stat.S_IFREG):
        fault = "is a link or a device"
    elif len(name.parts) > _DEPTH_LIMIT:
        fault = f"stands more than {_DEPTH_LIMIT} folders deep"
    elif entry.flag_bits & 1:
        fault = "is locked with a password"
    else:
        return
    raise RequestError(f"{path} was not unpacked, because its entry {entry.filename!r} {fault}: pack the data afresh")


def _copy(source: IO[bytes], target: Path, path: Path, limit: int) -> int:
    """Bytes written, counted as they are written: sizes that an archive declares may be lies."""
    written = 0
    with full_disk_told(), target.open("xb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            written += len(chunk)
            if written > limit:
                raise bomb(path)
            file.write(chunk)
    return written


def _settle(unfinished: Path, place: Path) -> None:
    """Another process may have been faster; what it unpacked is the same."""
    try:
        unfinished.rename(place)
    except OSError:
        if not place.exists():
            raise


def _fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
