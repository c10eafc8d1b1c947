"""A linear classifier on features: the best weights for a last layer while the rest of a network stays as it is."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

_PENALTIES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)  # on the squared weights, beside the mean loss
_FOLDS = 5
_ROWS = 4_000  # for choosing the penalty; more would not choose another


@dataclass(frozen=True)
class Probe:
    """The weights (classes, width) and bias (classes,) for features as they are, and how good they are.

    `accuracy` is over rows that the weights had not seen, in five folds: the share of right rows, or where rows have
    several labels of right answers to each of them.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    accuracy: float


def fit(features: torch.Tensor, labels: torch.Tensor, classes: int, seed: int) -> Probe:
    """The probe of features (rows, width) for labels: class ids (rows,), or 0 and 1 as (rows, classes)."""
    mean, spread = features.mean(0), features.std(0, correction=0).clamp_min(1e-6)
    scaled = (features - mean) / spread
    some = torch.randperm(len(scaled), generator=torch.Generator().manual_seed(seed))[:_ROWS]
    penalty, accuracy = _best_penalty(scaled[some], labels[some], classes)
    weight, bias = _solve(scaled, labels, classes, penalty)
    weight = weight / spread
    return Probe(weight, bias - weight @ mean, accuracy)


def _best_penalty(features: torch.Tensor, labels: torch.Tensor, classes: int) -> tuple[float, float]:
    """The penalty with the least loss over rows not seen, and the accuracy there."""
    fold = torch.arange(len(features)) % _FOLDS
    loss, right = dict.fromkeys(_PENALTIES, 0.0), dict.fromkeys(_PENALTIES, 0.0)
    for at in range(min(_FOLDS, len(features))):
        seen, start = fold != at, None
        for penalty in sorted(_PENALTIES, reverse=True):  # each solution is near the one before
            start = _solve(features[seen], labels[seen], classes, penalty, start)
            logits = functional.linear(features[~seen], *start)
            loss[penalty] += float(_loss(logits, labels[~seen])) * len(logits)
            right[penalty] += float(_right(logits, labels[~seen]).sum())
    best = min(_PENALTIES, key=loss.__getitem__)
    return best, right[best] / len(features)


def _loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    of = functional.cross_entropy if labels.ndim == 1 else functional.binary_cross_entropy_with_logits
    return of(logits, labels)


def _right(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    if labels.ndim == 1:
        return logits.argmax(1) == labels
    return ((logits > 0) == (labels > 0.5)).float().mean(1)


def _solve(
    features: torch.Tensor,
    labels: torch.Tensor,
    classes: int,
    penalty: float,
    start: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of the least penalised cross-entropy, by L-BFGS (Liu and Nocedal 1989)."""
    begin = start or (features.new_zeros(classes, features.shape[1]), features.new_zeros(classes))
    weight, bias = (one.clone().requires_grad_() for one in begin)
    search = torch.optim.LBFGS([weight, bias], max_iter=40, history_size=20, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        value = _loss(functional.linear(features, weight, bias), labels) + penalty / 2 * weight.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        search.step(loss)
    return weight.detach(), bias.detach()


@torch.no_grad()
def put(probe: Probe, layer: nn.Linear) -> None:
    """Makes the probe the weights of a network's last layer."""
    layer.weight.copy_(probe.weight)
    if layer.bias is not None:
        layer.bias.copy_(probe.bias)
