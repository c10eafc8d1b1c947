"""What --strategy auto comes to: a strategy, a number of epochs, a learning rate that suit rows and network, and why.

A head that starts from a linear probe, then everything trained at a low rate (Kumar et al. 2022,
https://arxiv.org/abs/2202.10054), is held beside the probe alone and plain fine-tuning in docs/strategies.md. The probe
itself is the first checkpoint, so that training which makes it worse is not kept.
"""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from torch import nn

from studio.config import Strategy, Training
from studio.runs import Run
from studio.training import budget

_ERRORS = 2  # of the probe on the validation rows; with fewer these cannot pick the better of two networks


@dataclass(frozen=True)
class Choice:
    """What is trained and how; `reasons` are sentences for the person."""

    strategy: str
    num_train_epochs: float
    learning_rate: float
    reasons: list[str]


def choose(
    strategy: Strategy,
    training: Training,
    network: nn.Module,
    rows: int,
    validation_rows: int,
    classes: int,
    accuracy: float | None,
) -> Choice:
    """Settles what the person has left open.

    Args:
        rows: training rows.
        validation_rows: rows that pick the best checkpoint.
        accuracy: of a linear probe on the frozen network, over rows it had not seen; None where there is no
            pretrained network to probe, or nothing to be learnt from it.
    """
    reasons = []
    name = strategy.strategy
    if name == "auto":
        name, why = _suited(network, rows, validation_rows, classes, accuracy)
        reasons.append(why)
    epochs, rate = training.num_train_epochs, training.learning_rate
    if rate is None:
        rate = budget.learning_rate(network, name, training.optim)
        reasons.append(f"learning rate {rate:g}: for a network of {_millions(network)} M parameters by {name}")
    if epochs is None:
        epochs = budget.epochs(rows, name)
        reasons.append(f"{epochs:g} epochs: for {rows:,} training rows by {name}")
    return Choice(name, epochs, rate, reasons)


def settled(choice: Choice, strategy: Strategy, training: Training) -> tuple[Strategy, Training]:
    """The settings with what was left open filled in."""
    now = dataclasses.replace(training, num_train_epochs=choice.num_train_epochs, learning_rate=choice.learning_rate)
    now.more = training.more
    return dataclasses.replace(strategy, strategy=choice.strategy), now


def remember(run: Run, choice: Choice, **more: Any) -> None:
    """Writes strategy.json into the run."""
    (run.folder / "strategy.json").write_text(json.dumps(dataclasses.asdict(choice) | more, indent=2) + "\n")


def _suited(
    network: nn.Module, rows: int, validation_rows: int, classes: int, accuracy: float | None
) -> tuple[str, str]:
    """A strategy, and why it."""
    data = f"{rows:,} training rows of {classes} classes"
    if accuracy is None and not network.name_or_path:
        return "scratch", f"scratch: the network starts from random weights, so that all of it has to learn ({data})"
    if accuracy is None:
        return "full", f"full: the network cannot be probed, so that all of it learns ({data})"
    seen = f"a linear classifier on the frozen network is right on {100 * accuracy:.0f} % of rows it had not seen"
    if (1 - accuracy) * validation_rows < _ERRORS:
        return "features", (
            f"features: {seen}; on {validation_rows:,} validation rows nobody could tell whether more training makes "
            f"it better or worse, so that the network stays as it is and the head alone learns ({data})"
        )
    near = "near" if accuracy > 0.5 + 0.5 / classes else "far from"
    return "probe_then_full", (
        f"probe_then_full: {seen}, so that these data are {near} what it was trained on; the head starts from there, "
        f"then everything is trained ({data})"
    )


def _millions(network: nn.Module) -> str:
    return f"{sum(p.numel() for p in network.parameters()) / 1e6:.1f}"
