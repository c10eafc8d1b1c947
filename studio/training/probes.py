"""What can be measured of a training step at little cost: gradients and changes by depth, and what is answered."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import get_total_norm

from studio.models import layers

_THIRDS = ("early", "middle", "late")
_SAMPLE = 65_536  # values of a weight that stand for all of them


def by_depth(network: nn.Module) -> dict[str, list[nn.Parameter]]:
    """The parameters of a network from its input to its answers: embeddings, early, middle, late, head.

    The blocks that it repeats (layers, stages) are told by their numbers and make up thirds; what comes before them are
    the embeddings or the stem, what comes after them is the head. A network without such blocks has an encoder instead.
    """
    named = dict(network.named_parameters())
    blocks = _thirds(layers.blocks(named))
    last_module = list(named)[-1].rpartition(".")[0]
    groups: dict[str, list[nn.Parameter]] = {name: [] for name in ("embeddings", *_THIRDS, "encoder", "head")}
    within = False  # whether the blocks have begun
    for name, parameter in named.items():
        if name in blocks:
            group, within = blocks[name], True
        elif "embed" in name or (blocks and not within):
            group = "embeddings"
        else:
            group = "head" if blocks or name.rpartition(".")[0] == last_module else "encoder"
        groups[group].append(parameter)
    return {name: members for name, members in groups.items() if members}


def _thirds(blocks: Mapping[str, int]) -> dict[str, str]:
    """The third in which each parameter of the repeated blocks stands."""
    count = max(blocks.values(), default=0) + 1
    scale = 3 / count if count > 2 else 2  # of two blocks one is early, one late
    return {name: _THIRDS[int(number * scale)] for name, number in blocks.items()}


def gradient_norms(groups: Mapping[str, Sequence[nn.Parameter]]) -> dict[str, torch.Tensor]:
    """The length of each group's gradient, of the parameters that have one."""
    found = {name: [p.grad for p in group if p.grad is not None] for name, group in groups.items()}
    return {name: get_total_norm(gradients) for name, gradients in found.items() if gradients}


class Change:
    """What a step changes: made before it, read after it.

    Weights are sampled and single vectors (biases, scales) passed over, since many of those start from zero.
    """

    def __init__(self, groups: Mapping[str, Sequence[nn.Parameter]]):
        learning = {name: [p for p in group if p.grad is not None and p.ndim > 1] for name, group in groups.items()}
        self.samples = {name: [_sample(p) for p in weights] for name, weights in learning.items() if weights}
        self.before = {name: [sample.clone() for sample in samples] for name, samples in self.samples.items()}

    def ratios(self) -> dict[str, torch.Tensor]:
        """For each group the length of the change relative to that of its weights; infinite where these were zero."""
        found = {}
        for name, before in self.before.items():
            change = [now - then for now, then in zip(self.samples[name], before, strict=True)]
            found[name] = get_total_norm(change) / get_total_norm(before)
        return found


def _sample(parameter: nn.Parameter) -> torch.Tensor:
    """A view of evenly spaced values, in the order of the memory, which is dense whatever the layout."""
    stride = -(-parameter.numel() // _SAMPLE) | 1  # odd, so as not to keep to some columns
    return parameter.detach().as_strided((-(-parameter.numel() // stride),), (stride,))


def answers(logits: torch.Tensor, labels: torch.Tensor, *, several: bool) -> dict[str, torch.Tensor]:
    """The plain loss of a batch, the spread of its logits from row to row, and the mean probability of its answers.

    The loss is the cross-entropy without weights, smoothing and the like, so that it compares with that of guessing.

    Args:
        logits: (batch, classes).
        labels: class ids (batch,), or with `several` ones and zeros (batch, classes).
    """
    logits = logits.float()
    if several:
        loss = functional.binary_cross_entropy_with_logits(logits, labels.float())
        sure = torch.sigmoid(logits.abs())
    else:
        loss = functional.cross_entropy(logits, labels)
        sure = logits.softmax(dim=-1).amax(dim=-1)
    spread = {"logit_spread": logits.std(dim=0).mean()} if len(logits) > 1 else {}
    return {"plain_loss": loss, "confidence": sure.mean(), **spread}


def read(measured: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """The numbers, fetched from the device all at once."""
    values = torch.stack([value.float() for value in measured.values()]).tolist() if measured else []
    return dict(zip(measured, values, strict=True))
