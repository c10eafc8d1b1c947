"""What the cells of a table say: which words stand for nothing, and texts, labels and groups as they are written."""

import ast
import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from unicodedata import normalize

import datasets

from studio.data.reading.table import CELL_LIMIT
from studio.errors import RequestError

# Words for "nothing stands here", in lower case. Programs write the first into empty cells (\N is that of SQL dumps).
_EMPTY = {"nan", "<na>", "#n/a", r"\n"}
_NO_TEXT = _EMPTY | {"null"}
NO_LABEL = _EMPTY | {"", "?"}
PERHAPS_NO_LABEL = {"none", "null", "na", "n/a", "nil"}  # now and then the name of a class
_NO_GROUP = NO_LABEL | PERHAPS_NO_LABEL

_ITEM = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|-?[\d.]+|None|null|nan"""
_LIST = re.compile(rf"\[\s*(?:(?:{_ITEM})(?:[\s,]+(?:{_ITEM}))*)?\s*\]")  # numpy puts no commas between them


def text(cell: Any) -> str | None:
    """A text from a typed cell; None where there is none.

    Raises:
        RequestError: neither a string nor a number, or longer than a cell may be.
    """
    if isinstance(cell, str):
        if len(cell) > CELL_LIMIT:
            raise RequestError(f"a text of {len(cell):,} characters, more than the {CELL_LIMIT:,} accepted")
        return None if cell.strip().casefold() in _NO_TEXT else cell
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, int | float):
        return str(cell)
    raise RequestError(f"a text should be a string, found {cell!r:.60}; name another column with --text_column_name")


def label(value: Any) -> str | None:
    """A label from a typed cell as one would write it; None where there is none.

    Raises:
        RequestError: a list or an object.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else f"{value:.0f}" if value.is_integer() else str(value)
    if isinstance(value, bool | int):
        return str(value)
    raise RequestError(
        f"a label should be a word or a number, found {value!r:.60}; where one row has a list, all have to"
    )


def labels(several: bool, delimiter: str | None) -> Callable[[Any], str | list[str | None] | None]:
    """How the cells of the label column are read: each as a label, as a list of them, or as a list in one string."""
    if not several:
        return label
    return partial(_joined, delimiter=delimiter) if delimiter is not None else _listed


def are_lists(cells: Sequence[Any]) -> bool:
    """Whether the cells of a label column are lists, or strings as pandas, numpy and json write lists."""
    told = [cell for cell in cells if not (cell is None or _missing(cell))]
    return bool(told) and (isinstance(told[0], list) or all(map(_is_list, told)))


def group(value: Any) -> str | None:
    """To whom or what a row belongs, from a typed cell; None where that is not known.

    Raises:
        RequestError: a list, an object or bytes.
    """
    if isinstance(value, list | dict | bytes):
        raise RequestError(
            f"a group should be a word, a number or a date, found {value!r:.60}; name another column with "
            "--group_column_name"
        )
    word = label(value) if value is None or isinstance(value, float) else str(value)
    name = normalize("NFC", (word or "").strip())
    return None if name.casefold() in _NO_GROUP else name


def named(cell: Any, feature: Any) -> Any:
    """A cell with names in the place of class ids, where `datasets` keeps them with the data."""
    if isinstance(feature, datasets.ClassLabel):
        return None if cell in (None, -1) else feature.names[cell]
    if isinstance(feature, datasets.List) and isinstance(feature.feature, datasets.ClassLabel):
        return cell and [named(value, feature.feature) for value in cell]
    return cell


def _joined(cell: Any, delimiter: str) -> list[str] | None:
    """The labels in a cell; an empty cell tells none, one with nothing but the delimiter tells that there are none."""
    if isinstance(cell, list) or _is_list(cell):
        raise RequestError(f"--label_delimiter is for labels in one string, found the list {cell!r:.60}: leave it out")
    word = label(cell)
    if word is None or _missing(word):
        return None
    return [part for part in word.split(delimiter) if part.strip()]


def _listed(cell: Any) -> list[str | None] | None:
    if cell is None or _missing(cell):
        return None
    if _is_list(cell):
        cell = [_item(written) for written in re.findall(_ITEM, cell)]
    if isinstance(cell, list):
        return [label(item) for item in cell]
    raise RequestError(
        f"expected a list of labels, as in the first row, found {cell!r:.60}; write it as a list of one, or, if labels "
        "stand in one string, name what divides them with --label_delimiter"
    )


def _item(written: str) -> str | None:
    """One of the labels in a list that is written into a string."""
    if written[0] not in "'\"":
        return None if written[0] in "Nn" else written
    try:
        return ast.literal_eval(written)
    except (SyntaxError, ValueError) as fault:
        raise RequestError(f"the label {written:.60} in a list has a backslash that means nothing: {fault}") from fault


def _is_list(cell: Any) -> bool:
    return isinstance(cell, str) and bool(_LIST.fullmatch(cell.strip()))


def _missing(cell: Any) -> bool:
    return isinstance(cell, str) and cell.strip().casefold() in NO_LABEL
