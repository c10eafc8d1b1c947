"""Where a model errs: what it takes for what, and the errors it was surest of."""

from typing import Any

import numpy as np

from studio.evaluation import metrics
from studio.evaluation.answered import Answered

_PAIRS = 10
_ERRORS = 20
_BINS = 20


def confused_pairs(rows: Answered) -> list[dict[str, Any]]:
    """The commonest errors first: `label`, the `prediction` in its place, `rows`, their `share` of the label's rows.

    Where rows have several labels: rows that lack the one although it is true, and have the other although it is not.
    """
    errors, of_label = _errors(rows)
    order = np.argsort(-errors, axis=None, kind="stable")[:_PAIRS]
    found = []
    for label, prediction in zip(*np.unravel_index(order, errors.shape), strict=True):
        if count := int(errors[label, prediction]):
            share = count / int(of_label[label])
            names = {"label": rows.labels[label], "prediction": rows.labels[prediction]}
            found.append(names | {"rows": count, "share": share})
    return found


def surest_errors(rows: Answered) -> list[dict[str, Any]]:
    """The wrong answers that the model was surest of: row_id, label, prediction (lists), score.

    `score` is the probability of the wrong label; of a label that is missing, one less its probability.
    """
    if rows.several:
        wrong = rows.truth != rows.given
        sure = (np.where(rows.given, rows.probabilities, 1 - rows.probabilities) * wrong).max(axis=1)
    else:
        sure = np.where(rows.right, 0, rows.confidence)
    order = [i for i in np.argsort(-sure, kind="stable")[:_ERRORS] if not rows.right[i]]
    return [
        {
            "row_id": rows.row_ids[i],
            "label": rows.names(rows.truth, i),
            "prediction": rows.names(rows.given, i),
            "score": float(sure[i]),
        }
        for i in order
    ]


def confidence_of_right_and_wrong(rows: Answered) -> dict[str, list]:
    """Histograms of the highest probability of each row: `edges`, and how many are `right` and `wrong` between them."""
    edges = np.linspace(0, 1, _BINS + 1)
    right, wrong = (np.histogram(rows.confidence[part], edges)[0].tolist() for part in (rows.right, ~rows.right))
    return {"edges": edges.tolist(), "right": right, "wrong": wrong}


def _errors(rows: Answered) -> tuple[np.ndarray, np.ndarray]:
    """(classes, classes): how often one label was taken for another; and the rows of each label."""
    if rows.several:
        missed, invented = rows.truth & ~rows.given, rows.given & ~rows.truth
        return missed.T.astype(np.int64) @ invented.astype(np.int64), rows.truth.sum(axis=0)
    matrix = metrics.confusion(rows.truth, rows.given, len(rows.labels))
    errors = matrix.copy()
    np.fill_diagonal(errors, 0)
    return errors, matrix.sum(axis=1)
