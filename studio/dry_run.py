"""A rehearsal of a job: a few steps, an evaluation and a checkpoint in a folder that is thrown away afterwards.

It shows that data, model and settings work together, and what the whole run will take.
"""

import dataclasses
import json
import math
import statistics
from datetime import timedelta
from typing import Any

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


def figures(run: Run, training: Training, processes: int) -> dict[str, Any]:
    """What the rehearsal in a run folder took, and what the run will take with the settings as they were.

    Times are in seconds, memory (at its peak, of one process) and disk in bytes; None for what the device lacks.
    """
    found, _ = events.read(run.events)
    losses = [e for e in found if e.kind == "metric" and "loss" in e.data]
    step_s = statistics.median(b.time - a.time for a, b in zip(losses, losses[1:], strict=False))
    rows = next(e.data["rows"] for e in found if "rows" in e.data)
    steps = training.max_steps
    if steps < 0:
        per_epoch = next(e.data["steps_per_epoch"] for e in found if "steps_per_epoch" in e.data)
        chosen = json.loads((run.folder / "strategy.json").read_text())["num_train_epochs"]
        steps = math.ceil(per_epoch * chosen)
    evaluation_s = next(e.data["eval_runtime"] for e in found if "eval_runtime" in e.data)
    used = [e.data for e in found if e.kind == "system"]
    on_device = [one["device_memory_bytes"] for one in used if "device_memory_bytes" in one]
    return {
        "step_s": step_s,
        "steps": steps,
        "rows": rows["train"],
        "training_s": steps * step_s,
        "validation_s_per_1000_rows": 1000 * evaluation_s / rows["validation"],
        "memory_bytes": max(one["memory_bytes"] for one in used),
        "device_memory_bytes": max(on_device, default=None),
        "disk_bytes": size_bytes(run.checkpoint_folders()[0]) * (training.save_total_limit + 2),
        "notices": notices(found),
    }


def notices(found: list[events.Event]) -> list[str]:
    """What the diagnosis of a trial has to say, read off its events."""
    alerts = [event.data for event in found if event.kind == "alert"]
    return [". ".join([one["message"], *([one["remedy"]] if "remedy" in one else [])]) for one in alerts]


def show(told: dict[str, Any]) -> None:
    """Prints the figures as a table."""
    table = Table(title=f"Dry run: {STEPS} steps went well", title_justify="left", show_header=False)
    for name, value in described(told):
        table.add_row(name, value)
    Console().print(table)


def described(told: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures in words."""
    took = timedelta(seconds=round(told["training_s"]))
    lines = [
        ("a step", f"{told['step_s']:.2f} s"),
        ("the run", f"{told['steps']:,} steps of {told['rows']:,} rows, about {took}"),
        ("each validation besides", f"{told['validation_s_per_1000_rows']:.1f} s per 1,000 rows"),
        ("memory of a process", f"{told['memory_bytes'] / 1e9:.1f} GB"),
        ("on the disk", f"{told['disk_bytes'] / 1e9:.1f} GB at most"),
    ]
    if told["device_memory_bytes"]:
        lines.insert(4, ("memory of its GPU", f"{told['device_memory_bytes'] / 1e9:.1f} GB"))
    return lines
