"""Several labels per row: lists of class ids in a data set, a mark for each class where they are counted or learnt.

What follows takes either kind: `labels` are class ids (rows,), or marks (rows, classes), above 0 where a row has the
label.
"""

import datasets
import numpy as np
import pyarrow as pa
from datasets import Dataset

from studio.errors import RequestError

_MOST = 2_000_000_000  # marks, one byte each


def labels_of(rows: Dataset) -> np.ndarray:
    """The labels of a data set.

    Raises:
        RequestError: the marks of so many rows and classes would fill the memory.
    """
    column = rows.select_columns(["label"]).with_format("arrow")[:]["label"]
    feature = rows.features["label"]
    return _marks(column.combine_chunks(), feature) if isinstance(feature, datasets.List) else column.to_numpy()


def targets(labels: list, feature: datasets.ClassLabel | datasets.List) -> list[int] | np.ndarray:
    """What a model is to answer to rows of a data set: class ids, or floats of 0 and 1 (rows, classes)."""
    if not isinstance(feature, datasets.List):
        return labels
    return _marks(pa.array(labels, pa.list_(pa.int64())), feature).astype(np.float32)


def lists(labels: np.ndarray) -> np.ndarray | pa.ListArray:
    """The labels as a data set holds them."""
    if labels.ndim == 1:
        return labels
    row, label = pairs(labels)
    return pa.ListArray.from_arrays(np.searchsorted(row, np.arange(len(labels) + 1)), label)


def pairs(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and class of every label, by row."""
    return (np.arange(len(labels)), labels) if labels.ndim == 1 else np.nonzero(labels > 0)


def codes(labels: np.ndarray) -> np.ndarray:
    """(rows,) numbers, the same where all labels are the same."""
    return labels if labels.ndim == 1 else np.unique(labels, axis=0, return_inverse=True)[1]


def _marks(lists: pa.ListArray, feature: datasets.List) -> np.ndarray:
    rows, classes = len(lists), len(feature.feature.names)
    if rows * classes > _MOST:
        raise RequestError(
            f"{rows:,} rows with {classes:,} possible labels would fill {rows * classes / 1e9:.1f} GB of memory, "
            "several times over: take rare labels out, or bring fewer rows"
        )
    found = np.zeros((rows, classes), bool)
    found[np.repeat(np.arange(len(lists)), lists.value_lengths()), lists.flatten()] = True
    return found
