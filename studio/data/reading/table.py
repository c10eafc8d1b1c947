"""A table file as the rest of the data side sees it, whatever its format."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

DAMAGED_LIMIT = 0.1  # share of damaged rows up to which a file is read without them
CELL_LIMIT = 1_000_000  # characters; a longer cell means an unclosed quote or a hostile file
COLUMN_LIMIT = 10_000


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
        """The first rows with all their cells."""
        return [cells for _, cells in islice(self.rows(range(len(self.columns))), count)]
