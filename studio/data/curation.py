"""A person's decisions about rows and labels: a small file beside the data, which stay as they are.

    {"version": 1,
     "exclude": {"ROW ID": "why"},
     "relabel": {"ROW ID": {"label": "positive", "reason": "why"}},
     "merge": {"Pos": {"into": "positive", "reason": "why"}}}

Rows are known by their ids, so that the decisions hold when a file is put in another order.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from studio.errors import RequestError
from studio.runs import write_whole

_VERSION = 1
_LIMIT_BYTES = 100_000_000  # about a million decisions


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
    return parse(found, place)


def parse(found: Any, place: str) -> Curation:
    """The decisions in the words of a file; `place` is what a complaint calls it.

    Raises:
        RequestError: these are no such decisions; names what is wrong.
    """
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
        final_label(label, decisions.merge, place)
    return decisions


def write(decisions: Curation, file: Path) -> None:
    """Writes decisions whole, in the form that `read` takes."""
    write_whole(file, json.dumps(as_json(decisions), ensure_ascii=False, indent=1) + "\n")


def as_json(decisions: Curation) -> dict[str, Any]:
    """The decisions as they stand in a file."""
    return {
        "version": _VERSION,
        "exclude": decisions.exclude,
        "relabel": {row: new._asdict() for row, new in decisions.relabel.items()},
        "merge": {label: new._asdict() for label, new in decisions.merge.items()},
    }


def final_label(label: str, merge: dict[str, Merge], place: str) -> str:
    """The label at the end of a chain of merged ones.

    Raises:
        RequestError: the chain ends nowhere.
    """
    seen = [label]
    while label in merge:
        label = merge[label].into
        if label in seen:
            raise RequestError(f"{place} merges {' into '.join(map(repr, [*seen, label]))}, which ends nowhere")
        seen.append(label)
    return label


def _targets(decisions: Curation) -> set[str]:
    return {found.into for found in decisions.merge.values()}


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
