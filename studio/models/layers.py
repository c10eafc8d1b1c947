"""Where a network's parameters stand: before, in and behind the blocks that it repeats, and in its head."""

import re
from collections.abc import Mapping

from torch import nn
from transformers import PreTrainedModel

_BLOCK = re.compile(r"(.*?)(\d+)\.")  # "encoder.layer." and "3" of encoder.layer.3.output.weight


def blocks(named: Mapping[str, nn.Parameter]) -> dict[str, int]:
    """The number, from 0 for the first, of the repeated block (layer, stage) in which a parameter stands.

    What stands in none is left out. Blocks are told by the numbers in the parameters' names; of several families of
    them it is the one with the most parameters.
    """
    families: dict[str, dict[str, int]] = {}  # what stands before the number: the parameters with it
    for name in named:
        if found := _BLOCK.match(name):
            families.setdefault(found[1], {})[name] = int(found[2])
    repeated = [members for members in families.values() if len(set(members.values())) > 1]
    if not repeated:
        return {}
    largest = max(repeated, key=lambda members: sum(named[name].numel() for name in members))
    order = {number: at for at, number in enumerate(sorted(set(largest.values())))}
    return {name: order[number] for name, number in largest.items()}


def depths(network: nn.Module) -> dict[str, int]:
    """How deep each parameter stands: 0 before the blocks, then 1, 2, ... for each block, and one more behind them."""
    named = dict(network.named_parameters())
    found = blocks(named)
    last = max(found.values(), default=-1) + 2
    within, deep = False, {}  # whether the blocks have begun
    for name in named:
        if name in found:
            deep[name], within = found[name] + 1, True
        else:
            deep[name] = 0 if "embed" in name or (found and not within) else last
    return deep


def head(network: PreTrainedModel) -> set[str]:
    """The names of the parameters that stand behind the pretrained part and are fresh for each task."""
    names = [name for name, _ in network.named_parameters()]
    if timm_model := getattr(network, "timm_model", None):
        inside = {id(parameter) for parameter in timm_model.get_classifier().parameters()}
        return {name for name, parameter in network.named_parameters() if id(parameter) in inside}
    outside = {name for name in names if not name.startswith(f"{network.base_model_prefix}.")}
    if network.base_model is network or len(outside) == len(names):
        last = names[-1].rpartition(".")[0]
        return {name for name in names if name.rpartition(".")[0] == last}
    return outside


def last_linear(network: PreTrainedModel) -> nn.Linear | None:
    """The layer that gives the logits, if it is a linear one."""
    linear = [m for m in network.modules() if isinstance(m, nn.Linear) and m.out_features == network.config.num_labels]
    return linear[-1] if linear else None
