"""Answered rows, as arrays to count with and as the table that report/predictions.parquet is."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datasets import Dataset
from scipy.special import expit, softmax

from studio.data.alike import column
from studio.data.traits import traits
from studio.errors import RequestError
from studio.evaluation import multilabel

_PROBABILITY = "probability_"  # before the name of a label
_COLUMNS = ("row_id", "split", "label", "prediction", "score")  # those of every run; any other is a trait of the rows


@dataclass(frozen=True)
class Answered:
    """What a model answered to rows whose labels are known.

    `truth` and `given` are class ids (rows,), or marks (rows, classes) where rows have several labels;
    `probabilities` is (rows, classes). `traits` are columns of what the rows are like, such as their length.
    """

    labels: list[str]
    row_ids: list[str]
    truth: np.ndarray
    given: np.ndarray
    probabilities: np.ndarray
    traits: dict[str, list] = field(default_factory=dict)

    @property
    def several(self) -> bool:
        return self.truth.ndim == 2

    @property
    def right(self) -> np.ndarray:
        """(rows,): whether the label is right, or all labels of the row are."""
        same = self.truth == self.given
        return same.all(axis=1) if self.several else same

    @property
    def confidence(self) -> np.ndarray:
        """(rows,): the highest probability, which is that of the label that is given."""
        return self.probabilities.max(axis=1).astype(float)

    @property
    def true_marks(self) -> np.ndarray:
        """(rows, classes): whether the row has the label."""
        return self.truth if self.several else self.truth[:, None] == np.arange(len(self.labels))

    def names(self, part: np.ndarray, row: int) -> list[str]:
        """The labels that `truth` or `given` holds of a row."""
        return [self.labels[i] for i in (np.flatnonzero(part[row]) if self.several else [part[row]])]


def of_logits(
    logits: np.ndarray, truth: np.ndarray, threshold: float | None, labels: list[str], row_ids: list[str]
) -> Answered:
    """The answers that logits (rows, classes) are; `threshold` is that of rows with several labels."""
    if threshold is None:
        probabilities, given = softmax(logits.astype(np.float32), axis=-1), logits.argmax(axis=-1)
    else:
        probabilities, given = expit(logits.astype(np.float32)), multilabel.marks(logits, threshold)
    return Answered(labels, row_ids, truth, given, probabilities)


def table(rows: Answered, split: str) -> pa.Table:
    """One row per prediction; `score` is the probability of the predicted class.

    Where rows have several labels, `label` and `prediction` are lists, and `score` is the highest probability.
    """
    names = np.asarray(rows.labels, dtype=object)
    if rows.several:
        kind = pa.list_(pa.string())
        label, prediction = (pa.array([names[row] for row in marks], kind) for marks in (rows.truth, rows.given))
    else:
        label, prediction = names[rows.truth], names[rows.given]
    columns = {
        "row_id": rows.row_ids,
        "split": [split] * len(rows.row_ids),
        "label": label,
        "prediction": prediction,
        "score": rows.probabilities.max(axis=-1),
    }
    probabilities = {_PROBABILITY + name: rows.probabilities[:, i] for i, name in enumerate(rows.labels)}
    return pa.table(columns | probabilities | rows.traits)


def traits_of(row_ids: list[str], rows: Dataset) -> dict[str, list]:
    """What rows of these ids are like, by the data that they stand in; None for those that are not there."""
    ids = column(rows, "row_id")
    wanted = rows.select(np.flatnonzero(pc.is_in(ids, pa.array(row_ids, pa.string()))))
    at = {row_id: i for i, row_id in enumerate(column(wanted, "row_id").to_pylist())}
    return {
        name: [values[at[row_id]] if row_id in at else None for row_id in row_ids]
        for name, values in traits(wanted).items()
    }


def read(report: Path, split: str) -> Answered:
    """The rows of a split in a report folder's predictions.parquet.

    Raises:
        RequestError: it is not there, is damaged, or holds no such row.
    """
    file = report / "predictions.parquet"
    try:
        whole = pq.read_table(io.BytesIO(file.read_bytes()))
        found = whole.filter(pc.equal(whole["split"], split))
        labels = [name.removeprefix(_PROBABILITY) for name in whole.column_names if name.startswith(_PROBABILITY)]
        at = {label: i for i, label in enumerate(labels)}
        truth, given = (_numbered(found[name], at) for name in ("label", "prediction"))
        probabilities = np.stack([found[_PROBABILITY + label].to_numpy() for label in labels], axis=1)
        traits = {name: found[name].to_pylist() for name in whole.column_names if _is_trait(name)}
        row_ids = found["row_id"].to_pylist()
    except OSError as error:
        raise RequestError(f"{file} is not there: the report is written when a run has finished") from error
    except (KeyError, ValueError, pa.ArrowException) as error:
        raise RequestError(f"{file} is damaged or lacks the probability of a label: score the run anew") from error
    if not row_ids:
        raise RequestError(f"{file} holds no {split} rows")
    return Answered(labels, row_ids, truth, given, probabilities, traits)


def _is_trait(column: str) -> bool:
    return column not in _COLUMNS and not column.startswith(_PROBABILITY)


def _numbered(column: pa.ChunkedArray, at: dict[str, int]) -> np.ndarray:
    """Class ids (rows,) of names, or marks (rows, classes) of lists of names."""
    if not pa.types.is_list(column.type):
        return np.array([at[name] for name in column.to_pylist()], np.int64)
    marks = np.zeros((len(column), len(at)), bool)
    for row, names in enumerate(column.to_pylist()):
        marks[row, [at[name] for name in names]] = True
    return marks
