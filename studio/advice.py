"""What the curves of a run say to somebody who knows how to read them: what goes wrong, and what to do about it."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Curve = Sequence[tuple[int, float]]  # (step, value)
_FEW = 5  # points below which a curve says nothing
_EVALUATIONS = 4  # validations without a gain that make a plateau


@dataclass(frozen=True)
class Advice:
    """`title` names what is seen, `remedy` what helps."""

    title: str
    remedy: str


def advice(curves: Mapping[str, Curve], metric: str, classes: int) -> list[Advice]:
    """What stands out in a run's curves, which are named as in its events ("loss", "eval_loss", "grad_norm" ...).

    Args:
        metric: the validation metric that picks the best checkpoint, such as "f1_macro".
        classes: how many there are; 0 when that is not known yet.
    """
    loss, eval_loss = (_values(curves, name) for name in ("loss", "eval_loss"))
    found = [
        _diverges(loss),
        _gradients(_values(curves, "grad_norm")),
        _one_class(_values(curves, "eval_recall_macro"), classes),
        _overfits(loss, eval_loss),
        _plateau(_values(curves, f"eval_{metric}"), lower_is_better=metric == "loss"),
        _waits(_values(curves, "data_wait_share")),
    ]
    return [one for one in found if one]


def _values(curves: Mapping[str, Curve], name: str) -> list[float]:
    return [value for _, value in curves.get(name, ())]


def _diverges(loss: list[float]) -> Advice | None:
    if len(loss) < 2 * _FEW:
        return None
    best = min(statistics.fmean(loss[at : at + _FEW]) for at in range(len(loss) - _FEW + 1))
    now = statistics.fmean(loss[-_FEW:])
    if now < 1.5 * best + 0.05:
        return None
    return Advice(
        f"The training loss has risen again, from {best:.3g} to {now:.3g}: the training diverges",
        "Stop it and start anew with a learning rate a third as high, or with more warmup steps.",
    )


def _gradients(norms: list[float]) -> Advice | None:
    if len(norms) < _FEW:
        return None
    usual, now = statistics.median(norms), statistics.median(norms[-_FEW:])
    if now > 100 or (now > 20 * usual and now > 10):
        return Advice(
            f"The gradients are very long (norm {now:.3g})",
            "Lower the learning rate; max_grad_norm 1.0 keeps single steps from doing harm.",
        )
    if now < 1e-4:
        return Advice(
            f"The gradients have all but vanished (norm {now:.1g}): the network no longer learns",
            "Where the loss is still high, raise the learning rate or take a pretrained model.",
        )
    return None


def _one_class(recalls: list[float], classes: int) -> Advice | None:
    """Who gives every row the same label recalls one class wholly and the others not at all."""
    if not recalls or classes < 2 or abs(recalls[-1] - 1 / classes) > 1e-4:
        return None
    return Advice(
        "The model gives every validation row the same label",
        "Early in a training that is usual. If it stays so: more epochs, another learning rate, "
        "or more rows of the rare classes.",
    )


def _overfits(loss: list[float], eval_loss: list[float]) -> Advice | None:
    if len(eval_loss) < 3 or len(loss) < 2 * _FEW:
        return None
    best = eval_loss.index(min(eval_loss))
    rising = len(eval_loss) - 1 - best >= 2 and eval_loss[-1] > 1.1 * eval_loss[best]
    if not rising or statistics.fmean(loss[-_FEW:]) > eval_loss[best]:
        return None
    return Advice(
        f"The validation loss rises ({eval_loss[best]:.3g} to {eval_loss[-1]:.3g}) while the training loss falls: "
        "the model learns its training rows by heart",
        "The best checkpoint is kept anyway. Fewer epochs, early_stopping_patience or more data save the time.",
    )


def _plateau(scores: list[float], lower_is_better: bool) -> Advice | None:
    if len(scores) <= _EVALUATIONS:
        return None
    best = min(scores) if lower_is_better else max(scores)
    if scores.index(best) >= len(scores) - _EVALUATIONS:
        return None
    return Advice(
        f"The last {_EVALUATIONS} validations brought nothing better",
        "It can be stopped: the best checkpoint is kept. Next time, early_stopping_patience 3 does that by itself.",
    )


def _waits(shares: list[float]) -> Advice | None:
    if len(shares) < _FEW or statistics.median(shares[-_FEW:]) < 0.4:
        return None
    return Advice(
        f"{statistics.median(shares[-_FEW:]):.0%} of the time goes into waiting for data",
        "Raise dataloader_num_workers where cores are free, or make the pictures smaller on the disk.",
    )
