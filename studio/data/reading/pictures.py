"""Picture files and their labels: by the folder they stand in, or by a table that names them."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from unicodedata import normalize

from studio.data.reading import formats
from studio.data.reading.columns import PICTURE_SUFFIXES
from studio.data.reading.entries import hidden, visible
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


def named_in(path: Path) -> bool:
    """Whether some column of a table holds pictures, or mostly names of pictures below the folder of the table."""
    try:
        head = formats.open_table(path, [], False).head()
    except RequestError:  # whatever it is
        return False
    finder = Finder(path.parent)
    return any(sum(map(finder.knows, cells)) > len(cells) / 2 for cells in zip(*head, strict=True))


class Finder:
    """Finds pictures as the cells of a table give them: bytes, or the name of a file below a folder.

    A name counts as it stands, else without regard to case, else by its last part, with or without ending, where
    that is the name of one file alone to which no other cell leads.
    """

    def __init__(self, folder: Path, cells: Callable[[], Iterable[Any]] = list):
        self._folder = folder.absolute()
        found = {name: file for name in _names(cells()) if not self._at(name) and (file := self._called(name))}
        cells_by_file = Counter(found.values())
        if found:
            cells_by_file.update({file for name in _names(cells()) if (file := self._at(name)) in cells_by_file})
        self._by_name = {name: file for name, file in found.items() if cells_by_file[file] == 1}
        self._contested = found.keys() - self._by_name.keys()

    def find(self, cell: Any) -> Picture | None:
        """None where there is no such file, or no telling which."""
        content = _content(cell)
        if isinstance(content, bytes):
            return content
        return self._at(content) or self._by_name.get(content)

    def knows(self, cell: Any) -> bool:
        """Whether there are pictures of that name."""
        content = _content(cell)
        return isinstance(cell, bytes | dict) or bool(self._at(content)) or _last(content) in self._index

    def fault(self, cell: Any) -> str:
        """Why a cell leads to no picture: a clause that follows a number of pictures."""
        name = _content(cell)
        if name in self._contested:
            return "have a name alone in common with a picture that another row means"
        if _last(name) in self._index:
            return f"have a name that several pictures below {self._folder} share"
        return f"are not below the folder {self._folder}" if name.strip() else "are not named"

    def note(self) -> list[str]:
        """How many names were found by their last part alone."""
        if not self._by_name:
            return []
        name, file = next(iter(self._by_name.items()))
        count = f"{len(self._by_name):,} names of pictures"
        return [f"{count} were found by their last part alone, such as {name!r} as {file.relative_to(self._folder)}"]

    def _at(self, name: str) -> Path | None:
        """The file whose path is as the name says, perhaps but for case."""
        parts = _parts(name)
        if not parts:
            return None
        exact = self._folder.joinpath(*parts)
        if ".." not in parts and exact.is_relative_to(self._folder) and os.path.isfile(exact):
            return exact
        file = self._index.get(_folded("/".join(parts)))
        return file if file and len(file.relative_to(self._folder).parts) == len(parts) else None

    def _called(self, name: str) -> Path | None:
        """The only file that is called like the last part of the name."""
        return self._index.get(_last(name))

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


def _names(cells: Iterable[Any]) -> Iterator[str]:
    """The cells that name files, up to the first that holds the picture itself."""
    for content in map(_content, cells):
        if isinstance(content, bytes):
            return
        yield content


def _content(cell: Any) -> str | bytes:
    if isinstance(cell, dict):  # as `datasets` writes pictures
        cell = cell.get("bytes") or cell.get("path")
    return cell if isinstance(cell, bytes) else str(cell or "")


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.strip().replace("\\", "/")).parts


def _last(name: str) -> str:
    return _folded((_parts(name) or ("",))[-1])


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
