"""Picture files and their labels: by the folder they stand in, or by a table that names them."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from unicodedata import normalize

from studio.data.reading.columns import PICTURE_SUFFIXES
from studio.data.reading.folders import hidden, visible
from studio.data.reading.rows import Picture, Row
from studio.errors import RequestError


def by_folder(folder: Path) -> Iterator[Row]:
    """Picture files and the names of the folders below `folder` in which they stand, however deep."""
    for inner in visible(folder.absolute()):
        if inner.is_dir():
            for file in _pictures(inner):
                yield Row(file, inner.name)


def passed_over(folder: Path) -> list[str]:
    """Notes on class folders without pictures, and on files in them that are no pictures by name."""
    notes = []
    for inner in filter(Path.is_dir, visible(folder)):
        count = Counter(map(_is_picture, _files(inner)))
        if count[False]:
            example = next(file.name for file in _files(inner) if not _is_picture(file))
            notes.append(f"{count[False]:,} files in {inner} are no pictures by name, such as {example}")
        if not count[True]:
            notes.append(f"{inner} holds no pictures: there is no class of that name")
    return notes


class Finder:
    """Finds pictures as the cells of a table give them: bytes, or the name of a file below a folder.

    A name counts as it stands, else without regard to case, else by its last part, with or without ending.
    """

    def __init__(self, folder: Path):
        self._folder = folder.absolute()

    def find(self, cell: Any) -> Picture | None:
        """None where there is no such file."""
        if isinstance(cell, dict):  # as `datasets` writes pictures
            cell = cell.get("bytes") or cell.get("path")
        if isinstance(cell, bytes):
            return cell
        return self._file(str(cell or ""))

    def _file(self, name: str) -> Path | None:
        parts = PurePosixPath(name.strip().replace("\\", "/")).parts
        if not parts:
            return None
        exact = self._folder.joinpath(*parts)
        if ".." not in parts and exact.is_relative_to(self._folder) and os.path.isfile(exact):
            return exact
        return self._index.get(_folded("/".join(parts))) or self._index.get(_folded(parts[-1]))

    @cached_property
    def _index(self) -> dict[str, Path | None]:
        """Files by path, by name, and by name without ending; None for names that several files share."""
        index: dict[str, Path | None] = {}
        for file in _pictures(self._folder):
            keys = {str(file.relative_to(self._folder)), file.name, file.stem}
            for key in map(_folded, keys):
                index[key] = None if key in index else file
        return index


def stamp(rows: Iterable[Row]) -> str:
    """Stands for picture files, labels and groups: changes when one of them does."""
    digest = hashlib.blake2b(digest_size=16)
    for picture, *words in rows:
        digest.update(picture if isinstance(picture, bytes) else _state(picture))
        digest.update(f"\n{words!r}\n".encode("utf-8", "replace"))
    return digest.hexdigest()


def _pictures(folder: Path) -> Iterator[Path]:
    return filter(_is_picture, _files(folder))


def _is_picture(file: Path) -> bool:
    return file.name.lower().endswith(PICTURE_SUFFIXES)


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder in the order of their paths, but for those that systems leave there.

    Raises:
        RequestError: a name that is no Unicode text.
    """
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not hidden(name))
        for name in sorted(names):
            path = os.path.join(root, name)
            try:
                path.encode()
            except UnicodeEncodeError as fault:
                raise RequestError(f"the name of a file is no Unicode text: {path!r}; rename it") from fault
            if not hidden(name):
                yield Path(path)


def _folded(name: str) -> str:
    return normalize("NFC", name).casefold()


def _state(file: Path | None) -> bytes:
    if file is None:
        return b"missing"
    try:
        status = file.stat()
    except OSError as fault:
        raise RequestError(f"{file} cannot be read: {fault.strerror}") from fault
    return f"{file} {status.st_size} {status.st_mtime_ns}".encode()
