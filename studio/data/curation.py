"""A person's decisions about rows and labels: a small file beside the data, which stay as they are.

    {"version": 1,
     "exclude": {"ROW ID": "why"},
     "relabel": {"ROW ID": {"label": "positive", "reason": "why"}},
     "merge": {"Pos": {"into": "positive", "reason": "why"}}}

Rows are known by their ids, so that the decisions hold when a file is put in another order.
"""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset

from studio.data import marks
from studio.data.alike import column
from studio.data.sources import Source, check_classes
from studio.errors import RequestError
from studio.runs import write_whole

_VERSION = 1
_LIMIT_BYTES = 100_000_000  # about a million decisions
_SHOWN = 5  # unknown names in a message


class Relabel(NamedTuple):
    """Another label for a row; a list of labels where rows have several."""

    label: str | list[str]
    reason: str


class Merge(NamedTuple):
    """The label that another one is the same as."""

    into: str
    reason: str


@dataclass(frozen=True)
class Curation:
    """Rows to leave out and why, rows with other labels (both by row id), and labels that are others."""

    exclude: dict[str, str] = field(default_factory=dict)
    relabel: dict[str, Relabel] = field(default_factory=dict)
    merge: dict[str, Merge] = field(default_factory=dict)

    def __or__(self, other: "Curation") -> "Curation":
        """Both; where they contradict each other, the other one holds."""
        exclude = {row: why for row, why in self.exclude.items() if row not in other.relabel} | other.exclude
        relabel = {row: new for row, new in (self.relabel | other.relabel).items() if row not in other.exclude}
        merge = {label: found for label, found in self.merge.items() if label not in _targets(other)} | other.merge
        return Curation(exclude, relabel, merge)

    def __bool__(self) -> bool:
        return bool(self.exclude or self.relabel or self.merge)


def read(file: Path) -> Curation:
    """The decisions in a file.

    Raises:
        RequestError: the file is missing, too large, or does not hold such decisions; names what is wrong.
    """
    place = f"--curation_file {file}"
    try:
        if file.stat().st_size > _LIMIT_BYTES:
            raise RequestError(f"{place} is larger than {_LIMIT_BYTES // 10**6} MB: these are no decisions")
        found = json.loads(file.read_bytes(), object_pairs_hook=_once)
    except OSError as error:
        raise RequestError(f"{place} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{place} holds no decisions that can be read: {error}") from error
    known = {"version", "exclude", "relabel", "merge"}
    if not isinstance(found, dict) or found.keys() - known or found.get("version") != _VERSION:
        raise RequestError(f'{place} must be an object with "version": {_VERSION} and of {", ".join(sorted(known))}')
    exclude, relabel, merge = (_mapping(found.get(part, {}), part, place) for part in ("exclude", "relabel", "merge"))
    decisions = Curation(
        {row: _word(why, f"{place}, exclude {row}") for row, why in exclude.items()},
        {row: Relabel(*_pair(new, "label", f"{place}, relabel {row}")) for row, new in relabel.items()},
        {label: Merge(*_pair(new, "into", f"{place}, merge {label!r}")) for label, new in merge.items()},
    )
    if both := decisions.exclude.keys() & decisions.relabel.keys():
        raise RequestError(f"{place} leaves row {min(both)} out and gives it another label: keep one of both")
    for label in decisions.merge:
        _final(label, decisions.merge, place)
    return decisions


def write(decisions: Curation, file: Path) -> None:
    """Writes decisions whole, in the form that `read` takes."""
    write_whole(file, json.dumps({"version": _VERSION} | as_json(decisions), ensure_ascii=False, indent=1) + "\n")


def as_json(decisions: Curation) -> dict[str, Any]:
    """The decisions as they stand in a file."""
    return {
        "exclude": decisions.exclude,
        "relabel": {row: new._asdict() for row, new in decisions.relabel.items()},
        "merge": {label: new._asdict() for label, new in decisions.merge.items()},
    }


def applied(source: Source, decisions: Curation) -> Source:
    """The source with the decisions: rows left out, rows with other labels, labels merged.

    What the data no longer hold is counted in the notes. A class of which no row is left is a class no more.

    Raises:
        RequestError: the decisions leave less than a classifier needs, or name a label that the data do not have.
    """
    place = f"the decisions about {source.origin}"
    several = marks.labels_of(source.splits["train"]).ndim == 2
    target = {name: _final(name, decisions.merge, place) for name in source.labels}
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


def _final(label: str, merge: dict[str, Merge], place: str) -> str:
    """The label at the end of a chain of merged ones."""
    seen = [label]
    while label in merge:
        label = merge[label].into
        if label in seen:
            raise RequestError(f"{place} merges {' into '.join(map(repr, [*seen, label]))}, which ends nowhere")
        seen.append(label)
    return label


def _targets(decisions: Curation) -> set[str]:
    return {found.into for found in decisions.merge.values()}


def _are_in(ids: pa.ChunkedArray, wanted: Iterable[str]) -> np.ndarray:
    return pc.is_in(ids, pa.array(list(wanted), pa.string())).to_numpy()


def _unknown(what: str, names: list[str]) -> list[str]:
    if not names:
        return []
    shown = ", ".join(names[:_SHOWN]) + ", ..." * (len(names) > _SHOWN)
    return [f"{len(names):,} {what} of the decisions are not in the data: {shown}"]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return found


def _mapping(value: Any, part: str, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RequestError(f"{place}: {part} must be an object, found {value!r:.60}")
    return value


def _pair(value: Any, name: str, place: str) -> tuple[Any, str]:
    if not isinstance(value, dict) or value.keys() - {name, "reason"} or name not in value:
        raise RequestError(f'{place} must be an object with "{name}" and "reason", found {value!r:.60}')
    found = value[name]
    if isinstance(found, list) and name == "label":
        return [_word(label, place) for label in found], _word(value.get("reason", ""), place)
    return _word(found, place), _word(value.get("reason", ""), place)


def _word(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{place}: expected a string, found {value!r:.60}")
    return value
