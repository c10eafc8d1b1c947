"""Test-time augmentation: the answer to a picture as the mean of those to several views of it."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, softmax
from transformers import Trainer

from studio.data.augment import PRESETS
from studio.evaluation import metrics, multilabel

if TYPE_CHECKING:
    from studio.data.images import Pictures


def scores(
    trainer: Trainer, pictures: "Pictures", count: int, *, mirror: bool, threshold: float | None = None
) -> dict[str, float]:
    """How good the mean answers to each picture and `count` - 1 light variations of it are; every rank calls this.

    Args:
        mirror: whether the variations may be mirrored.
        threshold: the probability from which on a label is given, where rows have several.
    """
    varied = pictures.varied(PRESETS["light", mirror], trainer.args.seed)
    total = _probabilities(trainer, pictures, several=threshold is not None)
    for view in range(1, count):
        varied.set_epoch(view)
        total = total + _probabilities(trainer, varied, several=threshold is not None)
    mean, truth = total / count, np.asarray(pictures.labels)
    if threshold is None:
        found = metrics.scores(metrics.confusion(truth, mean.argmax(-1), mean.shape[-1]))
    else:
        found = multilabel.scores(truth > 0, mean >= threshold)
    return {"views": count, **found}


def _probabilities(trainer: Trainer, pictures: "Pictures", *, several: bool) -> np.ndarray:
    """(rows, classes)"""
    logits = metrics.finite_logits(trainer.predict(pictures, metric_key_prefix="views").predictions)
    return expit(logits) if several else softmax(logits, axis=-1)
