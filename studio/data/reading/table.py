"""A table file as the rest of the data side sees it, whatever its format."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

DAMAGED_LIMIT = 0.1  # share of damaged rows up to which a file is read without them
CELL_LIMIT = 1_000_000  # characters; a longer cell means an unclosed quote or a hostile file
COLUMN_LIMIT = 10_000
_BATCH = 500  # rows
_HEAVY_BATCH = 16  # rows, where each may hold a picture of several megabytes


@dataclass(frozen=True)
class Flaw:
    """What reading had to make the best of, in `count` rows (or files, where the header or the encoding is concerned).

    Each of the examples is a place, what stands there, and what is to say of it.
    """

    kind: Literal["no_label", "no_content", "damaged_rows", "unreadable", "no_header", "other_encoding"]
    count: int
    examples: tuple[tuple[str, str, str], ...]


@dataclass
class Table:
    """The columns of a file and a way to its rows, which are read as they are asked for.

    `rows` takes column positions and gives (line in the file, cells); every call starts from the top.
    """

    path: Path
    columns: list[str]
    rows: Callable[[Sequence[int]], Iterator[tuple[int, tuple[Any, ...]]]]
    headerless: bool = False
    notes: list[str] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)

    def guessed(self, encoding: str | None) -> "Table":
        """The table, which tells that its encoding had to be guessed if it was; `encoding` says how."""
        if encoding:
            self.notes.insert(0, f"{self.path.name}, {encoding}")
            self.flaws.insert(0, Flaw("other_encoding", 1, ((self.path.name, "", encoding),)))
        return self

    def head(self, count: int = 200) -> list[tuple[Any, ...]]:
        """The first rows with all their cells, those of pictures emptied."""
        rows = islice(self.rows(range(len(self.columns))), count)
        return [tuple(type(cell)() if isinstance(cell, bytes | dict) else cell for cell in cells) for _, cells in rows]


def batch_size(types: Iterable[pa.DataType]) -> int:
    """Rows of these columns to read at once."""
    heavy = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_struct)
    return _HEAVY_BATCH if any(is_heavy(kind) for kind in types for is_heavy in heavy) else _BATCH
