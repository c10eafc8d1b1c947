"""The optimizers to choose from, beside AdamW."""

from typing import Any

from torch.optim import Optimizer
from transformers import Trainer, TrainingArguments

from studio.config import Training


def chosen(training: Training, arguments: TrainingArguments) -> tuple[type[Optimizer], dict[str, Any]]:
    """The class of the optimizer and its arguments, but for the parameters."""
    if training.optim == "lion":  # transformers' own needs bitsandbytes
        from timm.optim import Lion

        return Lion, {"lr": arguments.learning_rate}
    kind, about = Trainer.get_optimizer_cls_and_kwargs(arguments)
    return kind, {"momentum": 0.9, **about} if training.optim == "sgd" else about
