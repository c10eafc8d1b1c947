"""Looks at a training while it runs, and tells once of each thing that goes wrong, with what helps against it."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType
from torch import nn
from transformers import EvalPrediction, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from studio import events
from studio.advice import Advice, advice
from studio.curves import Stream
from studio.data.lopsided import lopsided
from studio.runs import Run
from studio.training import findings, probes

_BATCHES = 3  # whose labels are looked at; texts are grouped by length, and one batch of one class may be an accident
_VALIDATIONS = 3  # in a row that must lack a class; two of them where the training ends
_SHARDED = (DistributedType.FSDP, DistributedType.DEEPSPEED)


class Diagnosis(TrainerCallback):
    """Measures, and compares with what is usual. What it finds is printed and kept as an alert event, once.

    Batches, loss and gradients are looked at in the first steps, gradients and weights by depth in each step that is
    logged (metrics "grad_norm_early", "update_ratio_head" ...), the answers at each validation, and all curves now and
    then. Rank zero does that alone and asks nothing of the others; of weights that are spread over several processes it
    sees none.

    Comes after Events, whose metrics it reads.

    Args:
        labels: class names in id order.
        counts: the training rows of each class; None where rows have several labels.
        unknown: the token that stands for what the tokenizer does not know.
        natural: whether nothing is done about classes of different sizes.
    """

    def __init__(
        self,
        run: Run,
        labels: list[str],
        counts: Mapping[int, int] | None,
        metric: str,
        unknown: int | None = None,
        *,
        natural: bool = True,
    ):
        self.run = run
        self.labels = labels
        self.counts = counts
        self.metric = metric
        self.unknown = unknown
        self.natural = natural
        self.grad_norm = 0.0  # of the coming step, before it was shortened, as the trainer tells it
        self.stream = Stream(run.folder)
        self.told: set[str] = set()
        self.groups: dict[str, list[nn.Parameter]] = {}
        self.first_labels: list[list[int]] = []
        self.answer: tuple[torch.Tensor, torch.Tensor] | None = None
        self.validation: tuple[np.ndarray, np.ndarray] | None = None
        self.validations: list[tuple[np.ndarray, np.ndarray]] = []
        self.measured: dict[str, float] = {}
        self.change: probes.Change | None = None
        self.points = 0

    def listening(self, loss: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        """A loss function, whose outputs are remembered until the next ones."""

        def listened(outputs: Any, labels: torch.Tensor, **kwargs: Any) -> torch.Tensor:
            self.answer = outputs["logits"].detach(), labels
            return loss(outputs, labels, **kwargs)

        return listened

    def counting(self, score: Callable[[EvalPrediction], dict[str, float]]) -> Callable[..., dict[str, float]]:
        """A scoring function, of whose predictions it is remembered how often each class is among them."""

        def counted(evaluation: EvalPrediction) -> dict[str, float]:
            scores = score(evaluation)
            if self.counts is not None:
                logits = evaluation.predictions
                logits = logits[0] if isinstance(logits, tuple) else logits
                self.validation = tuple(
                    np.bincount(ids, minlength=len(self.labels)) for ids in (logits.argmax(-1), evaluation.label_ids)
                )
            return scores

        return counted

    def look_at(self, batches: Sequence[Mapping[str, torch.Tensor]]) -> None:
        """Looks at the rows of a step, if it is one of the first."""
        if not self.run.writes or self.run.resumed or not batches or len(self.first_labels) == _BATCHES:
            return
        if not self.first_labels:
            self._look_at_input(batches[0])
        self.first_labels.append(torch.cat([batch["labels"] for batch in batches]).tolist())
        if len(self.first_labels) == _BATCHES and self.counts is not None:
            self._tell(findings.first_labels(self.first_labels, self.counts, self.labels))

    def _look_at_input(self, batch: Mapping[str, torch.Tensor]) -> None:
        if "pixel_values" in batch:
            pixels = batch["pixel_values"].float()
            self._tell(findings.first_pixels(*torch.stack([pixels.min(), pixels.max(), pixels.std()]).tolist()))
        elif self.unknown is not None:
            tokens = batch["input_ids"][batch["attention_mask"] == 1]
            self._tell(findings.first_tokens((tokens == self.unknown).float().mean().item()))

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model=None, **kwargs
    ):
        before = events.read(self.run.events)[0]  # a resume
        self.told = {event.data["about"] for event in before if event.kind == "alert" and "about" in event.data}
        if self.run.writes and AcceleratorState().distributed_type not in _SHARDED:
            self.groups = probes.by_depth(model)
        if self.run.writes and self.natural and self.counts is not None:
            self._tell(lopsided({self.labels[one]: count for one, count in self.counts.items()}))

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model=None, **kwargs
    ):
        self.change = None
        if not self.run.writes or not _is_logged(state.global_step + 1, args, state):
            return
        norms = probes.gradient_norms(self.groups)
        seen = probes.read(probes.answers(*self.answer, several=self.counts is None) | norms)
        first_loss = seen.pop("plain_loss")
        if state.global_step == 0:
            self._tell(findings.first_loss(first_loss, len(self.labels), several=self.counts is None))
            self._look_for_gradients(model)
        if not math.isfinite(self.grad_norm):
            return  # under fp16 such a step is left out
        norms = {name: seen.pop(name) for name in norms}
        clipped = sum(norm**2 for norm in norms.values()) ** 0.5
        scale = float(self.grad_norm) / clipped if clipped else 0.0
        self.measured = seen | {f"grad_norm_{name}": norm * scale for name, norm in norms.items()}
        self.change = probes.Change(self.groups)

    def _look_for_gradients(self, model: nn.Module) -> None:
        learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
        missing = [name for name, p in learning.items() if p.grad is None]
        if self.groups and missing:
            share = sum(learning[name].numel() for name in missing) / sum(p.numel() for p in learning.values())
            trained = {name: [p for p in group if p.requires_grad] for name, group in self.groups.items()}
            whole = [name for name, group in trained.items() if group and all(p.grad is None for p in group)]
            self._tell(findings.without_gradient(missing, share, whole))

    def on_optimizer_step(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        if self.change:
            ratios = probes.read(self.change.ratios())
            self.measured |= {f"update_ratio_{name}": ratio for name, ratio in ratios.items()}
            self.change = None

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs=None, **kwargs):
        if not self.run.writes or "loss" not in (logs or {}):
            return
        if self.measured:
            self.run.log("metric", self.measured)
            self.measured = {}
        self.points += 1
        if self.points.bit_count() == 1:  # the 1st, 2nd, 4th, 8th ...: most goes wrong in the beginning
            self._read_curves()

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        if not self.run.writes:
            return
        if self.validation:
            self.validations.append(self.validation)
        self._look_for_classes(_VALIDATIONS)
        self._read_curves()

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        if self.run.writes:
            self._look_for_classes(_VALIDATIONS - 1)
            self._read_curves()

    def _look_for_classes(self, validations: int) -> None:
        if len(self.validations) >= validations:
            self._tell(findings.never_predicted(self.validations[-validations:], self.counts, self.labels))

    def _read_curves(self) -> None:
        self.stream.read_on()
        curves = {name: curve.points() for name, curve in self.stream.curves.items()}
        for one in advice(curves, self.metric, len(self.labels)):
            self._tell(one, of_curves=True)

    def _tell(self, one: Advice | None, of_curves: bool = False) -> None:
        """Prints and keeps a finding; readers of the events find what is `of_curves` anew in these, as they stand."""
        if one is None or one.about in self.told:
            return
        self.told.add(one.about)
        told = {"message": one.title, "remedy": one.remedy, "about": one.about}
        self.run.log("alert", told | ({"of_curves": True} if of_curves else {}))
        print(f"notice: {one}", flush=True)


def _is_logged(step: int, args: TrainingArguments, state: TrainerState) -> bool:
    """Whether the Trainer logs after a step."""
    by_steps = args.logging_strategy == IntervalStrategy.STEPS and step % state.logging_steps == 0
    return by_steps or (step == 1 and args.logging_first_step)
