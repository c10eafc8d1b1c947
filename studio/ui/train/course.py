"""The course that the learning rate will take, drawn before anything is trained."""

import math

from studio import schedules
from studio.config import Training
from studio.ui.lines import lines

_STEPS = 1000  # of a run whose number of steps is not known yet
_SIZE = (460, 200)


def course(training: Training, rows: int | None) -> str:
    """An HTML figure of the learning rate by step, as a share of its highest value.

    Args:
        rows: that each process trains on in an epoch; when None the number of steps is a guess.
    """
    steps = _steps(training, rows)
    points = schedules.drawn(training, steps or _STEPS)
    told = [training.lr_scheduler_type.replace("_", " ")]
    if training.learning_rate:
        told[0] += f" of {training.learning_rate:g}"
    if training.lr_scheduler_type == "reduce_lr_on_plateau":
        waits, by = training.of_schedule("lr_patience"), training.of_schedule("lr_gamma")
        told.append(f"times {by:g} whenever {waits} validations in a row bring nothing better")
    if steps is None:
        told.append(f"drawn for {_STEPS:,} steps, since their number is not known yet")
    chart = lines("Learning rate", {"share": points}, points[-1][0], size=_SIZE, more="; ".join(told))
    return f'<div class="charts">{chart}</div>'


def _steps(training: Training, rows: int | None) -> int | None:
    """The steps that a run will have; None where that is not known."""
    if training.max_steps > 0:
        return training.max_steps
    if rows is None or training.num_train_epochs is None:
        return None
    batches = math.ceil(rows / training.per_device_train_batch_size)
    return math.ceil(math.ceil(batches / training.gradient_accumulation_steps) * training.num_train_epochs)
