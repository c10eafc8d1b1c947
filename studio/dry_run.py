"""A rehearsal of a job: a few steps, an evaluation and a checkpoint in a folder that is thrown away afterwards.

It shows that data, model and settings work together, and what the whole run will take.
"""

import dataclasses
import math
import statistics
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from studio import events
from studio.config import Data, Training
from studio.runs import Run

STEPS = 4
_ROWS = 128  # of the validation and of the test rows


def shorten(data: Data, training: Training) -> tuple[Data, Training]:
    """The settings of the rehearsal."""
    few = {name: min(getattr(data, name) or _ROWS, _ROWS) for name in ("max_eval_samples", "max_predict_samples")}
    short = dataclasses.replace(
        training, max_steps=STEPS, eval_strategy="steps", eval_steps=STEPS, logging_steps=1,
        early_stopping_patience=None, early_stopping_threshold=0.0,
    )  # fmt: skip
    short.more = training.more
    return dataclasses.replace(data, **few), short


def show(run: Run, training: Training, processes: int) -> None:
    """Prints what the rehearsal in a run folder took, and what the run will take with the settings as they were."""
    found, _ = events.read(run.events)
    losses = [e for e in found if e.kind == "metric" and "loss" in e.data]
    step_s = statistics.median(b.time - a.time for a, b in zip(losses, losses[1:], strict=False))
    rows = next(e.data["rows"] for e in found if "rows" in e.data)
    steps = training.max_steps
    if steps < 0:
        batch = training.per_device_train_batch_size * training.gradient_accumulation_steps * processes
        steps = math.ceil(math.ceil(rows["train"] / batch) * training.num_train_epochs)
    evaluation_s = next(e.data["eval_runtime"] for e in found if "eval_runtime" in e.data)
    memory = max(e.data["memory_bytes"] for e in found if e.kind == "system")
    checkpoint = _bytes(run.checkpoint_folders()[0])
    table = Table(title=f"Dry run: {STEPS} steps went well", title_justify="left", show_header=False)
    for name, value in (
        ("a step", f"{step_s:.2f} s"),
        ("the run", f"{steps:,} steps of {rows['train']:,} rows, about {timedelta(seconds=round(steps * step_s))}"),
        ("each validation besides", f"{1000 * evaluation_s / rows['validation']:.1f} s per 1,000 rows"),
        ("memory of a process", f"{memory / 1e9:.1f} GB"),
        *(("memory of its GPU", f"{e.data['device_memory_bytes'] / 1e9:.1f} GB")
          for e in found[::-1][:1] if "device_memory_bytes" in e.data),
        ("on the disk", f"{checkpoint * (training.save_total_limit + 2) / 1e9:.1f} GB at most"),
    ):  # fmt: skip
        table.add_row(name, value)
    Console().print(table)


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
