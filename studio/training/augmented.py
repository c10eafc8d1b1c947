"""AugmentedTrainer: the StudioTrainer with what an Augmentation asks of each step, over single rows and their loss."""

import contextlib
from typing import Any

import torch
from torch import nn
from torch.utils.data import Dataset
from transformers import PreTrainedModel

from studio.config import Augmentation, ImageAugmentation, TextAugmentation, Training
from studio.data.mixing import mixing
from studio.errors import RequestError
from studio.runs import Run
from studio.training.regularised import Adversary, agreeing, twice
from studio.training.trainer import StudioTrainer


class AugmentedTrainer(StudioTrainer):
    """Mixes pictures (mixup, CutMix), looks twice at each row (R-Drop), and at texts moved for the worse (FGM).

    Raises:
        RequestError: batches of one picture are to be mixed, or the network has no word embeddings to move.
    """

    def __init__(
        self,
        network: PreTrainedModel,
        training: Training,
        tokens: dict[str, Dataset],
        processor: Any,
        run: Run,
        labels: list[str],
        *,
        augmentation: Augmentation,
        **how: Any,
    ):
        super().__init__(network, training, tokens, processor, run, labels, **how)
        self._mixing = self._adversary = None
        if isinstance(augmentation, ImageAugmentation):
            self._mixing = mixing(augmentation, len(labels), training.seed)
        if isinstance(augmentation, TextAugmentation) and augmentation.fgm_epsilon:
            self._adversary = Adversary(network, augmentation.fgm_epsilon)
        if self._mixing and training.per_device_train_batch_size == 1:
            raise RequestError(
                "--mixup_alpha and --cutmix_alpha mix the pictures of a batch, and --per_device_train_batch_size is 1: "
                "raise it, or leave them out"
            )
        self._twice = augmentation.rdrop_alpha > 0
        if self._twice:
            several = network.config.problem_type == "multi_label_classification"
            self.compute_loss_func = agreeing(self.compute_loss_func, augmentation.rdrop_alpha, several=several)

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> tuple[list, torch.Tensor | int | None]:
        """As the StudioTrainer's, which counts and looks at the rows as they are; then they are mixed."""
        batches, items = super().get_batch_samples(*args, **kwargs)
        if self._mixing:
            place = self.state.global_step, self.args.process_index
            batches = [self._mixing(batch, *place, number) for number, batch in enumerate(batches)]
        return batches, items

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        return super().compute_loss(model, twice(inputs) if self._twice and model.training else inputs, *args, **kwargs)

    def training_step(self, model: nn.Module, *args: Any, **kwargs: Any) -> torch.Tensor:
        """As the Trainer's; the loss that comes back is that of the texts as they are."""
        with self._adversary.watching() if self._adversary else contextlib.nullcontext():
            loss = super().training_step(model, *args, **kwargs)
        if self._adversary:
            answer = self.diagnosis.answer
            with self._adversary.attacking():
                super().training_step(model, *args, **kwargs)
            self.diagnosis.answer = answer
        return loss
