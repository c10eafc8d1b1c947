"""Answered rows of known kinds, drawn from a seed."""

import numpy as np
from scipy.special import softmax

from studio.evaluation.answered import Answered, of_logits


def one_label(seed: int = 0, rows: int = 300, classes: int = 4, *, sharpness: float = 1.0, **more) -> Answered:
    """Labels drawn from the very probabilities that a model of sharpness 1 states; a sharper one is too sure."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1.5, (rows, classes))
    chances = softmax(logits, axis=1).cumsum(axis=1)
    truth = np.minimum((random.random((rows, 1)) > chances).sum(axis=1), classes - 1)
    labels = [f"class {i}" for i in range(classes)]
    found = of_logits(logits * sharpness, truth, None, labels, [f"row {i}" for i in range(rows)])
    return Answered(**vars(found) | more)


def several_labels(seed: int = 0, rows: int = 300, classes: int = 5, *, sharpness: float = 1.0, **more) -> Answered:
    """The same with several labels per row, or none."""
    random = np.random.default_rng(seed)
    logits = random.normal(-0.5, 1.5, (rows, classes))
    truth = random.random((rows, classes)) < 1 / (1 + np.exp(-logits))
    labels = [f"class {i}" for i in range(classes)]
    found = of_logits(logits * sharpness, truth, 0.4, labels, [f"row {i}" for i in range(rows)])
    return Answered(**vars(found) | more)
