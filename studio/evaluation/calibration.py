"""Whether probabilities mean what they say, and the temperature that would make them mean it.

Of one label per row, the confidence is the probability of the label that is given, and it is right or wrong. Of
several, every label of every row counts: its probability, and whether the row has it.
"""

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit, softmax

from studio.evaluation import proportions
from studio.evaluation.answered import Answered
from studio.evaluation.scores import log_losses

_BINS = 15  # Guo et al. 2017, https://arxiv.org/abs/1706.04599
_DRAWS = 1000
_LEAST = 1e-7  # what a float of 32 bits tells from 0 and from 1
_COLDEST, _HOTTEST = 0.02, 50.0


def calibration(test: Answered, validation: Answered, *, seed: int) -> dict[str, Any]:
    """How far probabilities are off on the test rows, as they are and at the temperature of the validation rows.

    Returns:
        error (ECE), chance_error (what 19 of 20 perfectly calibrated models stay below on so many rows), confidence
        and accuracy (means), bins, log_loss; temperature, and what becomes of the test rows with it:
        error_at_temperature, log_loss_at_temperature.
    """
    confidence, right = confidences(test.probabilities, test)
    hot = temperature(validation)
    changed = at_temperature(test.probabilities, hot, test.several)
    return {
        "error": error(confidence, right),
        "chance_error": chance_error(confidence, seed=seed),
        "confidence": float(confidence.mean()),
        "accuracy": float(right.mean()),
        "bins": bins(confidence, right),
        "log_loss": float(log_losses(test.probabilities, test.truth).mean()),
        "temperature": hot,
        "error_at_temperature": error(*confidences(changed, test)),
        "log_loss_at_temperature": float(log_losses(changed, test.truth).mean()),
    }


def confidences(probabilities: np.ndarray, rows: Answered) -> tuple[np.ndarray, np.ndarray]:
    """Confidence (answers,) and whether it was right (answers,) of probabilities (rows, classes)."""
    if rows.several:
        return probabilities.ravel().astype(float), rows.truth.ravel()
    return probabilities.max(axis=1).astype(float), rows.right


def error(confidence: np.ndarray, right: np.ndarray) -> float:
    """The expected calibration error: how far confidence and accuracy differ, over 15 bins of confidence."""
    rows, said, true = _binned(confidence, right)
    return float(abs(said - true).sum() / rows.sum())


def chance_error(confidence: np.ndarray, *, seed: int) -> float:
    """The 95th percentile of the error, were each answer right with exactly the probability that it states."""
    rows, said, spread = _binned(confidence, confidence * (1 - confidence))
    noise = np.random.default_rng(seed).normal(size=(_DRAWS, _BINS)) * np.sqrt(spread)
    return float(np.quantile(abs(noise).sum(axis=1) / rows.sum(), 0.95))


def bins(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    """Those that hold answers: low, high, rows, mean confidence, accuracy and its 95 % interval."""
    rows, said, true = _binned(confidence, right)
    return [
        {
            "low": i / _BINS,
            "high": (i + 1) / _BINS,
            "rows": int(rows[i]),
            "confidence": float(said[i] / rows[i]),
            "accuracy": float(true[i] / rows[i]),
            "interval": list(proportions.wilson(int(true[i]), int(rows[i]))),
        }
        for i in np.flatnonzero(rows)
    ]


def temperature(rows: Answered) -> float:
    """What logits are to be divided by for the least log loss on these rows; above 1, the model is too sure."""
    scores = _scores(rows.probabilities, rows.several)

    def loss(log_temperature: float) -> float:
        return log_losses(_probabilities(scores / np.exp(log_temperature), rows.several), rows.truth).mean()

    found = minimize_scalar(loss, bounds=(np.log(_COLDEST), np.log(_HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def at_temperature(probabilities: np.ndarray, temperature: float, several: bool) -> np.ndarray:
    """The probabilities (rows, classes) of the same logits divided by the temperature."""
    return _probabilities(_scores(probabilities, several) / temperature, several)


def _scores(probabilities: np.ndarray, several: bool) -> np.ndarray:
    """Logits that give these probabilities; of one label per row, up to a number that changes nothing."""
    if several:
        return logit(np.clip(probabilities.astype(float), _LEAST, 1 - _LEAST))
    return np.log(np.maximum(probabilities.astype(float), 1e-30))


def _probabilities(scores: np.ndarray, several: bool) -> np.ndarray:
    return expit(scores) if several else softmax(scores, axis=1)


def _binned(confidence: np.ndarray, amount: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(bins,) of each bin: its answers, the sum of their confidence, the sum of `amount` (answers,)."""
    bin_ = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return tuple(np.bincount(bin_, weights, _BINS) for weights in (None, confidence, amount))
