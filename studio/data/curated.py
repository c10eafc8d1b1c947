"""The rows of a source as a person's decisions have them; what is on the disk stays as it is."""

import dataclasses
from collections.abc import Iterable

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset

from studio.data import marks
from studio.data.alike import column
from studio.data.curation import Curation, final_label
from studio.data.sources import Source, check_classes
from studio.errors import RequestError

_SHOWN = 5  # unknown names in a message


def applied(source: Source, decisions: Curation) -> Source:
    """The source with the decisions: rows left out, rows with other labels, labels merged.

    What the data no longer hold is counted in the notes. A class of which no row is left is a class no more.

    Raises:
        RequestError: the decisions leave less than a classifier needs, or name a label that the data do not have.
    """
    place = f"the decisions about {source.origin}"
    several = marks.labels_of(source.splits["train"]).ndim == 2
    target = {name: final_label(name, decisions.merge, place) for name in source.labels}
    if typo := sorted(set(target.values()) - set(source.labels)):
        raise RequestError(f"{place} merge labels into {typo[0]!r}, which is none of {source.labels[:10]}")
    given = {row: _given(row, new.label, target, several, place) for row, new in decisions.relabel.items()}
    before = np.unique(np.concatenate([marks.pairs(marks.labels_of(rows))[1] for rows in source.splits.values()]))
    gone, changed, parts = set(), set(), {}
    for split, rows in source.splits.items():
        ids = column(rows, "row_id")
        kept = ~_are_in(ids, decisions.exclude)
        gone.update(ids.filter(pa.array(~kept)).to_pylist())
        changed.update(ids.filter(pa.array(_are_in(ids, given))).to_pylist())
        parts[split] = rows.select(np.flatnonzero(kept)), _labels(rows, given, source.labels)[kept]
    left = {target[source.labels[at]] for _, labels in parts.values() for at in np.unique(marks.pairs(labels)[1])}
    never = {target[name] for at, name in enumerate(source.labels) if at not in before}
    names = [name for name in source.labels if target[name] == name and name in left | never]
    position = {name: at for at, name in enumerate(names)}
    renumbered = np.array([position.get(target[name], -1) for name in source.labels])
    parts = {split: (rows, _renumber(labels, renumbered, len(names))) for split, (rows, labels) in parts.items()}
    if empty := [split for split, (rows, _) in parts.items() if not len(rows)]:
        raise RequestError(f"{place} leave no {empty[0]} row: take some of them back")
    notes = check_classes({split: labels for split, (_, labels) in parts.items()}, names, place)
    splits = {split: _labelled(rows, labels, names) for split, (rows, labels) in parts.items()}
    merged = [name for name in source.labels if target[name] != name]
    told = f"decisions: {len(gone):,} rows left out, {len(changed):,} with another label, {len(merged):,} labels merged"
    unknown = [*sorted((decisions.exclude.keys() | given.keys()) - gone - changed)]
    unknown_labels = [label for label in decisions.merge if label not in target]
    notes = [told, *_unknown("row ids", unknown), *_unknown("labels", unknown_labels), *notes]
    excluded = source.excluded | set(decisions.exclude)
    return dataclasses.replace(source, splits=splits, labels=names, notes=source.notes + notes, excluded=excluded)


def _labels(rows: Dataset, given: dict[str, list[int]], names: list[str]) -> np.ndarray:
    """The labels of all rows as they are numbered in the data, with those that a person gave."""
    labels = marks.labels_of(rows).copy()
    found = pc.index_in(column(rows, "row_id"), pa.array(list(given), pa.string())).fill_null(-1).to_numpy()
    ids = list(given.values())
    for at in np.flatnonzero(found >= 0):
        if labels.ndim == 2:
            labels[at] = False
            labels[at, ids[found[at]]] = True
        else:
            labels[at] = ids[found[at]][0]
    return labels


def _renumber(labels: np.ndarray, renumbered: np.ndarray, count: int) -> np.ndarray:
    if labels.ndim == 1:
        return renumbered[labels]
    row, label = marks.pairs(labels)
    found = np.zeros((len(labels), count), bool)
    found[row, renumbered[label]] = True
    return found


def _labelled(rows: Dataset, labels: np.ndarray, names: list[str]) -> Dataset:
    """The rows with these labels in the place of their own."""
    feature = datasets.ClassLabel(names=names)
    if labels.ndim == 2:
        feature = datasets.List(feature)
    if rows.features["label"] == feature and np.array_equal(labels, marks.labels_of(rows)):
        return rows
    return rows.remove_columns("label").add_column("label", marks.lists(labels), feature=feature)


def _given(row: str, label: str | list[str], target: dict[str, str], several: bool, place: str) -> list[int]:
    """The class ids of a label that a person gave."""
    if several != isinstance(label, list):
        wanted = "a list of labels, as rows have several" if several else "one label"
        raise RequestError(f"{place}: row {row} must be given {wanted}, found {label!r}")
    names = list(target)
    given = label if isinstance(label, list) else [label]
    for name in given:
        if name not in target:
            raise RequestError(f"{place}: row {row} is given the label {name!r}, which is none of {names[:10]}")
    return [names.index(name) for name in given]


def _are_in(ids: pa.ChunkedArray, wanted: Iterable[str]) -> np.ndarray:
    return pc.is_in(ids, pa.array(list(wanted), pa.string())).to_numpy()


def _unknown(what: str, names: list[str]) -> list[str]:
    if not names:
        return []
    shown = ", ".join(names[:_SHOWN]) + ", ..." * (len(names) > _SHOWN)
    return [f"{len(names):,} {what} of the decisions are not in the data: {shown}"]
