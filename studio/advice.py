"""What the curves of a run say to somebody who knows how to read them: what goes wrong, and what to do about it."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Curve = Sequence[tuple[int, float]]  # (step, value)
_FEW = 5  # points below which a curve says nothing
_EVALUATIONS = 4  # validations without a gain that make a plateau


@dataclass(frozen=True)
class Advice:
    """`about` is a word for programs; `title` names what is seen, `remedy` what it likely means and what helps."""

    about: str
    title: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.title}. {self.remedy}"


def advice(curves: Mapping[str, Curve], metric: str, classes: int) -> list[Advice]:
    """What stands out in a run's curves, which are named as in its events ("loss", "eval_loss", "grad_norm" ...).

    Args:
        metric: the validation metric that picks the best checkpoint, such as "f1_macro".
        classes: how many there are; 0 when that is not known yet.
    """
    loss, eval_loss, rates = (_values(curves, name) for name in ("loss", "eval_loss", "learning_rate"))
    norms = _by_depth(curves, "grad_norm_")
    found = [
        _diverges(loss, rates) or _surely_wrong(_values(curves, "confidence"), loss, rates, classes),
        _gradients(_values(curves, "grad_norm"), loss, norms),
        _fades(norms),
        _rate(curves, loss, rates),
        _one_class(_values(curves, "eval_recall_macro"), classes) or _one_answer(_values(curves, "logit_spread")),
        _overfits(loss, eval_loss),
        _plateau(_values(curves, f"eval_{metric}"), lower_is_better=metric == "loss"),
        _waits(_values(curves, "data_wait_share")),
    ]
    return [one for one in found if one]


def _values(curves: Mapping[str, Curve], name: str) -> list[float]:
    return [value for _, value in curves.get(name, ())]


def _now(values: list[float]) -> float:
    return statistics.median(values[-_FEW:])


def _by_depth(
    curves: Mapping[str, Curve], prefix: str, summary: Callable[[list[float]], float] = _now
) -> dict[str, float]:
    """One number for each part of the network that has a curve ("grad_norm_early", "grad_norm_head" ...)."""
    return {
        _part(name.removeprefix(prefix)): summary(_values(curves, name))
        for name, points in curves.items()
        if name.startswith(prefix) and len(points) >= _FEW
    }


def _part(group: str) -> str:
    return f"the {group} layers" if group in ("early", "middle", "late") else f"the {group}"


def _diverges(loss: list[float], rates: list[float]) -> Advice | None:
    if len(loss) < 2 * _FEW:
        return None
    best = min(statistics.fmean(loss[at : at + _FEW]) for at in range(len(loss) - _FEW + 1))
    now = statistics.fmean(loss[-_FEW:])
    if now < 1.5 * best + 0.05:
        return None
    return Advice(
        "divergence",
        f"The training loss has risen again, from {best:.3g} to {now:.3g}: the training diverges",
        f"Stop it and start anew with a third of the learning rate{_flag(rates, 1 / 3)}, or with more warmup steps.",
    )


def _surely_wrong(confidence: list[float], loss: list[float], rates: list[float], classes: int) -> Advice | None:
    """Answers without doubt that are worse than guesses."""
    if min(len(confidence), len(loss)) < _FEW or classes < 2:
        return None
    sure, now = statistics.median(confidence[-_FEW:]), statistics.fmean(loss[-_FEW:])
    if sure < 0.99 or now < math.log(classes):
        return None
    return Advice(
        "saturation",
        f"The network is certain of its answers (probability {sure:.3g}) and yet no better than guessing (loss "
        f"{now:.3g}, guessing {math.log(classes):.3g})",
        f"Its logits have run away. Start anew with a tenth of the learning rate{_flag(rates, 0.1)}.",
    )


def _gradients(norms: list[float], loss: list[float], by_depth: dict[str, float]) -> Advice | None:
    if len(norms) < _FEW:
        return None
    usual, now = statistics.median(norms), statistics.median(norms[-_FEW:])
    if now > 100 or (now > 20 * usual and now > 10):
        where = f", longest in {max(by_depth, key=by_depth.get)}" if by_depth else ""
        return Advice(
            "gradients",
            f"The gradients are very long (norm {now:.3g}{where})",
            "Lower --learning_rate to a third; --max_grad_norm 1.0 keeps single steps from doing harm.",
        )
    learnt = len(loss) >= 2 * _FEW and statistics.fmean(loss[-_FEW:]) < 0.5 * statistics.fmean(loss[:_FEW])
    if now < 1e-4 and not learnt:
        return Advice(
            "gradients",
            f"The gradients have all but vanished (norm {now:.1g}): the network no longer learns",
            "Where the loss is still high, raise --learning_rate or take a pretrained model (--model_name_or_path).",
        )
    return None


def _fades(norms: dict[str, float]) -> Advice | None:
    """Backpropagation that loses itself on its way down."""
    if not norms:
        return None
    least, most = min(norms, key=norms.get), max(norms, key=norms.get)
    if norms[least] >= 1e-4 * norms[most]:
        return None
    return Advice(
        "fading_gradients",
        f"Next to no gradient reaches {least} (norm {norms[least]:.1g}, against {norms[most]:.2g} in {most})",
        "They stay as they are. Start from pretrained weights (--model_name_or_path), or from an architecture with "
        "normalisation and residual connections.",
    )


def _rate(curves: Mapping[str, Curve], loss: list[float], rates: list[float]) -> Advice | None:
    """Reads off the share of its weights that a step changes whether the steps are too long or too short.

    About 1e-3 is a rule of thumb (Karpathy, https://cs231n.github.io/neural-networks-3/#ratio); of trainings that went
    well 0.015 was the most on usual networks, and 0.2 on one of 16 units, so that a falling loss counts for more.
    """
    highest = _by_depth(curves, "update_ratio_", lambda values: sorted(values)[-_FEW])  # not that of an odd step
    if not highest or len(rates) < _FEW:
        return None
    where = max(highest, key=highest.get)
    share = highest[where]
    falls = len(loss) < 2 * _FEW or statistics.fmean(loss[-_FEW:]) < 0.9 * loss[0]
    if share > 0.1 and not falls:
        return Advice(
            "learning_rate",
            f"Steps have changed {where} by {share:.0%} of their weights, where a thousandth is usual, and the loss "
            "has not fallen",
            f"What was learnt before is overwritten. Lower the learning rate{_flag(rates, min(0.1, 1e-3 / share))}.",
        )
    most = max(value for name in curves if name.startswith("update_ratio_") for value in _values(curves, name))
    rising = rates[-1] > rates[-2]  # in the warmup the steps are meant to be short
    if 0 < most < 1e-5 and not rising:
        return Advice(
            "learning_rate",
            f"No step has changed any part of the network by more than {most:.1g} of its weights, where 1e-3 is usual",
            f"So it learns next to nothing. Raise the learning rate{_flag(rates, 1e-3 / most)}.",
        )
    return None


def _flag(rates: list[float], factor: float) -> str:
    """The flag that multiplies the learning rate, where that is known."""
    return f" (--learning_rate {float(f'{max(rates) * factor:.0e}'):g})" if rates else ""


def _one_class(recalls: list[float], classes: int) -> Advice | None:
    """Who gives every row the same label recalls one class wholly and the others not at all."""
    if len(recalls) < 2 or classes < 2 or any(abs(recall - 1 / classes) > 1e-4 for recall in recalls[-2:]):
        return None
    return Advice(
        "one_class",
        "The model gives every validation row the same label",
        "Early in a training that is usual. If it stays so: more epochs (--num_train_epochs), another --learning_rate, "
        "or, where classes are of very different sizes, --class_weights balanced.",
    )


def _one_answer(spread: list[float]) -> Advice | None:
    """Logits that no longer depend on the row, or never did; those of a fresh network may differ by 1e-5 only."""
    if len(spread) < 2 * _FEW or max(spread[-2 * _FEW :]) > max(1e-7, min(1e-2, 1e-2 * max(spread))):
        return None
    return Advice(
        "one_answer",
        f"Every row gets the same answer: from row to row the logits differ by {statistics.median(spread[-_FEW:]):.1g}",
        "What is in a row does not reach the head. Lower --learning_rate to a tenth, or start from a pretrained model "
        "(--model_name_or_path).",
    )


def _overfits(loss: list[float], eval_loss: list[float]) -> Advice | None:
    if len(eval_loss) < 3 or len(loss) < 2 * _FEW:
        return None
    best = eval_loss.index(min(eval_loss))
    rising = len(eval_loss) - 1 - best >= 2 and eval_loss[-1] > 1.1 * eval_loss[best]
    if not rising or statistics.fmean(loss[-_FEW:]) > eval_loss[best]:
        return None
    return Advice(
        "overfitting",
        f"The validation loss rises ({eval_loss[best]:.3g} to {eval_loss[-1]:.3g}) while the training loss falls: "
        "the model learns its training rows by heart",
        "The best checkpoint is kept anyway. A lower --num_train_epochs, --early_stopping_patience 2 or more data save "
        "the time.",
    )


def _plateau(scores: list[float], lower_is_better: bool) -> Advice | None:
    if len(scores) <= _EVALUATIONS:
        return None
    best = min(scores) if lower_is_better else max(scores)
    if scores.index(best) >= len(scores) - _EVALUATIONS:
        return None
    return Advice(
        "plateau",
        f"The last {_EVALUATIONS} validations brought nothing better",
        "It can be stopped: the best checkpoint is kept. Next time, --early_stopping_patience 3 does that by itself.",
    )


def _waits(shares: list[float]) -> Advice | None:
    if len(shares) < _FEW or statistics.median(shares[-_FEW:]) < 0.4:
        return None
    return Advice(
        "data_wait",
        f"{statistics.median(shares[-_FEW:]):.0%} of the time goes into waiting for data",
        "Raise --dataloader_num_workers where cores are free, or make the pictures smaller on the disk.",
    )
