"""The figures of a split, as report/metrics.json holds them."""

from typing import Any

import numpy as np

from studio.evaluation import metrics, multilabel, proportions, scores
from studio.evaluation.answered import Answered


def figures(rows: Answered, loss: float, *, seed: int) -> dict[str, Any]:
    """The scores and those of each class with 95 % intervals; `loss` is the mean cross-entropy."""
    if rows.several:
        found, majority = multilabel.scores(rows.truth, rows.given), multilabel.commonest(rows.truth)
        drawn = multilabel.intervals(rows.truth, rows.given, seed=seed, more=_more(rows))
        per_class = multilabel.per_class(rows.truth, rows.given, rows.labels)
    else:
        matrix = metrics.confusion(rows.truth, rows.given, len(rows.labels))
        found, majority = metrics.scores(matrix), matrix.sum(axis=1).max() / len(rows.truth)
        drawn = metrics.intervals(matrix, seed=seed, more=_more(rows))
        per_class = metrics.per_class(matrix, rows.labels)
    hits, _, given = scores.counts(rows)
    for i, row in enumerate(per_class.values()):
        row["intervals"] = _of_class(drawn.pop(i), int(hits[i]), row["support"], int(given[i]))
    return {
        **found,
        "loss": float(loss),
        "samples": len(rows.truth),
        "majority_accuracy": float(majority),
        **scores.further(rows),
        "intervals": drawn | scores.intervals(rows),
        "per_class": per_class,
    }


def _more(rows: Answered) -> metrics.Score:
    """The figures of `scores` that follow from counts, and the F1 of each class under its number."""
    of_counts = scores.of_counts(rows)

    def more(hits: np.ndarray, truth: np.ndarray, given: np.ndarray) -> dict[str | int, np.ndarray]:
        return of_counts(hits, truth, given) | dict(enumerate(metrics.ratio(2 * hits, truth + given).T))

    return more


def _of_class(f1: list[float], hits: int, support: int, given: int) -> dict[str, list[float]]:
    """Of a class that has rows, F1 and recall; precision, if it was ever answered."""
    found = {"f1": f1, "recall": list(proportions.wilson(hits, support))} if support else {}
    return found | ({"precision": list(proportions.wilson(hits, given))} if given else {})
