"""What the Balance settings ask for, made from the labels of the training rows: the loss, the rows of an epoch."""

import functools
from collections.abc import Callable

import numpy as np
import torch

from studio.config import Balance
from studio.errors import RequestError
from studio.training.losses import (
    balanced_binary_cross_entropy,
    balanced_cross_entropy,
    binary_cross_entropy,
    cross_entropy,
)
from studio.training.sampling import Deal

Loss = Callable[..., torch.Tensor]


def loss(balance: Balance, labels: np.ndarray, classes: int, label_smoothing: float = 0.0) -> Loss:
    """What training makes small; an evaluation, which asks for no gradients, gets the plain cross-entropy from it.

    Args:
        labels: of the training rows, class ids (rows,), or ones and zeros (rows, classes) where a row may have several.

    Raises:
        RequestError: rows with several labels are to have adjusted logits.
    """
    several = labels.ndim == 2
    plain = functools.partial(binary_cross_entropy if several else cross_entropy, label_smoothing=label_smoothing)
    if several and balance.loss == "logit_adjusted":
        raise RequestError(
            "--loss logit_adjusted is for rows with one label each, and these have several: leave it out, or take "
            "--class_weights balanced"
        )
    if balance.class_weights == "none" and balance.loss == "cross_entropy":
        return plain
    weights = class_weights(labels, classes) if balance.class_weights == "balanced" else torch.ones(1)
    if several:
        training = functools.partial(balanced_binary_cross_entropy, weights=weights, gamma=balance.gamma)
    else:
        shift = balance.tau * shares(labels, classes).log()
        training = functools.partial(balanced_cross_entropy, weights=weights, shift=shift, gamma=balance.gamma)
    training = functools.partial(training, label_smoothing=label_smoothing)
    return lambda *args, **kwargs: (training if torch.is_grad_enabled() else plain)(*args, **kwargs)


def deal(balance: Balance, labels: np.ndarray, seed: int) -> Deal | None:
    """The rows of each epoch; None where each row comes once.

    Raises:
        RequestError: rows with several labels are to be dealt, which cannot make all labels as frequent.
    """
    if balance.sampling == "natural":
        return None
    if labels.ndim == 2:
        raise RequestError(
            f"--sampling {balance.sampling} is for rows with one label each, and these have several, of which a common "
            "one may come with every rare one: leave it out, or take --class_weights balanced"
        )
    return Deal(labels, balance.sampling, seed)


def class_weights(labels: np.ndarray, classes: int) -> torch.Tensor:
    """Weights under which all classes count the same, and whose mean over the training rows is 1.

    That is rows / (classes * rows of the class). Of several labels each is a question of its own with the two classes
    "has not" and "has". A class without rows has a weight that is never used.

    Returns:
        (classes,), or (classes, 2) for several labels.
    """
    if labels.ndim == 2:
        having = labels.sum(axis=0)
        counts = np.stack([len(labels) - having, having], axis=-1)  # (classes, 2)
    else:
        counts = np.bincount(labels, minlength=classes)
    present = (counts > 0).sum(axis=-1, keepdims=True)
    return torch.tensor(len(labels) / (present * np.maximum(counts, 1)), dtype=torch.float32)


def shares(labels: np.ndarray, classes: int) -> torch.Tensor:
    """The share of each class among class ids (rows,), as though one without rows had one: (classes,)."""
    return torch.tensor(np.maximum(np.bincount(labels, minlength=classes), 1) / len(labels), dtype=torch.float32)
