"""What a classifier scores whose rows may have several labels or none, and from which probability on it gives a label.

Rates of single classes and their averages are those of `metrics`. Truth and predictions are marks: booleans
(rows, classes).
"""

from collections.abc import Callable
from typing import Any

import datasets
import evaluate
import numpy as np
from scipy.special import expit
from transformers import EvalPrediction

from studio.evaluation import metrics

# The name of each score in files and flags, and what people call it.
SCORES = {
    "accuracy": "accuracy (all labels right)",
    "f1_micro": "F1, micro",
    **{name: title for name, title in metrics.SCORES.items() if name != "accuracy"},
}

USUAL = 0.5  # the threshold while the model is trained
_THRESHOLDS = np.arange(1, 20) / 20  # those that are tried at the end


def titles(found: dict[str, Any]) -> dict[str, str]:
    """The scores that metrics.json (`found`) holds, of either kind, and what people call them."""
    return SCORES if "threshold" in found else metrics.SCORES


def commonest_title(found: dict[str, Any]) -> str:
    """What people call the figure of a model that has learnt nothing but what is common."""
    return f"accuracy of always answering the commonest {'set of labels' if 'threshold' in found else 'class'}"


def compute_metrics(labels: list[str]) -> Callable[[EvalPrediction], dict[str, float]]:
    """As `metrics.compute_metrics`, for several labels per row: the SCORES at the usual threshold."""
    metric = MultiLabel(keep_in_memory=True)

    def compute(evaluation: EvalPrediction) -> dict[str, float]:
        predictions = marks(metrics.finite_logits(evaluation.predictions), USUAL)
        return metric.compute(predictions=predictions, references=evaluation.label_ids)

    return compute


class MultiLabel(evaluate.Metric):
    """The SCORES as a module of the `evaluate` library; takes ones and zeros (rows, classes)."""

    def _info(self) -> evaluate.MetricInfo:
        several = datasets.List(datasets.Value("int8"))
        return evaluate.MetricInfo(
            description="Subset accuracy, micro, macro and weighted F1, macro precision and macro recall.",
            citation="",
            features=datasets.Features(predictions=several, references=several),
        )

    def _compute(self, predictions: list[list[int]], references: list[list[int]]) -> dict[str, float]:
        return scores(np.array(references, bool), np.array(predictions, bool))


def marks(logits: np.ndarray, threshold: float) -> np.ndarray:
    """The labels that logits (rows, classes) give: those whose probability reaches the threshold."""
    return expit(logits.astype(np.float32)) >= threshold


def best_threshold(logits: np.ndarray, truth: np.ndarray, metric: str) -> float:
    """One threshold for all classes, under which the rows score highest; the one nearest to the usual if several do.

    metric: the score in question; macro F1 takes the place of those that a threshold at an end of the range wins
        (precision, recall) or does not touch (loss).
    """
    name = metric if metric in ("accuracy", "f1_micro", "f1_weighted") else "f1_macro"
    found = {value: scores(truth, marks(logits, value))[name] for value in _THRESHOLDS.tolist()}
    return max(found, key=lambda value: (found[value], -abs(value - USUAL)))


def scores(truth: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """The SCORES of marks."""
    counts = ((truth & predictions).sum(axis=0), truth.sum(axis=0), predictions.sum(axis=0))
    found = _scores(*counts, right=(truth == predictions).all(axis=1).sum(), rows=len(truth))
    return {name: float(value) for name, value in found.items()}


def per_class(truth: np.ndarray, predictions: np.ndarray, labels: list[str]) -> dict[str, dict[str, float]]:
    """As `metrics.per_class`."""
    counts = ((truth & predictions).sum(axis=0), truth.sum(axis=0), predictions.sum(axis=0))
    return metrics.class_rows(*counts, labels)


def intervals(
    truth: np.ndarray, predictions: np.ndarray, *, seed: int, resamples: int = 1000
) -> dict[str, list[float]]:
    """As `metrics.intervals`: rows are drawn with replacement, those with the same truth and predictions at once."""
    classes, rows = truth.shape[1], len(truth)
    packed = np.packbits(np.concatenate([truth, predictions], axis=1), axis=1)
    kinds, counts = np.unique(packed, axis=0, return_counts=True)
    both = np.unpackbits(kinds, axis=1, count=2 * classes).astype(bool)
    true, predicted = both[:, :classes], both[:, classes:]  # (kinds of rows, classes)
    right = (true == predicted).all(axis=1)
    counted = np.concatenate([true & predicted, true, predicted], axis=1, dtype=np.float32)

    def score(drawn: np.ndarray) -> dict[str, np.ndarray]:
        hits, truth, taken = np.split(drawn.astype(np.float32) @ counted, 3, axis=1)  # BLAS knows no whole numbers
        return _scores(hits, truth, taken, right=drawn @ right, rows=rows)

    return metrics.bootstrap(counts, score, seed=seed, resamples=resamples)


def commonest(truth: np.ndarray) -> float:
    """The accuracy of always answering the commonest set of labels."""
    return float(np.unique(truth, axis=0, return_counts=True)[1].max() / len(truth))


def _scores(
    hits: np.ndarray, truth: np.ndarray, predicted: np.ndarray, *, right: np.ndarray, rows: int
) -> dict[str, np.ndarray]:
    """The SCORES from counts (..., classes) as in `metrics`, and of rows (...) whose labels are all right."""
    averages = metrics.averages(hits, truth, predicted)
    return {
        "accuracy": right / rows,
        "f1_micro": metrics.ratio(2 * hits.sum(axis=-1), (truth + predicted).sum(axis=-1)),
        **averages,
    }
