"""What happens around the Trainer's steps: the event stream, the progress bar, sealed checkpoints, early stopping."""

import contextlib
import json
import math
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pynvml
import torch
from accelerate import PartialState
from rich.console import Console
from rich.file_proxy import FileProxy
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch.utils.data import Dataset
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, IntervalStrategy

from studio import overfit, stopping
from studio.data.images import Pictures
from studio.data.words import VariedTexts
from studio.errors import RunError
from studio.launch import Tee
from studio.runs import ASIDE, Run, step_of, write_manifest
from studio.stopping import SIGNALS, Stopped


class Events(TrainerCallback):
    """Writes what the Trainer measures to the run's event stream, with speed and memory of this process."""

    def __init__(self, run: Run, rows_per_step: int):
        self.run = run
        self.rows_per_step = rows_per_step
        self.about: dict[str, Any] = {}  # what else is told when training begins
        self._measure_from(0)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, train_dataloader=None, **kwargs
    ):
        self.run.step = state.global_step
        self._measure_from(state.global_step)
        started = {"max_steps": state.max_steps, "num_train_epochs": state.num_train_epochs}
        started["steps_per_epoch"] = math.ceil(len(train_dataloader) / args.gradient_accumulation_steps)
        if self.run.resumed:
            started["resumed_from"] = state.global_step
        started |= {"learning_rate": args.learning_rate, "precision": precision(args), **self.about}
        self.run.log("status", {"state": "running", **started})

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        self.run.step = state.global_step
        self.run.moved = time.time()

    def on_substep_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        self.run.moved = time.time()

    def on_prediction_step(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        self.run.moved = time.time()

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs=None, **kwargs):
        values = {name: value for name, value in (logs or {}).items() if isinstance(value, int | float)}
        if "loss" in values:
            seconds = max(time.perf_counter() - self.since, 1e-9)
            values["samples_per_second"] = (state.global_step - self.step) * self.rows_per_step / seconds
            values["data_wait_share"] = min(1.0, self.waited / seconds)
            self._measure_from(state.global_step)
            self.run.log("system", use())
        self.run.log("metric", values)
        if not math.isfinite(values.get("loss", 0.0)):
            self.run.log("alert", {"message": "the loss is not a number"})
            raise RunError(
                f"the loss is not a number at step {state.global_step}: lower --learning_rate "
                f"({args.learning_rate:g} now), or set --bf16 false",
                cause="nan",
            )

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        self._measure_from(state.global_step)  # evaluation is no training time

    def _measure_from(self, step: int) -> None:
        self.step, self.since = step, time.perf_counter()
        self.waited = 0.0  # seconds that went into reading and preparing rows, which the trainer adds to


class NewEpoch(TrainerCallback):
    """Tells varied training rows and the order of rows which epoch it is.

    With several processes nobody else tells the rows, nor the order in an epoch that a resume has cut short
    (accelerate 1.15, where what skips the first batches hides the sampler).
    """

    def __init__(self, rows: Dataset):
        self.rows = rows if isinstance(rows, Pictures | VariedTexts) else None

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, train_dataloader=None, **kwargs
    ):
        epoch = int(state.epoch or 0)
        train_dataloader.set_epoch(epoch)
        if self.rows is not None:
            self.rows.set_epoch(epoch)


class SealCheckpoints(TrainerCallback):
    """Writes a manifest into each finished checkpoint, so that a torn one is never resumed from.

    Only then are older ones deleted: the newest `keep` stay, and the one that each of them knows as the best, so that
    whichever a run goes on from finds its best one. (All but one of these are among the newest themselves.)
    """

    def __init__(self, run: Run, keep: int):
        self.run = run
        self.keep = keep

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        """Takes away the checkpoints that the resume has refused: kept, they would count as the newest ones."""
        for refused in self.run.checkpoint_folders() if self.run.writes else ():
            if step_of(refused) > state.global_step:
                shutil.rmtree(refused)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        folder = Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        PartialState().wait_for_everyone()  # each rank writes a random state of its own into it
        if self.run.writes and folder.is_dir():
            write_manifest(folder)
            self.run.log("artifact", {"path": str(folder.relative_to(self.run.folder))})
            self._rotate()
        PartialState().wait_for_everyone()  # a rank that ended sooner would have the launcher end rank zero as well

    def _rotate(self) -> None:
        found = self.run.checkpoint_folders()
        newest = [c for c in found if not c.name.startswith(ASIDE)][: self.keep]
        needed = {c.name for c in newest} | {_best(c) for c in newest}
        for old in found:
            if old.name not in needed:
                shutil.rmtree(old)


def _best(checkpoint: Path) -> str:
    """The name of the checkpoint that was the best one when `checkpoint` was saved."""
    state = json.loads((checkpoint / TRAINER_STATE_NAME).read_text())
    return Path(state["best_model_checkpoint"] or "").name


