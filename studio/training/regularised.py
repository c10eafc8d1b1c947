"""Keep a network from depending on details: R-Drop, and adversarial steps in the embeddings of words (FGM)."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from studio.errors import RequestError


def twice(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A batch whose rows come a second time after the last one; its labels stay as they are."""
    return {
        name: torch.cat([value, value]) if isinstance(value, torch.Tensor) and name != "labels" else value
        for name, value in inputs.items()
    }


def agreeing(loss: Callable[..., torch.Tensor], alpha: float, *, several: bool) -> Callable[..., torch.Tensor]:
    """A loss function that, given two answers to each row, also asks that they agree.

    It is the mean of the two losses plus `alpha` times the mean of the two divergences (Liang et al. 2021,
    https://arxiv.org/abs/2106.14448), divided by the rows of the step as the loss is. Given one answer to each row, as
    in an evaluation, it is the loss.

    Args:
        several: whether rows may have several labels, whose answers are independent of each other.
    """

    def both(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None) -> torch.Tensor:
        logits = outputs["logits"]
        if len(logits) == len(labels):
            return loss(outputs, labels, num_items_in_batch=num_items_in_batch)
        one, other = logits.chunk(2)
        plain = [loss({"logits": half}, labels, num_items_in_batch=num_items_in_batch) for half in (one, other)]
        items = (labels.numel() if several else len(labels)) if num_items_in_batch is None else num_items_in_batch
        return sum(plain) / 2 + alpha * divergence(one.float(), other.float(), several=several) / items

    return both


def divergence(one: torch.Tensor, other: torch.Tensor, *, several: bool) -> torch.Tensor:
    """The mean of the Kullback-Leibler divergences in both directions, summed over the rows of (batch, classes) logits.

    With `several` labels each class is a question of its own, answered yes or no.
    """
    if several:
        one, other = (torch.stack([logits, torch.zeros_like(logits)], dim=-1) for logits in (one, other))
    p, q = one.log_softmax(dim=-1), other.log_softmax(dim=-1)
    there = functional.kl_div(q, p, reduction="sum", log_target=True)
    return (there + functional.kl_div(p, q, reduction="sum", log_target=True)) / 2


class Adversary:
    """Finds for each text the small step in its word embeddings that raises the loss most, and takes it.

    The fast gradient method of Miyato et al. 2016, https://arxiv.org/abs/1605.07725: a pass and its gradient within
    `watching`, then another within `attacking`. It is the embedded texts that are moved; weights are never touched.

    Args:
        epsilon: the length of the step, over all tokens of a text together.

    Raises:
        RequestError: the network does not say where its word embeddings are.
    """

    def __init__(self, network: PreTrainedModel, epsilon: float):
        self._epsilon = epsilon
        self._embedded: list[torch.Tensor] = []  # (batch, tokens, width), one for each pass of a step
        try:
            self._embedding: nn.Module = network.get_input_embeddings()
        except NotImplementedError as error:
            raise RequestError(
                f"--fgm_epsilon {self._epsilon:g} needs a network that names its word embeddings, and "
                f"{type(network).__name__} does not: leave it out, or choose another --model_name_or_path"
            ) from error

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Remembers the embedded texts of the pass within, with their gradients."""

        def remember(module: nn.Module, inputs: Any, embedded: torch.Tensor) -> None:
            if not embedded.requires_grad:  # the embeddings are frozen
                embedded.requires_grad_()
            embedded.retain_grad()
            self._embedded.append(embedded)

        self._embedded.clear()
        with self._hooked(remember):
            yield

    @contextlib.contextmanager
    def attacking(self) -> Iterator[None]:
        """Moves the embedded texts of the pass within away, as far and in the direction that was found."""
        steps = [step(embedded.grad, self._epsilon) for embedded in self._embedded]
        self._embedded.clear()

        def move(module: nn.Module, inputs: Any, embedded: torch.Tensor) -> torch.Tensor:
            return embedded + steps.pop(0)

        with self._hooked(move):
            yield

    @contextlib.contextmanager
    def _hooked(self, hook: Callable) -> Iterator[None]:
        handle = self._embedding.register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()


def step(gradient: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Along the gradient (batch, tokens, width), of the length epsilon for each text; none where it is zero."""
    length = gradient.float().flatten(1).norm(dim=1).view(-1, 1, 1)
    return (epsilon * gradient / length.clamp_min(torch.finfo(torch.float32).tiny)).to(gradient.dtype)
