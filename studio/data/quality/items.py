"""The rows of all splits one after the other, and what findings about some of them look like."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from datasets import Dataset, concatenate_datasets

from studio.data import alike
from studio.data.alike import column
from studio.data.curation import Curation
from studio.data.marks import codes, labels_of
from studio.data.sources import SPLITS, Source

EXAMPLES = 5  # of a finding
_EXCERPT = 120  # characters
Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Example:
    """A row: its id (None where it was left out in reading), where it stands, what it holds, what is to say of it."""

    row: str | None
    place: str
    excerpt: str
    remark: str = ""


@dataclass(frozen=True)
class Finding:
    """Something that `count` rows (or labels) have in common and a person should know.

    An error makes training or its figures wrong; a warning may; a note tells what is to be known. `decision` is what
    can be done about it without touching the data, None where there is nothing of the kind; `relabel` is the other
    thing that can be done where labels are doubted: the rows take the labels that they look like.
    """

    kind: str
    severity: Severity
    title: str
    count: int
    remedy: str
    examples: list[Example] = field(default_factory=list)
    decision: Curation | None = None
    relabel: Curation | None = None


@dataclass
class Items:
    """All rows of a source; arrays have one entry for each."""

    rows: Dataset
    split: np.ndarray  # position in SPLITS
    labels: np.ndarray  # class ids, or marks (rows, classes) where rows have several
    codes: np.ndarray  # the same where all labels are the same
    contents: np.ndarray  # uint64, the same where the contents are the same to a reader
    names: list[str]  # of the classes
    usable: np.ndarray  # False where a picture cannot be read
    hashes: np.ndarray | None = None  # uint64, near for pictures that look alike; None until pixels are looked at

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_image(self) -> bool:
        return "image" in self.rows.column_names

    def ids(self, at: np.ndarray) -> list[str]:
        """The ids of the rows at these positions."""
        return column(self.rows, "row_id").take(pa.array(at)).to_pylist()

    def label(self, at: int) -> str:
        """The label of a row in words."""
        marked = [self.labels[at]] if self.labels.ndim == 1 else np.flatnonzero(self.labels[at])
        return ", ".join(self.names[label] for label in marked)

    def place(self, at: int) -> str:
        """File and line of a row, or the file of its picture."""
        row: dict[str, Any] = self.rows[int(at)]
        return (row.get("image") or {}).get("path") or row["place"] or f"row {row['row_id']}"

    def short_place(self, at: int) -> str:
        """The same without the folders above that of the picture."""
        place = Path(self.place(at))
        return "/".join(place.parts[-2:]) if place.is_absolute() else str(place)

    def example(self, at: int, remark: str = "") -> Example:
        row = self.rows[int(at)]
        shown = "/".join(Path(row["image"]["path"] or "").parts[-2:]) if self.is_image else " / ".join(_texts(row))
        return Example(row["row_id"], self.place(at), excerpt(shown), remark or self.label(at))

    def finding(
        self,
        kind: str,
        severity: Severity,
        title: str,
        at: Sequence[int] | np.ndarray,
        remedy: str,
        *,
        remarks: Iterable[str] = (),
        exclude: str | None = None,
        excluded: np.ndarray | None = None,
    ) -> Finding:
        """A finding about the rows at these positions; `remarks` belong to the first of them.

        `exclude` is the reason for which the rows can be left out: these, or those at the positions `excluded`.
        """
        at = np.asarray(at, np.int64)
        remarks = [*remarks, *[""] * EXAMPLES]
        examples = [self.example(one, remark) for one, remark in zip(at[:EXAMPLES], remarks, strict=False)]
        out = at if excluded is None else excluded
        decision = Curation(exclude=dict.fromkeys(self.ids(out), exclude)) if exclude and len(out) else None
        return Finding(kind, severity, title, len(at), remedy, examples, decision)


def gather(source: Source) -> Items:
    """The rows of all splits of a source."""
    parts = {split: source.splits[split] for split in SPLITS if split in source.splits}
    labels = np.concatenate([labels_of(rows) for rows in parts.values()])
    return Items(
        concatenate_datasets(list(parts.values())),
        np.repeat([SPLITS.index(split) for split in parts], [len(rows) for rows in parts.values()]),
        labels,
        codes(labels),
        np.concatenate([alike.contents(rows) for rows in parts.values()]),
        source.labels,
        np.ones(len(labels), bool),
    )


def excerpt(text: str) -> str:
    """The beginning of a text in one line."""
    line = " ".join(text[: 2 * _EXCERPT].split())
    return line if len(line) <= _EXCERPT and len(text) <= 2 * _EXCERPT else f"{line[:_EXCERPT]}…"


def count(number: int, one: str, many: str) -> str:
    """A number with the right form of what is counted."""
    return f"{number:,} {one if number == 1 else many}"


def _texts(row: dict[str, Any]) -> list[str]:
    return [row[name] for name in ("text", "text_pair") if row.get(name)]
