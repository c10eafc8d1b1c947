"""StudioTrainer: the Hugging Face Trainer with the studio's house rules."""

import functools
import math
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import Dataset, Sampler, SequentialSampler
from transformers import PreTrainedModel, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from transformers.utils import logging

from studio.config import Training
from studio.data import text
from studio.data.images import Pictures, collate
from studio.errors import RequestError
from studio.evaluation.metrics import compute_metrics
from studio.runs import Run
from studio.training.callbacks import EarlyStopping, Events, NewEpoch, ProgressBar, SealCheckpoints
from studio.training.losses import cross_entropy
from studio.training.sampling import LengthGrouped


class StudioTrainer(Trainer):
    """A Trainer for classifiers of texts or pictures.

    It differs from the Trainer in this: the loss is scaled right for every architecture; texts are grouped by
    length in an order that follows from seed and epoch; 16-bit floats and the channels-last layout are used where
    they pay; evaluation keeps the order of its rows; what happens is written to the run's event stream.

    Args:
        network: a classifier whose outputs have logits of shape (batch, classes).
        tokens: the datasets "train" and "validation", as text.tokenise or images.prepare make them.
        processor: the tokenizer or image processor, saved beside the weights.
        labels: class names in id order.
    """

    def __init__(
        self,
        network: PreTrainedModel,
        training: Training,
        tokens: dict[str, Dataset],
        processor: Any,
        run: Run,
        labels: list[str],
    ):
        logging.disable_progress_bar()
        pictures = isinstance(tokens["train"], Pictures)
        if pictures:
            network = network.to(memory_format=torch.channels_last)
        # Says that the model does not divide by the rows of the whole step; cross_entropy does.
        network.accepts_loss_kwargs = False
        arguments = training_arguments(training, network, len(tokens["train"]), run)
        _check_disk(network, training, run)
        rows_per_step = arguments.train_batch_size * arguments.gradient_accumulation_steps * arguments.world_size
        super().__init__(
            model=network,
            args=arguments,
            train_dataset=tokens["train"],
            eval_dataset=tokens["validation"],
            data_collator=collate if pictures else text.collator(processor),
            processing_class=processor,
            compute_metrics=compute_metrics(labels),
            compute_loss_func=functools.partial(cross_entropy, label_smoothing=arguments.label_smoothing_factor),
            callbacks=[Events(run, rows_per_step), SealCheckpoints(run)],
        )
        if training.early_stopping_patience:
            self.add_callback(EarlyStopping(training.early_stopping_patience, training.early_stopping_threshold))
        if pictures:
            self.add_callback(NewEpoch(tokens["train"]))
        self.remove_callback(PrinterCallback)
        self.remove_callback(ProgressCallback)
        self.bar = ProgressBar()
        self.add_callback(self.bar)

    def train(self, *args: Any, **kwargs: Any):
        """As Trainer.train; the progress bar is taken away even when training breaks off."""
        try:
            return super().train(*args, **kwargs)
        finally:
            self.bar.close()

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        if isinstance(self.train_dataset, Pictures):
            return super()._get_train_sampler(train_dataset)
        rows = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return LengthGrouped(self.train_dataset["length"][:], rows, self.args.seed)

    def _get_eval_sampler(self, eval_dataset: Dataset) -> Sampler | None:
        return SequentialSampler(eval_dataset)


def training_arguments(training: Training, network: nn.Module, rows: int, run: Run) -> TrainingArguments:
    """The Trainer's own arguments: the settings, what follows from machine and data, and what the person added.

    Raises:
        RequestError: the Trainer refuses a value or a combination.
    """
    on_cpu = not torch.accelerator.is_available()
    workers = training.dataloader_num_workers
    steps_per_epoch = rows // (training.per_device_train_batch_size * training.gradient_accumulation_steps)
    chosen = {
        "output_dir": str(run.checkpoints),
        "num_train_epochs": training.num_train_epochs,
        "max_steps": training.max_steps,
        "learning_rate": training.learning_rate,
        "per_device_train_batch_size": training.per_device_train_batch_size,
        "per_device_eval_batch_size": training.per_device_eval_batch_size,
        "gradient_accumulation_steps": training.gradient_accumulation_steps,
        "activation_checkpointing": training.activation_checkpointing,
        "weight_decay": training.weight_decay,
        "warmup_steps": training.warmup_steps,
        "lr_scheduler_type": training.lr_scheduler_type,
        "max_grad_norm": training.max_grad_norm,
        "eval_strategy": training.eval_strategy,
        "eval_steps": training.eval_steps,
        "save_strategy": training.eval_strategy,
        "save_steps": training.eval_steps or 500,
        "save_total_limit": training.save_total_limit,
        "load_best_model_at_end": True,
        "metric_for_best_model": training.metric_for_best_model,
        "greater_is_better": training.metric_for_best_model != "loss",
        "logging_steps": training.logging_steps or max(1, min(10, steps_per_epoch // 4)),
        "logging_first_step": True,
        "logging_nan_inf_filter": False,  # with it the Trainer shows a NaN loss as 0
        "remove_unused_columns": True,
        "label_names": ["labels"],
        "seed": training.seed,
        "report_to": "none",
        "bf16": bf16_pays(network, on_cpu) if training.bf16 is None else training.bf16,
        "dataloader_pin_memory": not on_cpu,
        # measured on two CPU cores: loading in the training process beats a worker; a GPU must not wait for pictures
        "dataloader_num_workers": workers if workers is not None else (0 if on_cpu else min(8, os.cpu_count() or 1)),
        # Without a GPU several ranks find each other only when told that they train on the CPU (gloo).
        "use_cpu": on_cpu,
    } | training.more
    if on_cpu:
        chosen["use_cpu"] = True
    if "tensorboard" in str(chosen["report_to"]) or "all" in str(chosen["report_to"]):
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(run.folder / "tensorboard"))
    try:
        return TrainingArguments(**chosen)
    except (TypeError, ValueError) as error:
        raise RequestError(f"the Trainer refuses these settings: {' '.join(str(error).split())}") from error


def bf16_pays(network: nn.Module, on_cpu: bool) -> bool:
    """Whether 16-bit brain floats make this network faster on this machine.

    Measured on CPUs with avx512_bf16: 1.65 times faster for BERT, 2.6 times for ResNet-18 (channels last), and no
    faster for networks of depthwise convolutions.
    """
    if not on_cpu:
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    depthwise = any(isinstance(m, nn.Conv2d) and m.groups > 1 and m.groups == m.in_channels for m in network.modules())
    return torch.ops.mkldnn._is_mkldnn_bf16_supported() and not depthwise


def _check_disk(network: nn.Module, training: Training, run: Run) -> None:
    """Refuses a run whose checkpoints would not fit on the disk.

    A checkpoint holds the weights and Adam's two moments; beside the kept ones there are the best one, one being
    written, and the final model.

    Raises:
        RequestError: there is too little space.
    """
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    needed = 3 * weights * (training.save_total_limit + 2) + weights
    free = shutil.disk_usage(_existing(run.folder)).free
    if run.writes and free < needed:
        raise RequestError(
            f"{run.folder.parent} has {free / 1e9:.1f} GB free, and this run needs about "
            f"{math.ceil(needed / 1e8) / 10} GB for its checkpoints: make room, put --output_dir on another disk, "
            "or lower --save_total_limit"
        )


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)
