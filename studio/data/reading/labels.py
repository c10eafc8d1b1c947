"""From labels as people wrote them to class ids: what counts as missing, and in which order classes stand."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from unicodedata import normalize

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.errors import RequestError

MISSING = {"", "?", "nan", "#n/a", "<na>"}
_PERHAPS_MISSING = {"none", "null", "na", "n/a", "nil"}  # words that are now and then the name of a class
_CLASS_SHARE = 0.05  # of the labelled rows: such a word is a class when it stands in at least so many
_SHOWN = 10  # labels listed in a message


def number(
    labels: Mapping[str, pa.ChunkedArray], settled: list[str] | None, origin: str, merge: bool = False
) -> tuple[list[str], dict[str, np.ndarray], list[str]]:
    """Class names in the order of their ids; the ids of the rows of each split, -1 where missing; and notes.

    Of rows with several labels there are marks instead of ids: (rows, classes), 1 where a row has the label, -1
    everywhere where its labels are missing.

    labels: per split as they were written (strings, or lists of them), null where there is none.
    settled: the class names in their order, where the data itself declares them.
    merge: whether spellings that differ in nothing but case and spaces are one class, called by the commonest.

    Raises:
        RequestError: fewer than two classes, most labels missing, nearly as many classes as rows, or lists of labels
            in one split alone.
    """
    if len(set(map(_several, labels.values()))) > 1:
        raise RequestError(
            f"{origin}: the rows of one split have lists of labels and those of another one label each: "
            "write all as lists"
        )
    counts = Counter()
    for column in labels.values():
        counts.update({entry["values"]: entry["counts"] for entry in pc.value_counts(flat(column)).to_pylist()})
        counts.update({None: column.null_count} if _several(column) else {})
    names, notes = ({name: name for name in settled}, []) if settled else _names(counts)
    rows = sum(map(len, labels.values()))
    labelled = sum(np.count_nonzero(_labelled(column, names)) for column in labels.values())
    if labelled < rows / 2:
        raise RequestError(
            f"{origin}: {rows - labelled:,} of {rows:,} rows have no label ({_missing(counts, names)}). "
            "Label more rows, take the others out, or name another column with --label_column_name"
        )
    if labelled < rows:
        notes.append(
            f"{rows - labelled:,} of {rows:,} rows have no label ({_missing(counts, names)}) and were left out"
        )
    alike = _alike(names, counts)
    if merge:
        names = {label: alike.get(name, [name])[0] for label, name in names.items()}
    classes = _ordered(set(names.values())) if merge or not settled else settled
    if len(classes) < 2:
        raise RequestError(
            f"{origin}: every label is {_listed(classes) or 'missing'} ({labelled:,} rows). A classifier needs at "
            "least two classes: add rows of another class, or name another column with --label_column_name"
        )
    if not settled and len(classes) > max(2, labelled / 2):
        raise RequestError(
            f"{origin}: {len(classes):,} different labels in {labelled:,} rows, such as {_listed(classes[:3])}: "
            "these are no classes. Name the right column with --label_column_name"
        )
    if alike:
        spellings = "; ".join(_listed(group) for group in list(dict.fromkeys(alike.values()))[:_SHOWN])
        outcome = "were merged, each group under its first" if merge else "are separate classes"
        remedy = "" if merge else " (--merge_label_spellings makes them one)"
        notes.append(f"labels that differ only in case or spaces {outcome}: {spellings}{remedy}")
    read = _marks if any(map(_several, labels.values())) else _ids
    return classes, {split: read(column, names, classes) for split, column in labels.items()}, notes


def reading(several: bool, delimiter: str | None) -> Callable[[Any], str | list[str | None] | None]:
    """How the cells of the label column are read: each as a label, as a list of them, or as a list in one string."""
    if not several:
        return written
    return partial(_joined, delimiter=delimiter) if delimiter is not None else _listed_in


def named(cell: Any, feature: Any) -> Any:
    """A cell with names in the place of class ids, where `datasets` keeps them with the data."""
    if isinstance(feature, datasets.ClassLabel):
        return None if cell in (None, -1) else feature.names[cell]
    if isinstance(feature, datasets.List) and isinstance(feature.feature, datasets.ClassLabel):
        return cell and [named(value, feature.feature) for value in cell]
    return cell


def flat(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """All labels of a column, one after the other."""
    return pc.list_flatten(column) if _several(column) else column


def written(value: Any) -> str | None:
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


def _joined(cell: Any, delimiter: str) -> list[str] | None:
    """The labels in a cell; an empty cell tells none, one with nothing but the delimiter tells that there are none."""
    if isinstance(cell, list):
        raise RequestError(f"--label_delimiter is for labels in one string, found the list {cell!r:.60}: leave it out")
    word = written(cell)
    if word is None or word.strip().casefold() in MISSING:
        return None
    return [label for label in word.split(delimiter) if label.strip()]


def _listed_in(cell: Any) -> list[str | None] | None:
    if cell is None or isinstance(cell, list):
        return cell and [written(label) for label in cell]
    raise RequestError(
        f"expected a list of labels, as in the first row, found {cell!r:.60}; write it as a list of one, or, if labels "
        "stand in one string, name what divides them with --label_delimiter"
    )


def group(value: Any) -> str | None:
    """To whom or what a row belongs, from a typed cell; None where that is not known.

    Raises:
        RequestError: a list or an object.
    """
    if isinstance(value, list | dict):
        raise RequestError(f"a group should be a word or a number, found {value!r:.60}; name another column")
    name = normalize("NFC", (written(value) or "").strip())
    return None if name.casefold() in MISSING else name


def _several(column: pa.ChunkedArray) -> bool:
    return pa.types.is_list(column.type)


def _labelled(column: pa.ChunkedArray, names: Mapping[str, str]) -> np.ndarray:
    """Which rows have a label; an empty list is an answer as well, but not one of which no label counts."""
    known = pc.is_in(flat(column), pa.array(names, pa.string())).to_numpy()
    if not _several(column):
        return known
    counts = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    found = np.bincount(np.repeat(np.arange(len(column)), counts), known, minlength=len(column))
    return (found > 0) | ((counts == 0) & column.is_valid().to_numpy())


def _marks(column: pa.ChunkedArray, names: Mapping[str, str], classes: list[str]) -> np.ndarray:
    """int8 (rows, classes) from lists of labels."""
    ids = _ids(flat(column), names, classes)
    rows = np.repeat(np.arange(len(column)), pc.fill_null(pc.list_value_length(column), 0).to_numpy())
    found = np.zeros((len(column), len(classes)), np.int8)
    found[rows[ids >= 0], ids[ids >= 0]] = 1
    found[~_labelled(column, names)] = -1
    return found


def _ids(column: pa.ChunkedArray, names: Mapping[str, str], classes: list[str]) -> np.ndarray:
    """int64 position in `classes` of each label, by way of `names`; -1 for the others."""
    position = {name: at for at, name in enumerate(classes)}
    found = pc.index_in(column, pa.array(names, pa.string())).fill_null(-1).to_numpy()
    return np.array([*(position[name] for name in names.values()), -1])[found]


def _ordered(names: set[str]) -> list[str]:
    """Whole numbers by value, anything else by spelling."""
    return sorted(names, key=int if all(re.fullmatch(r"-?\d+", name) for name in names) else None)


def _names(counts: Counter) -> tuple[dict[str, str], list[str]]:
    """The class each written label stands for (missing ones are not in it), and notes on what was decided."""
    names = {label: normalize("NFC", label.strip()) for label in counts if label is not None}
    names = {label: name for label, name in names.items() if name.casefold() not in MISSING}
    labelled = sum(counts[label] for label in names)
    notes = []
    words = Counter()
    for label, name in names.items():
        words.update({name: counts[label]} if name.casefold() in _PERHAPS_MISSING else {})
    for word, count in words.items():
        if count >= _CLASS_SHARE * labelled:
            notes.append(f'the label "{word}" ({count:,} rows) was taken for a class; empty it where it means no label')
        else:
            names = {label: name for label, name in names.items() if name != word}
    padded = sum(counts[label] for label in names if label != label.strip())
    if padded:
        notes.append(f"spaces before or after the label were taken off in {padded:,} rows")
    if all(re.fullmatch(r"-?\d+(\.0*)?", name) for name in names.values()):  # 1.0, where a gap made floats of ints
        names = {label: name.split(".")[0] for label, name in names.items()}
    return names, notes


def _missing(counts: Counter, names: Mapping[str, str]) -> str:
    """The labels that count as missing, as they are written, with their counts."""
    shown = Counter()
    for label, count in counts.items():
        if label not in names:
            shown[(label or "").strip() or "empty"] += count
    return ", ".join(f"{label} {count:,}" for label, count in shown.most_common(_SHOWN))


def _alike(names: Mapping[str, str], counts: Counter) -> dict[str, tuple[str, ...]]:
    """For each class name that has others like it but for case and spaces, all of them, the commonest first."""
    rows = Counter()
    for label, name in names.items():
        rows[name] += counts[label]
    spellings = defaultdict(list)
    for name in sorted(rows, key=lambda name: (-rows[name], name)):
        spellings["".join(name.casefold().split())].append(name)
    return {name: tuple(group) for group in spellings.values() if len(group) > 1 for name in group}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
