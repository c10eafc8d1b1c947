"""What a person has marked among the rows of a run: to leave out, or to give another label; step by step, to undo.

They lie in `<run>/report/marks.json` until they are saved as a data-set version, so that no reload loses them.
"""

import json
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from studio.data.curation import Curation, Relabel
from studio.runs import write_whole

_FILE = "marks.json"
REASON = "marked on the Evaluate screen"
_ID = re.compile(r"[0-9a-f]{1,64}-\d+")
_LOCK = threading.Lock()  # of two tabs that mark at once, neither loses anything

Row = dict[str, Any]  # row_id, split, label, prediction (lists of names), as the list of rows has it


class Mark(NamedTuple):
    """A row as it was scored, and what is to become of it: `to` are its labels, None where it is left out."""

    split: str
    label: list[str]
    prediction: list[str]
    to: list[str] | None


def read(run: Path) -> dict[str, Mark]:
    """The marks of a run by row id, as all steps together have it; a file that is damaged holds none."""
    found: dict[str, Mark] = {}
    for step in _steps(run):
        for row_id, mark in step.items():
            found.pop(row_id, None)
            if mark is not None:
                found[row_id] = mark
    return found


def leave_out(run: Path, rows: Iterable[Row]) -> None:
    """Marks rows to be left out."""
    _add(run, {row["row_id"]: _mark(row, None) for row in rows})


def relabel(run: Path, rows: Iterable[Row], to: list[str]) -> None:
    """Marks rows to have these labels."""
    _add(run, {row["row_id"]: _mark(row, to) for row in rows})


def leave_alone(run: Path, rows: Iterable[Row]) -> None:
    """Takes the marks of rows away."""
    _add(run, {row["row_id"]: None for row in rows})


def undo(run: Path) -> None:
    """Takes the last step back."""
    with _LOCK:
        _write(run, _steps(run)[:-1])


def clear(run: Path) -> None:
    """Takes all marks away."""
    (run / "report" / _FILE).unlink(missing_ok=True)


def decisions(marks: dict[str, Mark], *, several: bool) -> Curation:
    """The marks as a curation file holds them; where rows have `several` labels, a row's new ones are a list."""
    exclude = {row_id: REASON for row_id, mark in marks.items() if mark.to is None}
    new = {row_id: mark.to if several else mark.to[0] for row_id, mark in marks.items() if mark.to is not None}
    return Curation(exclude, {row_id: Relabel(label, REASON) for row_id, label in new.items()})


def told(marks: dict[str, Mark], found: dict[str, Any]) -> list[str]:
    """What comes of the marks, in sentences: what changes, what does not, and what this very model would score.

    found: the analysis of the run's own test rows.
    """
    if not marks:
        return ["Nothing is marked yet. Choose rows above, then leave them out or give them another label."]
    out = sum(mark.to is None for mark in marks.values())
    sentences = [f"{_rows(len(marks))} marked: {out:,} to leave out, {len(marks) - out:,} to relabel."]
    if test := [mark for mark in marks.values() if mark.split == "test"]:
        before, after = found["scores"]["accuracy"], _accuracy(test, found)
        sentences += [
            f"{_rows(len(test))} among the test rows, so that the test becomes another: on it this very model, as it "
            f"is, has an accuracy of {after:.1%} instead of {before:.1%}. A new run has learnt more only where it does "
            "better than that; Compare tests both on the rows whose labels are the same in the two.",
            "Rows that were marked because the model errs on them make any score look better, and teach it nothing: it "
            "learns from the training rows, whose wrong labels the check on the Data screen looks for.",
        ]
    if count := sum(mark.split == "validation" for mark in marks.values()):
        sentences.append(f"{_rows(count)} among the validation rows, by which the best checkpoint is chosen.")
    return sentences


def _accuracy(test: list[Mark], found: dict[str, Any]) -> float:
    """What the model scores on the test rows as they are to be."""
    right = round(found["scores"]["accuracy"] * found["rows"]) - sum(mark.label == mark.prediction for mark in test)
    right += sum(mark.to == mark.prediction for mark in test if mark.to is not None)
    return right / max(1, found["rows"] - sum(mark.to is None for mark in test))


def _rows(count: int) -> str:
    return f"{count:,} row is" if count == 1 else f"{count:,} rows are"


def _mark(row: Row, to: list[str] | None) -> Mark:
    return Mark(row["split"], row["label"], row["prediction"], to)


def _add(run: Path, step: dict[str, Mark | None]) -> None:
    with _LOCK:
        _write(run, [*_steps(run), step])


def _steps(run: Path) -> list[dict[str, Mark | None]]:
    try:
        steps = json.loads((run / "report" / _FILE).read_text(encoding="utf-8"))
        return [{i: mark and Mark(*mark) for i, mark in step.items() if _ID.fullmatch(i)} for step in steps]
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return []


def _write(run: Path, steps: list[dict[str, Mark | None]]) -> None:
    write_whole(run / "report" / _FILE, json.dumps(steps, ensure_ascii=False))
