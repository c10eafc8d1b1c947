"""Trains a network as the settings say; what every recipe does between reading its rows and scoring the result."""

from typing import Any

from torch.utils.data import Dataset
from transformers import PreTrainedModel

from studio.config import Balance, Data, Strategy, Training
from studio.runs import Run
from studio.training.trainer import StudioTrainer


def fit(
    network: PreTrainedModel,
    processor: Any,
    rows: dict[str, Dataset],
    labels: list[str],
    run: Run,
    data: Data,
    strategy: Strategy,
    balance: Balance,
    training: Training,
) -> StudioTrainer:
    """A trainer that holds the best network it found, ready for `finish`; goes on where a resumed run had stopped.

    Args:
        processor: the tokenizer or image processor, saved beside the weights.
        rows: the datasets train, validation and test, as text.tokenise or images.prepare make them.
        labels: class names in id order.
    """
    trainer = StudioTrainer(network, training, rows, processor, run, labels, balance)
    trainer.train(resume_from_checkpoint=run.last_good_checkpoint())  # None for a new run
    return trainer
