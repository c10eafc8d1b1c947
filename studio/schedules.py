"""Schedules of the learning rate: the share of it that each step has. No torch: the page draws what training does."""

import math
from collections.abc import Callable, Sequence

from studio.config import Training

Schedule = Callable[[int], float]

_CYCLE_BEGINS = 1 / 25  # of the highest rate; Smith and Topin 2017, https://arxiv.org/abs/1708.07120


def schedule(training: Training, steps: int) -> Schedule:
    """The share of the learning rate by step, counted from 0, in a run of so many steps.

    It is transformers' own where transformers has a schedule of that name (its polynomial ends at nothing here, so
    that the rates of several parameter groups keep their ratios).
    """
    name = training.lr_scheduler_type
    rise, fall = _one_cycle_rise if name == "one_cycle" else _linear_rise, _FALLS[name]
    warm = 0 if name == "constant" else warmup_steps(training, steps)
    return lambda step: rise(step, warm) if step < warm else fall(step, warm, steps, training)


def warmup_steps(training: Training, steps: int) -> int:
    """The steps of rising learning rate in a run of so many steps."""
    warm = training.warmup_steps
    return int(warm) if warm >= 1 else math.ceil(steps * warm)


def drops(scores: Sequence[float], patience: int) -> int:
    """How often the learning rate has fallen because the scores stood still.

    Args:
        scores: of the validations so far, the higher the better.
        patience: validations in a row without a better score before it falls.
    """
    best, waited, fallen = -math.inf, 0, 0
    for score in scores:
        best, waited = (score, 0) if score > best else (best, waited + 1)
        if waited == patience:
            waited, fallen = 0, fallen + 1
    return fallen


def drawn(training: Training, steps: int, points: int = 100) -> list[tuple[int, float]]:
    """The (step, share) points of a schedule that a chart needs, evenly spaced."""
    share = schedule(training, steps)
    return [(step, share(step)) for step in sorted({round(at * steps / points) for at in range(points + 1)})]


def _linear_rise(step: int, warm: int) -> float:
    return step / max(1, warm)


def _one_cycle_rise(step: int, warm: int) -> float:
    return _CYCLE_BEGINS + (1 - _CYCLE_BEGINS) * (1 - math.cos(math.pi * step / warm)) / 2


def _constant(step: int, warm: int, steps: int, training: Training) -> float:
    return 1.0


def _linear(step: int, warm: int, steps: int, training: Training) -> float:
    return max(0.0, (steps - step) / max(1, steps - warm))


def _cosine(step: int, warm: int, steps: int, training: Training) -> float:
    return max(0.0, 0.5 * (1.0 + math.cos(math.pi * _progress(step, warm, steps))))


def _restarts(step: int, warm: int, steps: int, training: Training) -> float:
    progress = _progress(step, warm, steps)
    if progress >= 1:
        return 0.0
    cycles = training.of_schedule("lr_num_cycles")
    return max(0.0, 0.5 * (1.0 + math.cos(math.pi * ((cycles * progress) % 1.0))))


def _polynomial(step: int, warm: int, steps: int, training: Training) -> float:
    return max(0.0, 1 - _progress(step, warm, steps)) ** training.of_schedule("lr_power")


def _inverse_sqrt(step: int, warm: int, steps: int, training: Training) -> float:
    scale = warm or 10_000
    return 1.0 / math.sqrt((step - warm + scale) / scale)


def _step(step: int, warm: int, steps: int, training: Training) -> float:
    return training.of_schedule("lr_gamma") ** ((step - warm) // _step_size(training, steps))


def _multi_step(step: int, warm: int, steps: int, training: Training) -> float:
    passed = [one for one in training.of_schedule("lr_milestones") if _in_steps(one, steps) <= step]
    return training.of_schedule("lr_gamma") ** len(passed)


def _exponential(step: int, warm: int, steps: int, training: Training) -> float:
    return training.of_schedule("lr_gamma") ** ((step - warm) / _step_size(training, steps))


_FALLS = {
    "constant": _constant,
    "constant_with_warmup": _constant,
    "linear": _linear,
    "cosine": _cosine,
    "cosine_with_restarts": _restarts,
    "polynomial": _polynomial,
    "inverse_sqrt": _inverse_sqrt,
    "one_cycle": _cosine,
    "step": _step,
    "multi_step": _multi_step,
    "exponential": _exponential,
    "reduce_lr_on_plateau": _constant,  # and falls by what validations say
}


def _progress(step: int, warm: int, steps: int) -> float:
    """How far a step is from the end of the warm-up (0) to that of the run (1)."""
    return (step - warm) / max(1, steps - warm)


def _step_size(training: Training, steps: int) -> int:
    return _in_steps(training.of_schedule("lr_step_size"), steps)


def _in_steps(value: float, steps: int) -> int:
    """A number of steps, or, below 1, a share of all steps."""
    return int(value) if value >= 1 else max(1, round(value * steps))
