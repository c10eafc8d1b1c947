"""Learning rates that differ between the parts of a network (Howard and Ruder 2018,
https://arxiv.org/abs/1801.06146, section 3.2).
"""

from typing import Any

from torch import nn
from transformers import TrainingArguments

from studio.config import Strategy
from studio.models import layers


def groups(
    network: nn.Module, arguments: TrainingArguments, strategy: Strategy, decaying: set[str]
) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer, from the head to the embeddings; the first has the highest rate.

    Args:
        decaying: names of the parameters that weight decay pulls towards zero.
    """
    deep, head = layers.depths(network), layers.head(network)
    last = max(deep.values())
    members: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        share = strategy.head_lr_multiplier if name in head else strategy.layer_decay ** (last - deep[name])
        decay = arguments.weight_decay if name in decaying else 0.0
        members.setdefault((arguments.learning_rate * share, decay), []).append(parameter)
    return [
        {"params": members[rate, decay], "lr": rate, "weight_decay": decay}
        for rate, decay in sorted(members, reverse=True)
    ]
