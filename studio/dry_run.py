"""A rehearsal of a job: a few steps, an evaluation and a checkpoint in a folder that is thrown away afterwards.

It shows that data, model and settings work together, and what the whole run will take.
"""

import dataclasses
import math
import statistics
from datetime import timedelta

from rich.console import Console
from rich.table import Table

from studio import events
from studio.config import Data, Training
from studio.fields import Settings
from studio.runs import Run, size_bytes

STEPS = 4
_ROWS = 128  # of the validation and of the test rows


def shorten(groups: dict[str, Settings]) -> dict[str, Settings]:
    """The settings groups of a recipe for its rehearsal."""
    return {name: _short(group) for name, group in groups.items()}


def _short(group: Settings) -> Settings:
    if isinstance(group, Data):
        limits = ("max_eval_samples", "max_predict_samples")
        return dataclasses.replace(group, **{name: min(getattr(group, name) or _ROWS, _ROWS) for name in limits})
    if not isinstance(group, Training):
        return group
    short = dataclasses.replace(
        group, max_steps=STEPS, eval_strategy="steps", eval_steps=STEPS, logging_steps=1,
        early_stopping_patience=None, early_stopping_threshold=0.0,
    )  # fmt: skip
    short.more = group.more
    return short


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
    used = [e.data for e in found if e.kind == "system"]
    checkpoint = size_bytes(run.checkpoint_folders()[0])
    table = Table(title=f"Dry run: {STEPS} steps went well", title_justify="left", show_header=False)
    for name, value in (
        ("a step", f"{step_s:.2f} s"),
        ("the run", f"{steps:,} steps of {rows['train']:,} rows, about {timedelta(seconds=round(steps * step_s))}"),
        ("each validation besides", f"{1000 * evaluation_s / rows['validation']:.1f} s per 1,000 rows"),
        ("memory of a process", _memory(used, "memory_bytes")),
        ("memory of its GPU", _memory(used, "device_memory_bytes")),
        ("on the disk", f"{checkpoint * (training.save_total_limit + 2) / 1e9:.1f} GB at most"),
    ):
        if value:
            table.add_row(name, value)
    Console().print(table)


def _memory(used: list[dict[str, float]], name: str) -> str:
    return f"{max(one[name] for one in used) / 1e9:.1f} GB" if name in used[-1] else ""
