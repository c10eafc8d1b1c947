"""From labels as people wrote them to class ids: what counts as missing, and in which order classes stand."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any
from unicodedata import normalize

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.errors import RequestError

MISSING = {"", "?", "nan", "#n/a", "<na>"}
_PERHAPS_MISSING = {"none", "null", "na", "n/a", "nil"}  # words that are now and then the name of a class
_CLASS_SHARE = 0.05  # of the labelled rows: such a word is a class when it stands in at least so many
_SHOWN = 10  # labels listed in a message


def number(
    labels: Mapping[str, pa.ChunkedArray], settled: list[str] | None, origin: str
) -> tuple[list[str], dict[str, np.ndarray], list[str]]:
    """Class names in the order of their ids; the ids of the rows of each split, -1 where missing; and notes.

    labels: per split as they were written (strings), null where there is none.
    settled: the class names in their order, where the data itself declares them.

    Raises:
        RequestError: fewer than two classes, most labels missing, or nearly as many classes as rows.
    """
    counts = Counter()
    for column in labels.values():
        counts.update({entry["values"]: entry["counts"] for entry in pc.value_counts(column).to_pylist()})
    names, notes = ({name: name for name in settled}, []) if settled else _names(counts)
    rows, labelled = counts.total(), sum(counts[label] for label in names)
    if labelled < rows / 2:
        raise RequestError(
            f"{origin}: {rows - labelled:,} of {rows:,} rows have no label ({_missing(counts, names)}). "
            "Label more rows, take the others out, or name another column with --label_column_name"
        )
    if labelled < rows:
        notes.append(
            f"{rows - labelled:,} of {rows:,} rows have no label ({_missing(counts, names)}) and were left out"
        )
    classes = settled or _ordered(set(names.values()))
    if len(classes) < 2:
        raise RequestError(
            f"{origin}: every label is {classes[0]!r} ({labelled:,} rows). A classifier needs at least two classes: "
            "add rows of another class, or name another column with --label_column_name"
        )
    if not settled and len(classes) > max(2, labelled / 2):
        raise RequestError(
            f"{origin}: {len(classes):,} different labels in {labelled:,} rows, such as {_listed(classes[:3])}: "
            "these are no classes. Name the right column with --label_column_name"
        )
    notes += _variants(classes)
    return classes, {split: _ids(column, names, classes) for split, column in labels.items()}, notes


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
    raise RequestError(f"a label should be a word or a number, found {value!r:.60}; one row takes one label")


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


def _variants(classes: list[str]) -> list[str]:
    """A note when labels differ in nothing but case and spaces."""
    spellings = defaultdict(list)
    for name in classes:
        spellings["".join(name.casefold().split())].append(name)
    alike = [_listed(group) for group in spellings.values() if len(group) > 1]
    if not alike:
        return []
    return [f"labels that differ only in case or spaces are separate classes: {'; '.join(alike[:_SHOWN])}"]


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names))
