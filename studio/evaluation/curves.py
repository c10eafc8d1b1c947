"""What a model scores at every threshold: ROC and precision-recall curves, the areas below them, answers held back."""

from typing import NamedTuple

import numpy as np

from studio.evaluation.answered import Answered

_POINTS = 200  # of a curve that is kept
THRESHOLDS = np.linspace(0, 1, 101)


class Sweep(NamedTuple):
    """Counts (points,) of rows that reach each threshold, from the highest score on; the first point is none."""

    hits: np.ndarray  # that have the label
    false: np.ndarray  # that do not


def sweep(positive: np.ndarray, score: np.ndarray) -> Sweep:
    """From marks (rows,) and scores (rows,); rows of one score reach a threshold together."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)  # of each score
    hits = np.cumsum(positive[order])[last]
    return Sweep(np.append(0, hits), np.append(0, last + 1 - hits))


def roc_auc(found: Sweep) -> float | None:
    """The area below the ROC curve, which is the chance that a row with the label scores above one without.

    None where all rows have the label, or none has it.
    """
    if not found.hits[-1] or not found.false[-1]:
        return None
    return float(np.trapezoid(found.hits / found.hits[-1], found.false / found.false[-1]))


def average_precision(found: Sweep) -> float | None:
    """The area below the precision-recall curve as a sum of steps, which no interpolation flatters; None without rows.

    It is scikit-learn's average_precision_score.
    """
    if not found.hits[-1]:
        return None
    precision = found.hits[1:] / (found.hits[1:] + found.false[1:])
    return float(np.sum(np.diff(found.hits / found.hits[-1]) * precision))


def roc(found: Sweep) -> dict[str, list[float]]:
    """The ROC curve, thinned: "x" the share of false alarms, "y" the share that is found."""
    return _thin(found.false / found.false[-1], found.hits / found.hits[-1])


def precision_recall(found: Sweep) -> dict[str, list[float]]:
    """The curve, thinned: "x" recall, "y" precision."""
    hits, false = found.hits[1:], found.false[1:]
    return _thin(hits / hits[-1], hits / (hits + false))


def held_back(rows: Answered) -> dict[str, list[float | None]]:
    """What is gained by taking only answers from a confidence on.

    "threshold"; "answered", the share of rows that reach it; "accuracy" among them, None where there are none.
    """
    order = np.sort(rows.confidence)
    reached = len(order) - np.searchsorted(order, THRESHOLDS)
    sorted_right = np.sort(rows.confidence[rows.right])
    right = len(sorted_right) - np.searchsorted(sorted_right, THRESHOLDS)
    accuracy = [float(r / n) if n else None for r, n in zip(right, reached, strict=True)]
    return {
        "threshold": THRESHOLDS.tolist(),
        "answered": (reached / len(order)).tolist(),
        "accuracy": accuracy,
    }


def by_threshold(positive: np.ndarray, probability: np.ndarray) -> dict[str, list[float]]:
    """Precision, recall and F1 of one label, were it given from each threshold on."""
    at = np.sort(probability), np.sort(probability[positive])
    given, hits = (len(part) - np.searchsorted(part, THRESHOLDS.astype(probability.dtype)) for part in at)
    wanted = max(1, int(positive.sum()))
    return {
        "threshold": THRESHOLDS.tolist(),
        "precision": (hits / np.maximum(1, given)).tolist(),
        "recall": (hits / wanted).tolist(),
        "f1": (2 * hits / np.maximum(1, given + positive.sum())).tolist(),
    }


def best_f1(positive: np.ndarray, probability: np.ndarray) -> float:
    """The threshold under which one label scores the highest F1; the one nearest to 0.5 if several do."""
    f1 = np.array(by_threshold(positive, probability)["f1"])
    return float(THRESHOLDS[np.lexsort((abs(THRESHOLDS - 0.5), -f1))[0]])


def _thin(x: np.ndarray, y: np.ndarray) -> dict[str, list[float]]:
    kept = np.unique(np.linspace(0, len(x) - 1, _POINTS).round().astype(int))
    return {"x": x[kept].tolist(), "y": y[kept].tolist()}
