"""From labels as people wrote them to class ids: what counts as missing, and in which order classes stand."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from unicodedata import normalize

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.data.reading.cells import NO_LABEL, PERHAPS_NO_LABEL
from studio.errors import RequestError

# A word that may mean nothing is a class when it stands in so many of the labelled rows, or, among many classes, in
# so large a part of what a class has on average.
_CLASS_SHARE = 0.05
_AVERAGE_SHARE = 0.5
_DELIMITERS = ";|,"
_SHOWN = 10  # labels listed in a message


def number(
    labels: Mapping[str, pa.ChunkedArray],
    settled: list[str] | None,
    origin: str,
    merge: bool = False,
    certain: Collection[str] = (),
) -> tuple[list[str], dict[str, np.ndarray], list[str]]:
    """Class names in the order of their ids; the ids of the rows of each split, -1 where missing; and notes.

    Of rows with several labels there are marks instead of ids: (rows, classes), 1 where a row has the label, -1
    everywhere where its labels are missing.

    labels: per split as they were written (strings, or lists of them), null where there is none.
    settled: the class names in their order, where the data itself declares them.
    merge: whether spellings that differ in nothing but case and spaces are one class, called by the commonest.
    certain: labels that are never missing, whatever word they are.

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
    names, notes = ({name: name for name in settled}, []) if settled else _names(counts, certain)
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
        if words := sorted({label.strip() for label in counts.keys() - names.keys() - {None} if _perhaps(label)}):
            notes.append(f"where {_listed(words)} is the name of a class, give that class another name")
    sizes = Counter()
    for label, name in names.items():
        sizes[name] += counts[label]
    alike = spellings(sizes)
    if merge:
        first = {name: group[0] for group in alike for name in group}
        names = {label: first.get(name, name) for label, name in names.items()}
    classes = _ordered(set(names.values())) if merge or not settled else settled
    if len(classes) < 2:
        raise RequestError(
            f"{origin}: every label is {_listed(classes) or 'missing'} ({labelled:,} rows). A classifier needs at "
            "least two classes: add rows of another class, or name another column with --label_column_name"
        )
    joined = [] if settled or any(map(_several, labels.values())) else _joined(classes)
    if not settled and len(classes) > max(2, labelled / 2):
        raise RequestError(
            f"{origin}: {len(classes):,} different labels in {labelled:,} rows, such as {_listed(classes[:3])}: "
            f"these are no classes. Name the right column with --label_column_name{'; '.join(['', *joined])}"
        )
    if alike:
        shown = "; ".join(map(_listed, alike[:_SHOWN]))
        outcome = "were merged, each group under its first" if merge else "are separate classes"
        remedy = "" if merge else " (--merge_label_spellings makes them one)"
        notes.append(f"labels that differ only in case or spaces {outcome}: {shown}{remedy}")
    read = _marks if any(map(_several, labels.values())) else _ids
    return classes, {split: read(column, names, classes) for split, column in labels.items()}, notes + joined


def spellings(rows: Mapping[str, int]) -> list[tuple[str, ...]]:
    """Groups of class names that differ in nothing but case and spaces, each with the commonest first.

    rows: how many rows each class has.
    """
    groups = defaultdict(list)
    for name in sorted(rows, key=lambda name: (-rows[name], name)):
        groups["".join(name.casefold().split())].append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def flat(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """All labels of a column, one after the other."""
    return pc.list_flatten(column) if _several(column) else column


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


def _names(counts: Counter, certain: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """The class each written label stands for (missing ones are not in it), and notes on what was decided."""
    names = {label: normalize("NFC", label.strip()) for label in counts if label is not None}
    names = {label: name for label, name in names.items() if label in certain or name.casefold() not in NO_LABEL}
    labelled = sum(counts[label] for label in names)
    least = labelled * min(_CLASS_SHARE, _AVERAGE_SHARE / max(1, len({name.casefold() for name in names.values()})))
    notes = []
    spellings = defaultdict(list)
    for label in names:
        if _perhaps(label) and label not in certain:
            spellings[names[label].casefold()].append(label)
    for alike in spellings.values():
        count = sum(counts[label] for label in alike)
        words = _listed(sorted({names[label] for label in alike}))
        if count >= least:
            notes.append(f"the label {words} ({count:,} rows) was taken for a class; empty it where it means no label")
        else:
            names = {label: name for label, name in names.items() if label not in alike}
    padded = sum(counts[label] for label in names if label != label.strip())
    if padded:
        notes.append(f"spaces before or after the label were taken off in {padded:,} rows")
    if all(re.fullmatch(r"-?\d+(\.0*)?", name) for name in names.values()):  # 1.0, where a gap made floats of ints
        names = {label: name.split(".")[0] for label, name in names.items()}
    return names, notes


def _perhaps(label: str) -> bool:
    return label.strip().casefold() in PERHAPS_NO_LABEL


def _joined(classes: list[str]) -> list[str]:
    """A note on what looks like several labels in one string, because the parts are mostly labels themselves."""
    known = set(classes)
    for delimiter in _DELIMITERS:
        joined = [name for name in classes if delimiter in name]
        parts = [part.strip() for name in joined for part in name.split(delimiter) if part.strip()]
        if len([part for part in parts if part in known]) > len(parts) / 2:
            return [
                f"{len(joined):,} of the {len(classes):,} labels, such as {joined[0]!r}, look like several in one: "
                f'--label_delimiter "{delimiter}" reads them so'
            ]
    return []


def _missing(counts: Counter, names: Mapping[str, str]) -> str:
    """The labels that count as missing, as they are written, with their counts."""
    shown = Counter()
    for label, count in counts.items():
        if label not in names:
            shown[(label or "").strip() or "empty"] += count
    return ", ".join(f"{label} {count:,}" for label, count in shown.most_common(_SHOWN))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
