"""Answered rows that somebody wants to see: those of a cell of the confusion matrix, the surest errors first."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datasets import Dataset, concatenate_datasets

from studio.data import load, preview
from studio.errors import RequestError
from studio.evaluation import items
from studio.fields import to_flags
from studio.runs import Run

ANSWERS = ("wrong", "right", "all")
SPLITS = ("test", "validation")
_SHOWN = ["row_id", "label", "prediction", "score"]
_PROBABILITY = "probability_"  # before the name of a label
_APART = "\x1f"  # between labels, which do not hold it


def look(
    run: Run,
    *,
    split: str = "test",
    true: str | None = None,
    predicted: str | None = None,
    answers: str = "wrong",
    at: int = 0,
    count: int = 12,
    data: str | None = None,
) -> dict[str, Any]:
    """Rows from place `at` on, `count` at most, with their texts or pictures; `data` is the folder of other data.

    Returns:
        rows (how many there are); items ({"row_id", "label", "prediction" (lists of names), "score", "text", "jpeg"});
        note (why texts and pictures are lacking, or nothing).

    Raises:
        RequestError: there is no such report, split or label, or the predictions are missing or damaged.
    """
    report = _report(run, data)
    found = chosen(report, split, true=true, predicted=predicted, answers=answers)
    shown, note = found.slice(at, count).to_pylist(), ""
    contents = {}
    try:
        contents = items.items(_rows(run, report, data), [row["row_id"] for row in shown]) if shown else {}
    except (RequestError, OSError) as error:
        note = f"Texts and pictures are not shown, for the data cannot be read any more: {error}"
    for row in shown:
        row |= {part: row[part] if isinstance(row[part], list) else [row[part]] for part in ("label", "prediction")}
        row |= contents.get(row["row_id"], items.Item()).as_json()
    return {"rows": len(found), "items": shown, "note": note}


def chosen(
    report: Path, split: str, *, true: str | None = None, predicted: str | None = None, answers: str = "wrong"
) -> pa.Table:
    """Those rows of report/predictions.parquet, by row_id, label, prediction and score, the surest first.

    Where rows have several labels, wrong rows of a true label are those that lack it, wrong rows of a predicted one
    those that have it although it is not true; the score of a wrong row is that of its surest wrong label.

    Raises:
        RequestError: there is no such split or label, or the predictions are missing or damaged.
    """
    if answers not in ANSWERS or split not in SPLITS:
        raise RequestError(f"--answers is one of {', '.join(ANSWERS)}, --split one of {', '.join(SPLITS)}")
    file = report / "predictions.parquet"
    found, labels = _read(file, split)
    for flag, name in (("true", true), ("predicted", predicted)):
        if name is not None and name not in labels:
            raise RequestError(f"--{flag} {name} is none of the labels: {', '.join(labels[:10])}")
    if pa.types.is_list(found["label"].type):
        return _of_several(file, split, found, labels, true, predicted, answers)
    label, prediction = found["label"], found["prediction"]
    mask = _of_kind(pc.equal(label, prediction), answers)
    for part, name in ((label, true), (prediction, predicted)):
        mask = mask if name is None else pc.and_(mask, pc.equal(part, name))
    return _surest(found.filter(mask))


def _read(file: Path, split: str) -> tuple[pa.Table, list[str]]:
    """The answered rows of a split without their probabilities, and the labels of the model."""
    try:
        names = pq.read_schema(file).names
        found = pq.read_table(file, columns=_SHOWN, filters=[("split", "=", split)])
    except FileNotFoundError as error:
        raise RequestError(f"{file} is not there: the report is written when a run has finished") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise RequestError(f"{file} is damaged: score the run anew") from error
    if found.column_names != _SHOWN:
        raise RequestError(f"{file} lacks columns: score the run anew")
    return found, [name.removeprefix(_PROBABILITY) for name in names if name.startswith(_PROBABILITY)]


def _of_several(
    file: Path, split: str, found: pa.Table, labels: list[str], true: str | None, predicted: str | None, answers: str
) -> pa.Table:
    """As `chosen`, of rows with several labels."""
    label, prediction = (found[part].combine_chunks() for part in ("label", "prediction"))
    mask = _of_kind(pc.equal(pc.binary_join(label, _APART), pc.binary_join(prediction, _APART)), answers)
    mask = mask.to_numpy(zero_copy_only=False)
    for name, part, other in ((true, label, prediction), (predicted, prediction, label)):
        if name is not None:
            mask = mask & _have(part, name) & (~_have(other, name) if answers == "wrong" else True)
    at = np.flatnonzero(mask)
    kept = found.take(at)
    if answers != "wrong":
        return _surest(kept)
    columns = [_PROBABILITY + name for name in labels]
    probabilities = pq.read_table(file, columns=columns, filters=[("split", "=", split)]).take(at)
    sure = np.zeros(len(kept))
    for name, column in zip(labels, columns, strict=True):
        is_true, given = (_have(kept[part].combine_chunks(), name) for part in ("label", "prediction"))
        of_label = probabilities[column].to_numpy().astype(float)
        sure = np.maximum(sure, np.where(given, of_label, 1 - of_label) * (is_true != given))
    return _surest(kept.set_column(kept.column_names.index("score"), "score", pa.array(sure)))


def _of_kind(right: pa.Array | pa.ChunkedArray, answers: str) -> pa.Array | pa.ChunkedArray:
    """(rows,): whether a row is of the answers that are wanted."""
    if answers == "all":
        return pc.true_unless_null(right)
    return right if answers == "right" else pc.invert(right)


def _have(lists: pa.ListArray, name: str) -> np.ndarray:
    """(rows,): whether the list holds the name."""
    mask = np.zeros(len(lists), bool)
    inside = pc.equal(pc.list_flatten(lists), name)
    mask[pc.list_parent_indices(lists).filter(inside).to_numpy()] = True
    return mask


def _surest(rows: pa.Table) -> pa.Table:
    """The rows by score, the highest first; equal ones in the order in which they were."""
    return rows.take(np.argsort(-rows["score"].to_numpy(), kind="stable"))


def _report(run: Run, data: str | None) -> Path:
    """The report of the run itself, or that of other data by the name of its folder."""
    run.record()
    if not data:
        return run.report
    known = [file.parent for file in run.report.glob("*/metrics.json")]
    for folder in known:
        if folder.name == data:
            return folder
    names = ", ".join(folder.name for folder in known) or "none"
    raise RequestError(f"--data {data}: the run was evaluated on no such data (known: {names})")


def _rows(run: Run, report: Path, data: str | None) -> Dataset:
    """The rows that the report is about, and others beside them."""
    settings = load.settings_of(run)
    if data:
        try:
            said = json.loads((report / "metrics.json").read_text())["dataset"]["settings"]
        except (ValueError, KeyError, TypeError) as error:
            raise RequestError("the report does not say how they were read; evaluate the run on them anew") from error
        settings = preview.settings(to_flags(said), run.record()["task"])[1]
    return concatenate_datasets(list(load.curated(settings).splits.values()))
