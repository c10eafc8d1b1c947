"""Loss functions, scaled so that accumulated batches and several processes give what one batch would give."""

from typing import Any

import torch
from torch.nn import functional

_SURE = 1e-12  # a doubt of 0 to a power below 1 would have a gradient without bounds


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


def balanced_cross_entropy(
    outputs: Any,
    labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | int | None = None,
    label_smoothing: float = 0.0,
    *,
    weights: torch.Tensor,
    shift: torch.Tensor,
    gamma: float,
) -> torch.Tensor:
    """As `cross_entropy`, which it is with weights of one, no shift and gamma 0.

    A row counts by the weight of its class, and what is spread by smoothing with it: torch would give the smoothed
    part of a common class's row the weight of the rare class, and so draw all rows there. The sum is divided by the
    number of rows, as without weights, and not by the sum of the weights: that is another one in each batch, while
    weights whose mean over the training rows is 1 keep the scale in the long run, however a step is cut.

    Args:
        weights: of each class (classes,).
        shift: what is added to the logits (classes,), tau times the logarithm of the class's share: a rare class has
            to lead by more to be as probable (Menon et al. 2020, equation 10, https://arxiv.org/abs/2007.07314).
        gamma: rows count by (1 - probability of their class) ** gamma (Lin et al. 2017, equation 4,
            https://arxiv.org/abs/1708.02002). The weight itself is trained through.
    """
    logits = outputs["logits"].float() + shift.to(labels.device)
    targets = functional.one_hot(labels, logits.shape[-1])  # (batch, classes)
    total = _weighed(logits.log_softmax(dim=-1), targets * weights.to(labels.device), gamma, label_smoothing)
    return total / (labels.numel() if num_items_in_batch is None else num_items_in_batch)


def balanced_binary_cross_entropy(
    outputs: Any,
    labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | int | None = None,
    label_smoothing: float = 0.0,
    *,
    weights: torch.Tensor,
    gamma: float,
) -> torch.Tensor:
    """As `binary_cross_entropy`, which it is with weights of one and gamma 0: each label is a question of two answers.

    Args:
        weights: of rows without and with each label (classes, 2).
        gamma: as in `balanced_cross_entropy`.
    """
    logits = outputs["logits"].float()
    answers = functional.logsigmoid(torch.stack([-logits, logits], dim=-1))  # (batch, classes, 2): has not, has
    targets = torch.stack([1 - labels, labels], dim=-1)
    total = _weighed(answers, targets * weights.to(labels.device), gamma, label_smoothing)
    return total / (labels.numel() if num_items_in_batch is None else num_items_in_batch)


def _weighed(answers: torch.Tensor, targets: torch.Tensor, gamma: float, label_smoothing: float) -> torch.Tensor:
    """The sum of all costs.

    Args:
        answers: logarithms of probabilities, which add up to 1 over the last dimension (..., answers).
        targets: the weight of each answer that is true, and zeros (..., answers).
    """
    doubt = (-torch.expm1(answers)).clamp(min=_SURE)  # 1 - probability
    costs = -answers * doubt**gamma
    costs = (1 - label_smoothing) * costs + label_smoothing * costs.mean(dim=-1, keepdim=True)
    return (targets * costs).sum()
