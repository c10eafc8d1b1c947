"""What a classifier scores whose rows may have several labels or none, and from which probability on it gives a label.

Rates of single classes and their averages are those of `metrics`. Truth and predictions are marks: booleans
(rows, classes).
"""

from typing import Any

import numpy as np
from scipy.special import expit

from studio.evaluation import metrics

# The name of each score in files and flags, and what people call it.
SCORES = {
    "accuracy": "accuracy (all labels right)",
    "f1_micro": "F1, micro",
    **{name: title for name, title in metrics.SCORES.items() if name != "accuracy"},
}

USUAL = 0.5  # the threshold where no other is better
_TRIED = 200  # thresholds, at most


def titles(found: dict[str, Any]) -> dict[str, str]:
    """The scores that metrics.json (`found`) holds, of either kind, and what people call them."""
    return SCORES if "threshold" in found else metrics.SCORES


def commonest_title(found: dict[str, Any]) -> str:
    """What people call the figure of a model that has learnt nothing but what is common."""
    return f"accuracy of always answering the commonest {'set of labels' if 'threshold' in found else 'class'}"


def marks(logits: np.ndarray, threshold: float) -> np.ndarray:
    """The labels that logits (rows, classes) give: those whose probability reaches the threshold."""
    return expit(logits.astype(np.float32)) >= threshold


def best_threshold(logits: np.ndarray, truth: np.ndarray, metric: str) -> float:
    """The threshold under which the rows score highest; the one nearest to the usual if several do.

    It is one for all labels, so that a model folder states one number that anyone can apply to what the `pipeline` of
    transformers answers, and so that a rare label is not judged by a number that rests on a few rows.

    metric: the score in question; macro F1 takes the place of those that a threshold at an end of the range wins
        (precision, recall) or does not touch (loss).
    """
    probabilities = expit(logits.astype(np.float32))
    thresholds, found = _tried(probabilities, truth)
    best = thresholds[_best(thresholds, found, metric)]
    below = probabilities.max(where=probabilities < best, initial=0)
    middle = (best + below) / 2  # no probability lies between: as far as can be from either side
    return float(middle if best != USUAL and middle > below else best)


def best_scores(logits: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """The SCORES, each at the threshold that `best_threshold` finds for it."""
    thresholds, found = _tried(expit(logits.astype(np.float32)), truth)
    return {name: float(found[name][_best(thresholds, found, name)]) for name in SCORES}


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
    truth: np.ndarray,
    predictions: np.ndarray,
    *,
    seed: int,
    resamples: int = 1000,
    more: metrics.Score | None = None,
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
        by_class = np.split(drawn.astype(np.float32) @ counted, 3, axis=1)  # BLAS knows no whole numbers
        return _scores(*by_class, right=drawn @ right, rows=rows) | (more(*by_class) if more else {})

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


def _tried(probabilities: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The thresholds worth trying, in order, and the SCORES (thresholds,) of labels given from each on.

    They are the usual one and probabilities of labels that are right: a threshold between two of these gives more
    wrong labels than the upper one, and no other right ones.
    """
    classes, right = truth.shape[1], probabilities[truth]
    spread = np.quantile(right, np.linspace(0, 1, _TRIED - 1), method="inverted_cdf") if len(right) else []
    thresholds = np.unique(np.append(spread, USUAL).astype(np.float32))
    reached = np.searchsorted(thresholds, probabilities, side="right")  # how many, by each probability
    cells = reached * classes + np.arange(classes)

    def given(cells: np.ndarray) -> np.ndarray:
        """How many of the cells reach each threshold: (thresholds, classes)."""
        counts = np.bincount(cells.ravel(), minlength=(len(thresholds) + 1) * classes).reshape(-1, classes)
        return counts[:0:-1].cumsum(axis=0)[::-1]

    # The labels of a row are all right from the first threshold that no wrong one reaches to the last of all right ones
    first, last = np.where(truth, 0, reached).max(axis=1), np.where(truth, reached, len(thresholds)).min(axis=1)
    steps = (np.bincount(at[first < last], minlength=len(thresholds) + 1) for at in (first, last))
    whole = np.subtract(*steps).cumsum()[:-1]
    predicted = given(cells)
    counts = given(cells[truth]), np.broadcast_to(truth.sum(axis=0), predicted.shape), predicted
    return thresholds, _scores(*counts, right=whole, rows=len(truth))


def _best(thresholds: np.ndarray, found: dict[str, np.ndarray], metric: str) -> int:
    """Which of the thresholds `best_threshold` means."""
    score = found[metric if metric in ("accuracy", "f1_micro", "f1_weighted") else "f1_macro"]
    return int(np.lexsort((abs(thresholds - USUAL), -score))[0])
