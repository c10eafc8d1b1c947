"""Which column of a table holds the text or picture, and which the label."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.config import ImageData, TextData
from studio.data.reading.cells import are_lists
from studio.data.reading.rows import Kind
from studio.data.reading.table import Table
from studio.errors import RequestError

PICTURE_SUFFIXES = (
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".avif")
    + (".heic", ".heif", ".jp2", ".j2k", ".ico", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".pcx", ".svg")
)  # fmt: skip
_NAMES = {  # most telling first
    "text": [
        *("text", "texts", "sentence", "content", "review", "review_text", "tweet", "tweet_text", "comment"),
        *("comment_text", "message", "document", "question", "query", "utterance", "sms", "body", "post"),
        *("description", "headline", "abstract", "summary", "title"),
    ],
    "image": [
        *("image", "img", "picture", "photo", "image_path", "img_path", "file_name", "filename", "image_name"),
        *("image_file", "file", "file_path", "filepath", "path", "image_id", "id"),
    ],
    "label": [
        *("label", "labels", "class", "classes", "category", "categories", "sentiment", "target", "targets"),
        *("intent", "topic", "emotion", "gold", "gold_label", "label_text", "class_name", "class_label"),
        *("coarse_label", "rating", "stars", "polarity", "y", "tag", "breed"),
    ],
}
_FLAGS = {"text": "--text_column_name", "image": "--image_column_name", "label": "--label_column_name"}


@dataclass(frozen=True)
class Chosen:
    """The names of the columns that matter, whether a label cell holds several labels, and all columns there are."""

    content: str
    text_pair: str | None
    label: str
    group: str | None
    several: bool
    label_delimiter: str | None
    columns: tuple[str, ...]

    def told(self, kind: Kind) -> str:
        """The choice in words."""
        pair = f", column {self.text_pair!r} its pair" if self.text_pair else ""
        labels = "labels" if self.several else "label"
        return f"column {self.content!r} is the {kind}{pair}, column {self.label!r} the {labels}"


def choose(table: Table, kind: Kind, data: TextData | ImageData) -> Chosen:
    """The columns as the flags name them, else by name, else by what they hold.

    Raises:
        RequestError: a named column is not there, or none can be told; lists the columns found.
    """
    head = table.head()
    content = data.text_column_name if kind == "text" else data.image_column_name
    pair = data.text_pair_column_name if kind == "text" else None
    taken = {position(table, name) for name in (pair, data.group_column_name) if name}
    content_at = None if content is None else position(table, content)
    label_at = None if data.label_column_name is None else position(table, data.label_column_name)
    if label_at is None:
        label_at = _by_name(table, "label", excluded={content_at} | taken)
    if content_at is None:
        content_at = _by_name(table, kind, excluded={label_at} | taken, head=head)
    if content_at is None:
        content_at = _by_content(table, kind, excluded={label_at} | taken, head=head)
    if content_at is None:
        raise _unclear(table, kind)
    if label_at is None:
        label_at = _by_repetition(table, excluded={content_at} | taken, head=head)
    if label_at is None:
        raise _unclear(table, "label")
    if content_at == label_at:
        raise RequestError(
            f"{table.path}: the column {table.columns[label_at]!r} is to be both {kind} and label: "
            f"name two columns with {_FLAGS[kind]} and --label_column_name"
        )
    label = table.columns[label_at]
    several = data.label_delimiter is not None or are_lists([row[label_at] for row in head])
    return Chosen(
        table.columns[content_at],
        pair,
        label,
        data.group_column_name,
        several,
        data.label_delimiter,
        tuple(table.columns),
    )


def hold_pictures(table: Table) -> bool:
    """Whether some column holds pictures, or what their file names end in."""
    return _by_content(table, "image", excluded=set(), head=table.head()) is not None


def position(table: Table, name: str) -> int:
    """Position of the column of that name.

    Raises:
        RequestError: there is none, or more than one.
    """
    if table.columns.count(name) == 1:
        return table.columns.index(name)
    if name in table.columns:
        raise RequestError(f"{table.path} has more than one column {name!r}: rename all but one")
    near = difflib.get_close_matches(name, table.columns, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise RequestError(f"{table.path} has no column {name!r}{hint}. {_found(table)}")


def content(table: Table, kind: Kind) -> int | None:
    """Position of the column of texts or pictures in a table that has no labels, by name or by what it holds."""
    head = table.head()
    named = _by_name(table, kind, excluded=set(), head=head)
    return _by_content(table, kind, excluded=set(), head=head) if named is None else named


def has_header(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the first row of a file names columns; it is data when its label turns up again below it."""
    columns = [[name, *(row[at] for row in below)] for at, name in enumerate(first)]
    if any(_known(name) and name not in cells for name, *cells in columns):
        return True
    return not any(_few([name, *cells]) and (name in cells or _numbers([name, *cells])) for name, *cells in columns)


def _by_name(table: Table, role: str, excluded: set[int | None], head: Sequence[Sequence] = ()) -> int | None:
    """Position of the column whose name is most telling; `head` keeps an index column from passing as text."""
    names = [_plain(name) for name in table.columns]
    for name in _NAMES[role]:
        for at, candidate in enumerate(names):
            if candidate == name and at not in excluded and not (role == "text" and _numbers(_cells(head, at))):
                return at
    return None


def _by_content(table: Table, kind: Kind, excluded: set[int | None], head: Sequence[Sequence]) -> int | None:
    """Position of the column with the longest words, or of the one that holds pictures or their file names."""
    columns = {at: _cells(head, at) for at in range(len(table.columns)) if at not in excluded}
    if kind == "image":
        return next((at for at, cells in columns.items() if cells and all(map(_is_picture, cells))), None)
    texts = {at: cells for at, cells in columns.items() if _texts(cells) and not _numbers(cells)}
    return max(texts, key=lambda at: sum(map(len, texts[at])) / len(texts[at]), default=None)


def _by_repetition(table: Table, excluded: set[int | None], head: Sequence[Sequence]) -> int | None:
    """Position of the only column in which a few values come again and again, or of the only one left."""
    others = [at for at in range(len(table.columns)) if at not in excluded]
    repeating = [at for at in others if _few(cells := _cells(head, at)) and len(set(map(str, cells))) > 1]
    return next((found[0] for found in (repeating, others) if len(found) == 1), None)


def _known(name: str) -> bool:
    return any(_plain(name) in names for names in _NAMES.values())


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _cells(head: Sequence[Sequence], at: int) -> list[Any]:
    return [row[at] for row in head if row[at] not in (None, "")]


def _few(cells: Sequence[Any]) -> bool:
    """Whether values repeat as labels do."""
    return 0 < len(set(map(str, cells))) <= len(cells) / 2


def _texts(cells: Sequence[Any]) -> bool:
    return bool(cells) and all(isinstance(cell, str) for cell in cells)


def _numbers(cells: Sequence[Any]) -> bool:
    return bool(cells) and all(map(_is_number, cells))


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _is_picture(cell: Any) -> bool:
    return isinstance(cell, (bytes, dict)) or str(cell).lower().endswith(PICTURE_SUFFIXES)


def _unclear(table: Table, role: str) -> RequestError:
    return RequestError(
        f"cannot tell which column of {table.path} is the {role}: name it with {_FLAGS[role]}. {_found(table)}"
    )


def _found(table: Table) -> str:
    found = f"Columns found: {', '.join(map(repr, table.columns[:30]))}{', ...' if len(table.columns) > 30 else ''}"
    header = "no header row was found" if table.headerless else "if its first row is no header, give --column_names"
    return f"{found} ({header})"
