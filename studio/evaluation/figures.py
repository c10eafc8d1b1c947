"""The figures of a split, as report/metrics.json holds them."""

from typing import Any

from studio.evaluation import metrics, multilabel, scores
from studio.evaluation.answered import Answered


def figures(rows: Answered, loss: float, *, seed: int) -> dict[str, Any]:
    """The scores with their intervals, and those of each class; `loss` is the mean that the model was trained by."""
    if rows.several:
        found, majority = multilabel.scores(rows.truth, rows.given), multilabel.commonest(rows.truth)
        intervals = multilabel.intervals(rows.truth, rows.given, seed=seed)
        per_class = multilabel.per_class(rows.truth, rows.given, rows.labels)
    else:
        matrix = metrics.confusion(rows.truth, rows.given, len(rows.labels))
        found, majority = metrics.scores(matrix), matrix.sum(axis=1).max() / len(rows.truth)
        intervals, per_class = metrics.intervals(matrix, seed=seed), metrics.per_class(matrix, rows.labels)
    return {
        **found,
        "loss": float(loss),
        "samples": len(rows.truth),
        "majority_accuracy": float(majority),
        **scores.further(rows),
        "intervals": intervals | scores.intervals(rows, seed=seed),
        "per_class": per_class,
    }
