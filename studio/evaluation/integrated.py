"""Integrated gradients: by how much each token moved a logit, and that nothing is left over.

Sundararajan, Taly and Yan 2017, https://arxiv.org/abs/1703.01365. captum has it as well; tests compare the two. It is
written here because a server and the end of a training can afford neither captum's imports nor a sum without a limit.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from studio.errors import RequestError

_FEWEST, _MOST = 16, 512  # steps
_TOKENS = 2048  # in one pass through the network
_SHARE, _FLOOR = 0.05, 0.05  # of the difference, and in logits: what may be left over


@dataclass(frozen=True)
class Integral:
    """`scores` (tokens,) sum to `difference` but for `delta`; see studio.evaluation.explanation."""

    scores: list[float]
    difference: float
    steps: int

    @property
    def delta(self) -> float:
        return sum(self.scores) - self.difference

    @property
    def complete(self) -> bool:
        return abs(self.delta) <= max(_SHARE * abs(self.difference), _FLOOR)


def integrate(
    network: PreTrainedModel, inputs: dict[str, torch.Tensor], hidden_ids: torch.Tensor, label: int, limit_s: float
) -> Integral:
    """Follows the logit of a label from hidden tokens to those of a text: inputs and `hidden_ids` are (1, tokens).

    The steps of the sum are doubled until it is complete or that would take longer than `limit_s`.

    Raises:
        RequestError: the network has no embeddings of tokens, or is too slow for this text.
    """
    deadline = time.monotonic() + limit_s
    try:
        embedding = network.get_input_embeddings()
    except NotImplementedError as error:
        raise RequestError(
            f"a {network.config.model_type} model has no embeddings of tokens to explain it by"
        ) from error
    logit_at = partial(_logits, network, embedding, inputs, label)
    with torch.no_grad():
        text, hidden = embedding(inputs["input_ids"]), embedding(hidden_ids)  # (1, tokens, width)
        difference = (logit_at(text) - logit_at(hidden)).item()
    steps = _FEWEST
    while True:
        began = time.monotonic()
        slope = _mean_slope(logit_at, hidden, text, steps, deadline)
        if slope is None:
            raise RequestError(f"explaining this text takes more than {limit_s:.0f} s: give a shorter one")
        found = Integral((slope * (text - hidden)[0].double()).sum(-1).tolist(), difference, steps)
        now = time.monotonic()
        if found.complete or steps == _MOST or now + 2 * (now - began) > deadline:
            return found
        steps *= 2


def _mean_slope(
    logit_at: Callable[[torch.Tensor], torch.Tensor],
    hidden: torch.Tensor,
    text: torch.Tensor,
    steps: int,
    deadline: float,
) -> torch.Tensor | None:
    """(tokens, width): the mean gradient of the logit on the straight way from `hidden` to `text`; None if too late."""
    places, weights = np.polynomial.legendre.leggauss(steps)  # between -1 and 1, where the weights sum to 2
    way = torch.as_tensor((places + 1) / 2, dtype=text.dtype, device=text.device).view(-1, 1, 1)
    share = torch.as_tensor(weights / 2, device=text.device).view(-1, 1, 1)  # in double precision, as is the sum
    total = torch.zeros(text.shape[1:], dtype=torch.float64, device=text.device)
    at_once = max(1, _TOKENS // text.shape[1])
    for first in range(0, steps, at_once):
        if time.monotonic() > deadline:
            return None
        points = (hidden + way[first : first + at_once] * (text - hidden)).requires_grad_()
        (slopes,) = torch.autograd.grad(logit_at(points).sum(), points)
        total += (share[first : first + at_once] * slopes).sum(0)
    return total


def _logits(
    network: PreTrainedModel, embedding: nn.Module, inputs: dict[str, torch.Tensor], label: int, points: torch.Tensor
) -> torch.Tensor:
    """(points,): the logits of a label for embeddings (points, tokens, width) in the place of those of the text.

    The ids go along, for some networks read positions from them.
    """
    handle = embedding.register_forward_hook(lambda *_: points)
    try:
        logits = network(**{name: each.expand(len(points), -1) for name, each in inputs.items()}).logits
        return logits[:, label].float()
    finally:
        handle.remove()
