"""A table file as the rest of the data side sees it, whatever its format."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

DAMAGED_LIMIT = 0.1  # share of damaged rows up to which a file is read without them
CELL_LIMIT = 1_000_000  # characters; a longer cell means an unclosed quote or a hostile file
COLUMN_LIMIT = 10_000
_BATCH = 500  # rows
_HEAVY_BATCH = 16  # rows, where each may hold a picture of several megabytes


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

    def head(self, count: int = 200) -> list[tuple[Any, ...]]:
        """The first rows with all their cells, those of pictures emptied."""
        rows = islice(self.rows(range(len(self.columns))), count)
        return [tuple(type(cell)() if isinstance(cell, bytes | dict) else cell for cell in cells) for _, cells in rows]


def batch_size(types: Iterable[pa.DataType]) -> int:
    """Rows of these columns to read at once."""
    heavy = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_struct)
    return _HEAVY_BATCH if any(is_heavy(kind) for kind in types for is_heavy in heavy) else _BATCH
