"""The optimizers to choose from, beside AdamW."""

from typing import Any

from torch.optim import Optimizer
from transformers import Trainer, TrainingArguments

from studio.config import Training

# What the learning rate of AdamW is multiplied by for others. Lion's steps all have the same size: Chen et al. 2023
# (https://arxiv.org/abs/2302.06675) take a third to a tenth. Those of SGD are as small as the gradient.
RATES = {"adamw_torch_fused": 1, "adafactor": 1, "lion": 0.2, "sgd": 50}


def chosen(training: Training, arguments: TrainingArguments) -> tuple[type[Optimizer], dict[str, Any]]:
    """The class of the optimizer and its arguments, but for the parameters."""
    if training.optim == "lion":  # transformers' own needs bitsandbytes
        from timm.optim import Lion

        return Lion, {"lr": arguments.learning_rate}
    kind, about = Trainer.get_optimizer_cls_and_kwargs(arguments)
    return kind, {"momentum": 0.9, **about} if training.optim == "sgd" else about
