"""A network whose pretrained part never changes: what it says of each row is computed once, and the head learns that.

While the head is trained, a stand-in takes the pretrained part's place and hands on what had been computed; everything
behind it is the network's own, so that the whole, put together again, answers the same.
"""

from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling


class _Computed(nn.Module):
    """In the place of a pretrained part: gives back what it is asked about."""

    def forward(self, *given: torch.Tensor, **named: Any) -> BaseModelOutputWithPooling:
        features = next(value for value in (*given, *named.values()) if torch.is_tensor(value))
        first_token = features.unsqueeze(1) if features.ndim == 2 else features
        return BaseModelOutputWithPooling(last_hidden_state=first_token, pooler_output=features)


class _TimmHead(nn.Module):
    """In the place of a timm network: its classifier."""

    def __init__(self, classifier: nn.Module):
        super().__init__()
        self.classifier = classifier

    def forward(self, features: torch.Tensor, **_: Any) -> torch.Tensor:
        return self.classifier(features)


class Frozen:
    """A classifier parted into what is computed once and what is trained.

    Raises:
        ValueError: the network's head needs more than one vector of each row, or it has no part of its own.
    """

    def __init__(self, network: PreTrainedModel, batch: dict[str, torch.Tensor]):
        self.network = network
        self._timm = getattr(network, "timm_model", None)
        self._name = "timm_model" if self._timm else network.base_model_prefix
        self._part = getattr(network, self._name, None)
        if self._part is None or self._part is network:
            raise ValueError("the network has no part that could be frozen as a whole")
        self._pick = self._picks(batch)

    def features(self, batches: Iterable[dict[str, torch.Tensor]], after: Callable[[int], None]) -> torch.Tensor:
        """What the frozen part says of all rows of the batches, in their order, on the CPU; `after` hears of each."""
        found = []
        with self._evaluating():
            for batch in batches:
                found.append(self._pick(self._said(batch)).float().cpu())
                after(len(found[-1]))
        return torch.cat(found)

    @contextmanager
    def head(self):
        """The network as a function of features, under `main_input_name`; whole again afterwards."""
        stand_in = _TimmHead(self._timm.get_classifier()) if self._timm else _Computed()
        setattr(self.network, self._name, stand_in)
        try:
            yield self.network
        finally:
            setattr(self.network, self._name, self._part)

    @contextmanager
    def _evaluating(self):
        training = self.network.training
        self.network.eval()
        try:
            with torch.inference_mode():
                yield
        finally:
            self.network.train(training)

    def _said(self, batch: dict[str, torch.Tensor]) -> Any:
        if self._timm:
            return self._timm.forward_head(self._timm.forward_features(**_renamed(batch)), pre_logits=True)
        return self._part(**batch)

    def _picks(self, batch: dict[str, torch.Tensor]) -> Callable[[Any], torch.Tensor]:
        """What of the frozen part's output is all that the head looks at: found by trying it on a batch."""
        with self._evaluating():
            wanted, said = self.network(**batch).logits.float(), self._said(batch)
            for pick in _PICKS:
                try:
                    if not torch.is_tensor(features := pick(said)):
                        continue
                    with self.head() as head:
                        found = head(**{head.main_input_name: features}).logits.float()
                except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
                    continue  # there is no such output, or the head is made for another
                if found.shape == wanted.shape and torch.allclose(found, wanted, rtol=1e-3, atol=1e-4):
                    return pick
        raise ValueError("the head looks at more than one vector of each row")


def _renamed(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {"x": batch["pixel_values"]}


# For heads on the pooled output, on the first token, on what timm pools.
_PICKS = (lambda said: said.pooler_output, lambda said: said.last_hidden_state[:, 0], lambda said: said)
