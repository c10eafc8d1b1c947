"""How long and how fast to train, where the person has not said it."""

import math

from torch import nn

# Learning rates that learn without forgetting: 1e-4 was measured on MiniLM (docs/strategies.md), 2e-5 is among those of
# Devlin et al. 2018 for BERT base and large.
_SMALL = 50_000_000  # parameters
# What other optimizers need of AdamW's rate. Lion's steps all have the same size, and a third to a tenth suits it (Chen
# et al. 2023, https://arxiv.org/abs/2302.06675); those of SGD are as small as the gradient.
_OF_ADAMW = {"adamw_torch_fused": 1.0, "adafactor": 1.0, "lion": 0.2, "sgd": 50.0}


def learning_rate(network: nn.Module, strategy: str, optim: str) -> float:
    """The peak of the learning rate."""
    convolutional = any(isinstance(module, nn.Conv2d) and module.kernel_size[0] > 1 for module in network.modules())
    patches = any(isinstance(module, nn.MultiheadAttention | nn.LayerNorm) for module in network.modules())
    small = sum(p.numel() for p in network.parameters()) <= _SMALL
    pretrained = 5e-4 if convolutional and not patches else 1e-4 if small else 2e-5
    rate = {"scratch": 1e-3, "features": 1e-3, "lora": 10 * pretrained}.get(strategy, pretrained)
    return rate * _OF_ADAMW[optim]


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
