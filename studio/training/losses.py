"""Loss functions, scaled so that accumulated batches and several processes give what one batch would give."""

from typing import Any

import torch
from torch.nn import functional


def cross_entropy(
    outputs: Any,
    labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | int | None = None,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Mean cross-entropy over all rows of a step.

    Args:
        outputs: has logits of shape (batch, classes).
        labels: class ids of shape (batch,), or the share of each class (batch, classes), as mixed pictures have them.
        num_items_in_batch: rows in the whole step, over all accumulated batches and processes; the rows of this
            batch when None. Leaving the division to the model is wrong for BERT, ResNet and others, whose forward
            takes **kwargs and ignores this number.
    """
    logits = outputs["logits"].float()
    total = functional.cross_entropy(logits, labels, label_smoothing=label_smoothing, reduction="sum")
    return total / (len(labels) if num_items_in_batch is None else num_items_in_batch)


def binary_cross_entropy(
    outputs: Any,
    labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | int | None = None,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Mean over all rows of a step and all classes of the cross-entropy between "has this label" and "has not".

    Args:
        outputs: has logits of shape (batch, classes).
        labels: ones and zeros of shape (batch, classes), or what lies between in mixed pictures.
        num_items_in_batch: labels in the whole step, over all accumulated batches and processes, as the Trainer
            counts them: rows times classes. Those of this batch when None.
        label_smoothing: ones and zeros are drawn towards one half by this share of the way.
    """
    logits = outputs["logits"].float()
    targets = labels.float() * (1 - label_smoothing) + label_smoothing / 2
    total = functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum")
    return total / (labels.numel() if num_items_in_batch is None else num_items_in_batch)
