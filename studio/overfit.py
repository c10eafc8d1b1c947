"""A sanity check of a job: whether one batch can be learnt by heart, in a folder that is thrown away afterwards.

What works together brings the loss of a single batch to almost nothing within some dozen steps; what cannot do that
will not learn the whole either (Karpathy 2019, https://karpathy.github.io/2019/04/25/recipe/).
"""

import dataclasses
import statistics
from typing import Any

from studio import dry_run, events, launch
from studio.config import Augmentation, Balance, Data, Training
from studio.config.training import OF_SCHEDULES
from studio.fields import Settings
from studio.runs import Run

STEPS = 200  # at most
_NOTHING = 0.02  # a loss, or a share of the first one: the right label then has a probability of 0.98
_LAST = 5  # losses that are averaged, because of dropout


def shorten(groups: dict[str, Settings]) -> dict[str, Settings]:
    """The settings groups of a recipe for the trial: as they are, but for a single batch that always looks the same."""
    training = next(group for group in groups.values() if isinstance(group, Training))
    batch = max(2, training.per_device_train_batch_size)  # of a single row nothing can be told apart
    return {name: _alone(group, batch) for name, group in dry_run.shorten(groups).items()}


def _alone(group: Settings, batch: int) -> Settings:
    if isinstance(group, Data):
        return dataclasses.replace(group, max_train_samples=batch * launch.world_size())
    if isinstance(group, Augmentation | Balance):
        return type(group)()  # varies nothing; a plain loss, whose size tells whether the rows are learnt
    if not isinstance(group, Training):
        return group
    alone = dataclasses.replace(
        group, max_steps=STEPS, eval_steps=STEPS, per_device_train_batch_size=batch, gradient_accumulation_steps=1,
        lr_scheduler_type="constant", warmup_steps=0.0, weight_decay=0.0,
        label_smoothing_factor=0.0,  # smoothed labels keep a loss from coming to nothing
        **dict.fromkeys(OF_SCHEDULES),
    )  # fmt: skip
    alone.more = group.more
    return alone


def fitted(losses: list[float]) -> bool:
    """Whether the losses of the steps so far have come to almost nothing."""
    return len(losses) >= _LAST and statistics.fmean(losses[-_LAST:]) <= _NOTHING * max(1.0, losses[0])


def figures(run: Run, training: Training, processes: int) -> dict[str, Any]:
    """How the trial in a run folder went: whether the batch is learnt by heart, and a verdict in words."""
    found, _ = events.read(run.events)
    losses = [loss for _, loss in events.series(found, "loss")]
    told = {
        "fitted": fitted(losses),
        "rows": next(e.data["rows"] for e in found if "rows" in e.data)["train"],
        "steps": len(losses),
        "first_loss": losses[0],
        "last_loss": statistics.fmean(losses[-_LAST:]),
        "learning_rate": next(e.data["learning_rate"] for e in found if "learning_rate" in e.data),
        "notices": dry_run.notices(found),
    }
    return told | {"verdict": _verdict(told)}


def show(told: dict[str, Any]) -> None:
    """Prints the verdict, where it is a good one; a bad one is an error."""
    if told["fitted"]:
        print(told["verdict"])


def _verdict(told: dict[str, Any]) -> str:
    """How it went, and what to do where it went badly."""
    course = f"{told['rows']} rows in {told['steps']} steps: their loss went from {told['first_loss']:.3g}"
    if told["fitted"]:
        return f"The network learnt {course} to {told['last_loss']:.2g}. Data, network and settings work together."
    rate = told["learning_rate"]
    if told["last_loss"] < 0.7 * told["first_loss"]:
        remedy = f"It falls too slowly: raise --learning_rate ({rate:g} now) to {3 * rate:g} and try again"
    else:
        remedy = (
            f"It does not fall: try --learning_rate {rate * 10:g} and {rate / 10:g} ({rate:g} now), and see whether "
            "`python -m studio preview` shows rows that tell their labels"
        )
    return f"the network could not learn {course} to {told['last_loss']:.3g}, not to almost nothing. {remedy}"
