"""What a classifier scores, read off its confusion matrix, and how far chance may have moved each figure.

The macro averages run over the classes that occur in the truth or among the predictions, which is what
scikit-learn does when it is not given a list of labels: a class missing from a small split neither helps
nor hurts. A ratio without a denominator counts as 0 (scikit-learn's zero_division=0).
"""

from collections import defaultdict
from collections.abc import Callable

import numpy as np
from scipy import sparse

from studio.errors import RunError

# The name of each score in files and flags, and what people call it.
SCORES = {
    "accuracy": "accuracy",
    "f1_macro": "F1, macro",
    "f1_weighted": "F1, weighted",
    "precision_macro": "precision, macro",
    "recall_macro": "recall, macro",
}

# Resamples are drawn in blocks of at most this many counts, about 80 MB.
_BLOCK = 10_000_000


def finite_logits(predictions: np.ndarray | tuple[np.ndarray, ...]) -> np.ndarray:
    """The logits (rows, classes) of a Trainer's predictions, which some models follow by hidden states.

    Raises:
        RunError: a logit is not finite; argmax would silently call such a row class 0.
    """
    logits = predictions[0] if isinstance(predictions, tuple) else predictions
    broken = int((~np.isfinite(logits)).any(axis=-1).sum())
    if broken:
        raise RunError(
            f"the model answers {broken} of {len(logits)} evaluated rows with numbers that are not finite: "
            "training has diverged; try a lower --learning_rate, or --bf16 false"
        )
    return logits


def confusion(truth: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes) of class ids: rows are the truth, columns the predictions."""
    cells = np.asarray(truth, np.int64) * classes + np.asarray(predictions, np.int64)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def scores(matrix: np.ndarray) -> dict[str, float]:
    """The five SCORES of a confusion matrix."""
    found = _scores(matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0))
    return {name: float(value) for name, value in found.items()}


def per_class(matrix: np.ndarray, labels: list[str]) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and support (rows of that class) under each label."""
    return class_rows(matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0), labels)


def class_rows(
    hits: np.ndarray, truth: np.ndarray, predicted: np.ndarray, labels: list[str]
) -> dict[str, dict[str, float]]:
    """The same from counts (classes,): right predictions, rows of the class, predictions of it."""
    precision, recall, f1 = _rates(hits, truth, predicted)
    return {
        label: {
            "precision": float(precision[i]),
            "recall": float(recall[i]),
            "f1": float(f1[i]),
            "support": int(truth[i]),
        }
        for i, label in enumerate(labels)
    }


Score = Callable[[np.ndarray, np.ndarray, np.ndarray], dict[str, np.ndarray]]


def intervals(
    matrix: np.ndarray, *, seed: int, resamples: int = 1000, more: Score | None = None
) -> dict[str, list[float]]:
    """Bootstrap percentile intervals [low, high] that hold 95 % for the five SCORES (Efron 1979).

    `more` gives further figures of the same resamples, from counts (resamples, classes): right predictions, rows of the
    class, predictions of it.

    Each resample draws the cells of the confusion matrix from a multinomial. That is exactly the
    distribution of the matrix when rows are drawn with replacement, at a cost that does not grow with
    the rows. The interval covers the choice of test rows, not of training rows or seed. A figure
    without a single error gets an interval of no width, for no resample can show one.
    """
    classes = len(matrix)
    truth, predicted = np.nonzero(matrix)
    by_truth, by_prediction = _membership(truth, classes), _membership(predicted, classes)
    right = by_truth.multiply((truth == predicted)[:, None]).tocsr()

    def score(counts: np.ndarray) -> dict[str, np.ndarray]:
        by_class = counts @ right, counts @ by_truth, counts @ by_prediction
        return _scores(*by_class) | (more(*by_class) if more else {})

    return bootstrap(matrix[truth, predicted], score, seed=seed, resamples=resamples)


def bootstrap(
    cells: np.ndarray, score: Callable[[np.ndarray], dict[str, np.ndarray]], *, seed: int, resamples: int
) -> dict[str, list[float]]:
    """The intervals of what `score` makes of counts (resamples, cells), with the cells' own counts given (cells,)."""
    generator = np.random.default_rng(seed)
    total = int(cells.sum())
    block = max(1, _BLOCK // len(cells))
    drawn: dict[str, list[np.ndarray]] = defaultdict(list)
    for start in range(0, resamples, block):
        counts = generator.multinomial(total, cells / total, size=min(block, resamples - start))  # (block, cells)
        for name, values in score(counts).items():
            drawn[name].append(values)
    return {name: np.quantile(np.concatenate(values), [0.025, 0.975]).tolist() for name, values in drawn.items()}


def _membership(cell_class: np.ndarray, classes: int) -> sparse.csr_array:
    """(cells, classes): 1 where the cell belongs to the class, so that counts @ it sums cells by class."""
    cells = np.arange(len(cell_class))
    ones = np.ones(len(cell_class), np.int64)
    return sparse.csr_array((ones, (cells, cell_class)), shape=(len(cell_class), classes))


def _scores(hits: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """The SCORES from counts (..., classes): right predictions, rows of the class, predictions of it."""
    return {"accuracy": hits.sum(axis=-1) / truth.sum(axis=-1), **averages(hits, truth, predicted)}


def averages(hits: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """The SCORES that average over classes, from the same counts."""
    precision, recall, f1 = _rates(hits, truth, predicted)
    present = ((truth + predicted) > 0).sum(axis=-1)  # an absent class adds 0 to each sum below
    return {
        "f1_macro": ratio(f1.sum(axis=-1), present),
        "f1_weighted": ratio((f1 * truth).sum(axis=-1), truth.sum(axis=-1)),
        "precision_macro": ratio(precision.sum(axis=-1), present),
        "recall_macro": ratio(recall.sum(axis=-1), present),
    }


def _rates(hits: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, ...]:
    """Precision, recall and F1 (..., classes) from counts (..., classes)."""
    return ratio(hits, predicted), ratio(hits, truth), ratio(2 * hits, truth + predicted)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole`, and 0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0)
