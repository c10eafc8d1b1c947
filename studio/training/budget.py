"""How long and how fast to train, where the person has not said it."""

import math

from torch import nn

# Learning rates that learn without forgetting. Measured here: docs/strategies.md; 2e-5 is among those of Devlin et al.
# 2018 for BERT base and large.
_SMALL = 50_000_000  # parameters


def learning_rate(network: nn.Module, strategy: str) -> float:
    """The peak of the learning rate for AdamW."""
    convolutional = any(isinstance(module, nn.Conv2d) and module.kernel_size[0] > 1 for module in network.modules())
    patches = any(isinstance(module, nn.MultiheadAttention | nn.LayerNorm) for module in network.modules())
    small = sum(p.numel() for p in network.parameters()) <= _SMALL
    pretrained = 5e-4 if convolutional and not patches else 1e-4 if small else 2e-5
    return {"scratch": 1e-3, "features": 1e-3, "lora": 10 * pretrained}.get(strategy, pretrained)


def epochs(rows: int, strategy: str) -> float:
    """Passes over so many training rows: many over few of them, so that there are steps enough to learn in.

    From nothing it takes more of them, and a head on features that are there already costs nothing.
    """
    if strategy == "features":
        return 30.0
    passes = min(20, max(2, round(200 / math.sqrt(max(rows, 1)))))
    return float(2 * passes if strategy == "scratch" else passes)


def trainable(network: nn.Module) -> tuple[int, int]:
    """How many parameters are trained, and how many there are."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in network.parameters()]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)
