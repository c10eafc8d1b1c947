"""Settings about how the Trainer runs."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from studio.config.common import Count
from studio.errors import RequestError
from studio.fields import Range, Settings, arg

OF_SCHEDULES = {  # settings of some schedules alone: what they are when not given, and the schedules
    "lr_gamma": (0.1, ("step", "multi_step", "exponential", "reduce_lr_on_plateau")),
    "lr_step_size": (0.3, ("step", "exponential")),
    "lr_milestones": ([0.5, 0.75], ("multi_step",)),
    "lr_num_cycles": (2, ("cosine_with_restarts",)),
    "lr_power": (2.0, ("polynomial",)),
    "lr_patience": (2, ("reduce_lr_on_plateau",)),
}


@dataclass
class Training(Settings):
    """How the Trainer runs. Fields of TrainingArguments that are not listed here are accepted as flags too."""

    title: ClassVar[str] = "Training"

    num_train_epochs: Annotated[float, Range(0.01, 10_000)] | None = arg(
        None, "passes over the training rows (when not given: from their number and the strategy)"
    )
    max_steps: Annotated[int, Range(-1)] = arg(
        -1, "stop after this many steps instead of epochs (-1: by epochs)", advanced=True
    )
    learning_rate: Annotated[float, Range(1e-7, 1.0, log=True)] | None = arg(
        None, "step size at its highest point (when not given: from the network, the strategy and --optim)"
    )
    per_device_train_batch_size: Annotated[int, Range(1, 4096, log=True)] = arg(32, "rows per step and device")
    per_device_eval_batch_size: Annotated[int, Range(1, 4096, log=True)] = arg(
        64, "rows per evaluation step and device", advanced=True
    )
    gradient_accumulation_steps: Annotated[int, Range(1, 1024)] = arg(
        1, "batches that make one step: raise it and lower the batch size when memory runs out", advanced=True
    )
    activation_checkpointing: bool = arg(
        False, "recompute activations: less memory, about a third slower", advanced=True
    )
    optim: Literal["adamw_torch_fused", "adafactor", "sgd", "lion"] = arg(
        "adamw_torch_fused",
        "rule of a step: adafactor and lion keep less in memory than AdamW, sgd goes with momentum",
        advanced=True,
    )
    weight_decay: Annotated[float, Range(0.0, 1.0)] = arg(0.01, "pull of the weights towards zero", advanced=True)
    warmup_steps: Annotated[float, Range(0.0)] = arg(
        0.1, "steps (or, below 1, share of all steps) of rising learning rate", advanced=True
    )
    lr_scheduler_type: Literal[
        "linear",
        "cosine",
        "cosine_with_restarts",
        "polynomial",
        "constant",
        "constant_with_warmup",
        "inverse_sqrt",
        "one_cycle",
        "step",
        "multi_step",
        "exponential",
        "reduce_lr_on_plateau",
    ] = arg("linear", "course of the learning rate", advanced=True)
    lr_gamma: Annotated[float, Range(0.001, 0.999)] | None = arg(
        None,
        "what the learning rate is multiplied by when it falls, in step, multi_step, exponential and "
        "reduce_lr_on_plateau (when not given: 0.1)",
        advanced=True,
    )
    lr_step_size: Annotated[float, Range(0.001)] | None = arg(
        None,
        "steps (or, below 1, share of all steps) in which step and exponential fall once by lr_gamma "
        "(when not given: 0.3)",
        advanced=True,
    )
    lr_milestones: list[float] = arg(
        [],
        "steps (or, below 1, shares of all steps) at which multi_step falls (when not given: 0.5 0.75)",
        advanced=True,
    )
    lr_num_cycles: Count | None = arg(
        None, "times that cosine_with_restarts falls from the top (when not given: 2)", advanced=True
    )
    lr_power: Annotated[float, Range(0.1, 10)] | None = arg(
        None, "power of polynomial: 1 is a straight line (when not given: 2)", advanced=True
    )
    lr_patience: Count | None = arg(
        None,
        "validations without a better metric after which reduce_lr_on_plateau falls (when not given: 2)",
        advanced=True,
    )
    ema_decay: Annotated[float, Range(0.5, 0.99999)] | None = arg(
        None,
        "validate and keep a moving average of the weights: the share of it that a step keeps, such as 0.999 "
        "(less in the first steps)",
        advanced=True,
    )
    label_smoothing_factor: Annotated[float, Range(0.0, 0.9)] = arg(
        0.0, "share of each label that is spread over all classes, against overconfidence", advanced=True
    )
    max_grad_norm: Annotated[float, Range(0.0)] = arg(1.0, "gradients longer than this are shortened", advanced=True)
    bf16: bool | None = arg(None, "16-bit brain floats (when not given: wherever they are faster)", advanced=True)
    metric_for_best_model: Literal[
        "f1_macro", "f1_micro", "f1_weighted", "accuracy", "precision_macro", "recall_macro", "loss"
    ] = arg("f1_macro", "validation metric that picks the best checkpoint")
    early_stopping_patience: Count | None = arg(None, "stop after this many evaluations without a better metric")
    early_stopping_threshold: Annotated[float, Range(0.0, 1.0)] = arg(
        0.0, "smallest gain that counts as better", advanced=True
    )
    eval_strategy: Literal["epoch", "steps"] = arg("epoch", "when to validate and to save a checkpoint", advanced=True)
    eval_steps: Count | None = arg(None, "steps between validations with --eval_strategy steps", advanced=True)
    logging_steps: Count | None = arg(
        None, "steps between points of the training curve (when not given: 10, or fewer on small data)", advanced=True
    )
    save_total_limit: Count = arg(2, "newest checkpoints to keep; the best one is kept besides", advanced=True)
    dataloader_num_workers: Annotated[int, Range(0, 64)] | None = arg(
        None, "processes that prepare batches (when not given: from the device and the cores)", advanced=True
    )
    seed: Annotated[int, Range(0, 2**32 - 1)] = arg(42, "everything random follows from it")
    more: dict[str, Any] = field(init=False, default_factory=dict)  # other fields of TrainingArguments, as given

    def __post_init__(self):
        super().__post_init__()
        if self.eval_strategy == "steps" and self.eval_steps is None:
            raise RequestError("--eval_strategy steps needs --eval_steps, the number of steps between validations")
        if self.eval_steps is not None and self.eval_strategy != "steps":
            raise RequestError("--eval_steps needs --eval_strategy steps")
        if self.max_steps == 0:
            raise RequestError("--max_steps 0 would train nothing: name a number of steps, or leave it out")
        if self.early_stopping_threshold and self.early_stopping_patience is None:
            raise RequestError("--early_stopping_threshold needs --early_stopping_patience, such as 3")
        self._check_schedule()

    def of_schedule(self, setting: str) -> Any:
        """The value of a setting that belongs to some schedules alone, given or not."""
        return getattr(self, setting) or OF_SCHEDULES[setting][0]

    def _check_schedule(self) -> None:
        name = self.lr_scheduler_type
        for setting, (_, schedules) in OF_SCHEDULES.items():
            if getattr(self, setting) and name not in schedules:
                raise RequestError(
                    f"--{setting} is for --lr_scheduler_type {' or '.join(schedules)}; with {name} it would change "
                    "nothing: leave it out"
                )
        milestones = self.of_schedule("lr_milestones")
        if any(not 0 < milestone < math.inf for milestone in milestones):
            raise RequestError(
                f"--lr_milestones {' '.join(f'{one:g}' for one in milestones)}: each must be a number of steps, or a "
                "share of all steps between 0 and 1"
            )
        if name == "one_cycle" and not self.warmup_steps:
            raise RequestError(
                "--lr_scheduler_type one_cycle rises during --warmup_steps, which is 0: set it, such as 0.3, "
                "or take --lr_scheduler_type cosine"
            )
        waits, stops = self.of_schedule("lr_patience"), self.early_stopping_patience
        if name == "reduce_lr_on_plateau" and stops and stops <= waits:
            raise RequestError(
                f"--early_stopping_patience {stops} stops before --lr_patience {waits} lets the learning rate fall: "
                "raise the one or lower the other"
            )