class StopWhenAsked(TrainerCallback):
    """Ends training between two steps, or during an evaluation, when a signal or request.json asks for it.

    All ranks agree on it. Comes after SealCheckpoints, so that what was saved is sealed.
    """

    def __init__(self, run: Run):
        self.run = run
        self.stopping = False

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        SIGNALS.patient = True

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        if not self.asked(args):
            return
        self.stopping = True
        ends_epoch = control.should_training_stop or state.epoch == int(state.epoch)
        if args.eval_strategy == IntervalStrategy.EPOCH and ends_epoch:
            return  # the epoch's validation and checkpoint are due now
        control.should_log = control.should_save = True

    def on_prediction_step(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        if SIGNALS.patient and self.asked(args):
            raise StoppedInEvaluation

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        if self.stopping:
            raise Stopped(saved=True)

    def asked(self, args: TrainingArguments) -> bool:
        """Whether any rank was asked to stop.

        Raises:
            Stopped: rank zero was asked to discard the run, of which nothing needs saving.
        """
        request = stopping.asked(self.run.folder) if self.run.writes else None
        wish = 2 if request in ("discard", "force") else 1 if request or SIGNALS.asked else 0
        if args.world_size > 1:
            agreed = torch.tensor(wish, device=args.device)
            torch.distributed.all_reduce(agreed, torch.distributed.ReduceOp.MAX)
            wish = int(agreed)
        if wish and not self.stopping:
            self.run.set_state("stopping")
        if wish == 2:
            raise Stopped(saved=False)
        return bool(wish)


class StoppedInEvaluation(Exception):
    """An evaluation was broken off: it has to be made anew when the run goes on."""


class EarlyStopping(TrainerCallback):
    """Stops when the metric has not grown by more than `threshold` for `patience` validations in a row.

    The count is taken from the history of the run, so that it goes on after a resume.
    """

    def __init__(self, patience: int, threshold: float):
        self.patience = patience
        self.threshold = threshold

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        name = f"eval_{args.metric_for_best_model.removeprefix('eval_')}"
        sign = 1 if args.greater_is_better else -1
        best, waited = -math.inf, 0
        for value in (sign * entry[name] for entry in state.log_history if name in entry):
            if value > best + self.threshold:
                best, waited = value, 0
            else:
                waited += 1
        if waited >= self.patience:
            control.should_training_stop = True


class StopWhenFitted(TrainerCallback):
    """Ends the training of a single batch as soon as its loss has come to almost nothing."""

    def __init__(self):
        self.losses: list[float] = []

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs=None, **kwargs):
        if "loss" in (logs or {}):
            self.losses.append(logs["loss"])
            if overfit.fitted(self.losses):
                control.should_training_stop = True


class ProgressBar(TrainerCallback):
    """A bar with the time left on a terminal; a line for each validation elsewhere. Rank zero only."""

    def __init__(self):
        self.progress: Progress | None = None
        self.task = None
        self.loss = math.nan

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        if not state.is_world_process_zero:
            return
        screen = sys.stderr.screen if isinstance(sys.stderr, Tee) else sys.stderr
        if not screen.isatty():
            return
        self.progress = Progress(
            TextColumn("[bold]{task.description:<10}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(file=screen),
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.task = self.progress.add_task("training", total=state.max_steps, completed=state.global_step, loss="-")
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, Tee):  # other output goes above the bar
                stream.screen = FileProxy(self.progress.console, stream.screen)
        self.progress.start()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        if self.progress:
            self.progress.update(self.task, completed=state.global_step, description="training")

    def on_prediction_step(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        if self.progress:
            self.progress.update(self.task, description="validating")

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs=None, **kwargs):
        logs = logs or {}
        self.loss = logs.get("loss", self.loss)
        if self.progress and "loss" in logs:
            self.progress.update(self.task, loss=f"{self.loss:.4f}")
        if "eval_loss" in logs and state.is_world_process_zero:
            name = args.metric_for_best_model.removeprefix("eval_")
            print(
                f"step {state.global_step}/{state.max_steps}  epoch {state.epoch:.2f}  "
                f"train loss {self.loss:.4f}  validation loss {logs['eval_loss']:.4f}  "
                f"{name} {logs.get(f'eval_{name}', math.nan):.4f}",
                flush=True,
            )

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        self.close()

    def close(self) -> None:
        """Takes the bar away and gives the streams back."""
        if not self.progress:
            return
        self.progress.stop()
        self.progress = None
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, Tee) and isinstance(stream.screen, FileProxy):
                stream.screen = stream.screen.rich_proxied_file


def precision(args: TrainingArguments) -> str:
    """The floats that the network computes with; its weights are always fp32."""
    return "bf16" if args.bf16 else "fp16" if args.fp16 else "fp32"


def use() -> dict[str, Any]:
    """Memory in use, in bytes; of a GPU the most so far, and how busy (percent) and hot (degrees Celsius) it is."""
    used = {"memory_bytes": psutil.Process(os.getpid()).memory_info().rss}
    if torch.cuda.is_available():
        used["device_memory_bytes"] = torch.cuda.max_memory_allocated()
        with contextlib.suppress(pynvml.NVMLError):  # some containers keep it from their inmates
            used["device_utilisation"] = torch.cuda.utilization()
            used["device_temperature"] = torch.cuda.temperature()
    return used
