"""Figures beyond accuracy and F1: what the probabilities are worth, and what is fair to rare classes."""

import numpy as np

from studio.evaluation import curves, metrics, proportions
from studio.evaluation.answered import Answered
from studio.evaluation.metrics import ratio

# The name of each in files, and what people call it; a run has those that mean something for its labels.
TITLES = {
    "balanced_accuracy": "balanced accuracy",
    "matthews": "Matthews correlation",
    "top_3_accuracy": "top-3 accuracy",
    "top_5_accuracy": "top-5 accuracy",
    "log_loss": "log loss",
    "roc_auc_macro": "ROC-AUC, macro",
    "pr_auc_macro": "PR-AUC, macro",
}
_TOP = (3, 5)
_LEAST = float(np.finfo(np.float32).eps)  # a probability of 0 would cost infinitely much; as scikit-learn does


def further(rows: Answered) -> dict[str, float]:
    """Those of TITLES that mean something here.

    Where rows have several labels, balanced accuracy and Matthews correlation are means over the labels, each taken
    as present or absent, and log loss is the mean over rows and labels.
    """
    found = {name: float(value) for name, value in of_counts(rows)(*counts(rows)).items()}
    found |= {f"top_{k}_accuracy": float(_top(rows, k).mean()) for k in _tops(rows)}
    found["log_loss"] = float(log_losses(rows.probabilities, rows.truth).mean())
    for name, of_class in (("roc_auc_macro", roc_auc(rows)), ("pr_auc_macro", pr_auc(rows))):
        known = [value for value in of_class if value is not None]
        if known:
            found[name] = float(np.mean(known))
    return found


def intervals(rows: Answered) -> dict[str, list[float]]:
    """95 % intervals [low, high] of those that are means over rows: top-k accuracy and log loss."""
    found = {
        f"top_{k}_accuracy": list(proportions.wilson(int(_top(rows, k).sum()), len(rows.truth))) for k in _tops(rows)
    }
    losses = log_losses(rows.probabilities, rows.truth)
    half = 1.96 * losses.std() / np.sqrt(len(losses))
    return found | {"log_loss": [float(max(0.0, losses.mean() - half)), float(losses.mean() + half)]}


def counts(rows: Answered) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(classes,): right predictions, rows of the class, predictions of it."""
    if rows.several:
        return (rows.truth & rows.given).sum(axis=0), rows.truth.sum(axis=0), rows.given.sum(axis=0)
    matrix = metrics.confusion(rows.truth, rows.given, len(rows.labels))
    return matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)


def of_counts(rows: Answered) -> metrics.Score:
    """Balanced accuracy and Matthews correlation of such rows, from counts as `metrics.Score` has them."""
    total = len(rows.truth)

    def of_several(hits: np.ndarray, truth: np.ndarray, given: np.ndarray) -> dict[str, np.ndarray]:
        neither = total - truth - given + hits
        both = (truth > 0) & (truth < total)
        halves = (ratio(hits, truth) + ratio(neither, total - truth)) / 2
        spread = np.sqrt(1.0 * truth * (total - truth) * given * (total - given))
        return {
            "balanced_accuracy": ratio((halves * both).sum(axis=-1), both.sum(axis=-1)),
            "matthews": ratio(total * hits - 1.0 * truth * given, spread).mean(axis=-1),
        }

    def of_one(hits: np.ndarray, truth: np.ndarray, given: np.ndarray) -> dict[str, np.ndarray]:
        by_chance = (1.0 * truth * given).sum(axis=-1)
        spread = np.sqrt((total**2 - (1.0 * truth**2).sum(axis=-1)) * (total**2 - (1.0 * given**2).sum(axis=-1)))
        return {
            "balanced_accuracy": ratio(ratio(hits, truth).sum(axis=-1), (truth > 0).sum(axis=-1)),
            "matthews": ratio(total * hits.sum(axis=-1) - by_chance, spread),
        }

    return of_several if rows.several else of_one


def roc_auc(rows: Answered) -> list[float | None]:
    """Of each class against the rest; None where the rows do not have both."""
    return [curves.roc_auc(found) for found in sweeps(rows)]


def pr_auc(rows: Answered) -> list[float | None]:
    """Of each class; None where no row has it."""
    return [curves.average_precision(found) for found in sweeps(rows)]


def sweeps(rows: Answered) -> list[curves.Sweep]:
    """One for each class."""
    marks = rows.true_marks
    return [curves.sweep(marks[:, i], rows.probabilities[:, i]) for i in range(len(rows.labels))]


def log_losses(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(rows,): minus the logarithm of the probability of what is true; the mean over labels where there are several."""
    p = np.clip(probabilities.astype(float), _LEAST, 1 - _LEAST)
    if truth.ndim == 2:
        return -np.log(np.where(truth, p, 1 - p)).mean(axis=1)
    return -np.log(p[np.arange(len(p)), truth])


def _tops(rows: Answered) -> list[int]:
    """The k for which the k likeliest classes are fewer than all."""
    return [] if rows.several else [k for k in _TOP if k < len(rows.labels)]


def _top(rows: Answered, k: int) -> np.ndarray:
    """(rows,): whether the true class is among the k likeliest."""
    likeliest = np.argsort(-rows.probabilities, axis=1, kind="stable")[:, :k]
    return (likeliest == rows.truth[:, None]).any(axis=1)
