"""The arguments that the Trainer gets: the settings, and what follows from the machine, the network and the data."""

import os

import torch
from torch import nn
from torch.utils.data import Dataset
from transformers import TrainingArguments

from studio import launch
from studio.config import Training
from studio.data.images import Pictures
from studio.errors import RequestError
from studio.runs import Run
from studio.training import budget
from studio.training.features import Features


def training_arguments(
    training: Training, network: nn.Module, rows: Dataset, rows_per_epoch: int, run: Run
) -> TrainingArguments:
    """The Trainer's own arguments: the settings, what follows from machine and data, and what the person added.

    Raises:
        RequestError: the Trainer refuses a value or a combination.
    """
    on_cpu = bool(training.more.get("use_cpu")) or not torch.accelerator.is_available()
    half = bf16_pays(network, on_cpu) and not training.more.get("fp16") and not isinstance(rows, Features)
    workers = training.dataloader_num_workers
    if workers is None:
        workers = default_workers(isinstance(rows, Pictures), on_cpu)
    steps_per_epoch = rows_per_epoch // (training.per_device_train_batch_size * training.gradient_accumulation_steps)
    chosen = {
        "output_dir": str(run.checkpoints),
        "num_train_epochs": training.num_train_epochs or budget.epochs(len(rows), "full"),
        "max_steps": training.max_steps,
        "learning_rate": training.learning_rate or budget.learning_rate(network, "full", training.optim),
        "per_device_train_batch_size": training.per_device_train_batch_size,
        "per_device_eval_batch_size": training.per_device_eval_batch_size,
        "gradient_accumulation_steps": training.gradient_accumulation_steps,
        "activation_checkpointing": training.activation_checkpointing,
        "weight_decay": training.weight_decay,
        # The course of the rate is not told: the Trainer does not know all of ours. Nor does it know every optimizer.
        "optim": "adamw_torch" if training.optim == "lion" else training.optim,
        "label_smoothing_factor": training.label_smoothing_factor,
        "max_grad_norm": training.max_grad_norm,
        "eval_strategy": training.eval_strategy,
        "eval_steps": training.eval_steps,
        "save_strategy": training.eval_strategy,
        "save_steps": training.eval_steps or 500,
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
        "bf16": half if training.bf16 is None else training.bf16,
        "dataloader_pin_memory": not on_cpu and torch.cuda.is_available(),
        "dataloader_num_workers": workers,
        "dataloader_persistent_workers": workers > 0,
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


def default_workers(pictures: bool, on_cpu: bool) -> int:
    """Processes that prepare batches: tokens need none; a GPU must not wait for pictures.

    On two CPU cores loading in the training process was measured to be faster than a worker.
    """
    if on_cpu or not pictures:
        return 0
    return min(8, launch.cores() // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))


def bf16_pays(network: nn.Module, on_cpu: bool) -> bool:
    """Whether 16-bit brain floats make this network faster on this machine.

    Measured on CPUs with avx512_bf16: 1.65 times faster for BERT, 2.6 times for ResNet-18 (channels last), and no
    faster for networks of depthwise convolutions.
    """
    if not on_cpu:
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    depthwise = any(isinstance(m, nn.Conv2d) and m.groups > 1 and m.groups == m.in_channels for m in network.modules())
    return torch.ops.mkldnn._is_mkldnn_bf16_supported() and not depthwise
