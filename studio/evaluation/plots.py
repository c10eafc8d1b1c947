"""The plots of a report: readable in print and by the colour-blind, each a PNG."""

import io
import textwrap
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito 2008: told apart with every kind of colour vision, and in grey.
BLUE, RED, GREEN, YELLOW, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9"
_LINES = [BLUE, RED, GREEN, YELLOW, PURPLE, SKY, "#000000", "#999999"]
_STYLE = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
    "axes.prop_cycle": matplotlib.cycler(color=_LINES),
    "legend.frameon": False,
    "text.parse_math": False,  # a label with two $ is no formula
}
_MATRIX = 25  # classes drawn in a matrix, and as bars
_NUMBERED = 12  # classes up to which the cells of a matrix hold their numbers
_NAME = 24  # characters of a label
_HEADROOM = 1.15  # times the highest bar: what a legend of one line needs above it

Curve = list[tuple[int, float]]  # (step, value)


def draw(found: dict[str, Any], training: dict[str, Curve]) -> dict[str, bytes]:
    """Plots by name, of an analysis and of the `training` curves "loss" and "eval_loss", as far as there are such."""
    wanted: dict[str, Callable[[Figure], None] | None] = {
        "per_class": lambda figure: _per_class(figure, found),
        "confusion": found["confusion"] and (lambda figure: _confusion(figure, found)),
        "reliability": lambda figure: _reliability(figure, found["calibration"]),
        "confidence": lambda figure: _confidence(figure, found["confidence"]),
        "roc": found["roc"] and (lambda figure: _roc(figure, found)),
        "precision_recall": found["precision_recall"] and (lambda figure: _precision_recall(figure, found)),
        "held_back": found["thresholds"]["held_back"] and (lambda figure: _held_back(figure, found["thresholds"])),
        "threshold": found["thresholds"]["by_label"] and (lambda figure: _threshold(figure, found)),
        "training": training.get("loss") and (lambda figure: _training(figure, training)),
    }
    return {name: png(paint) for name, paint in wanted.items() if paint}


def courses(curves: dict[str, list[tuple[int, float, float]]], metric: str) -> bytes:
    """A PNG of how a validation metric of several runs went, by step and by time.

    Args:
        curves: (step, seconds of training, value) of each run, by its name.
    """
    return png(lambda figure: _courses(figure, curves, metric))


def png(paint: Callable[[Figure], None]) -> bytes:
    """A picture in the style of all."""
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # of a script that the font lacks
        return _png(paint)


def _png(paint: Callable[[Figure], None]) -> bytes:
    figure = Figure(figsize=(6.4, 4.4), dpi=130)
    figure.subplots_adjust(left=0.1, right=0.97, bottom=0.12, top=0.92)
    paint(figure)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _per_class(figure: Figure, found: dict[str, Any]) -> None:
    """F1 with its interval; of many classes, the worst."""
    rows = {label: row for label, row in found["per_class"].items() if row["support"]}
    shown = sorted(rows, key=lambda label: rows[label]["f1"])[:_MATRIX]
    figure.set_size_inches(6.4, 1.6 + 0.34 * len(shown))
    figure.set_layout_engine("constrained")  # makes room for long names, and takes its time for it
    axes, at = figure.subplots(), np.arange(len(shown))[::-1]
    f1 = np.array([rows[label]["f1"] for label in shown])
    low, high = np.array([rows[label]["intervals"]["f1"] for label in shown]).T
    axes.barh(at, f1, 0.62, color=SKY)
    axes.errorbar(f1, at, xerr=abs(np.array([f1 - low, high - f1])), fmt="none", ecolor="#222", capsize=3)
    axes.set_yticks(at, [f"{_name(label)} ({rows[label]['support']:,})" for label in shown])
    axes.grid(axis="y", visible=False)
    axes.set(xlim=(0, 1), ylim=(-0.6, len(shown) - 0.4), xlabel="F1 and its 95 % interval (rows of the class)")
    _title(axes, "Each class" if len(shown) == len(rows) else f"The {len(shown)} worst of {len(rows)} classes")


def _confusion(figure: Figure, found: dict[str, Any]) -> None:
    """Shares of each true class; of many classes, those with the most errors."""
    counts = np.array(found["confusion"])
    errors = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    shown = np.sort(np.argsort(-errors, kind="stable")[:_MATRIX])
    names = [_name(found["labels"][i]) for i in shown]
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    side = 3.4 + 0.42 * len(shown) if len(shown) <= _NUMBERED else 9
    figure.set_size_inches(max(6.4, side + 1), side)
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.1)
    axes = figure.subplots()
    picture = axes.imshow(shares[np.ix_(shown, shown)], cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(
        range(len(shown)), names, rotation=45 if len(shown) > 3 else 0, ha="right" if len(shown) > 3 else "center"
    )
    axes.set_yticks(range(len(shown)), names)
    axes.grid(visible=False)
    axes.set(xlabel="answered", ylabel="true")
    figure.colorbar(picture, ax=axes, label="share of the true class", shrink=0.8)
    if len(shown) <= _NUMBERED:
        for row, i in enumerate(shown):
            for place, j in enumerate(shown):
                colour = "white" if shares[i, j] > 0.55 else "black"
                told = f"{counts[i, j]:,}\n{shares[i, j]:.0%}"
                axes.text(place, row, told, ha="center", va="center", color=colour, fontsize=9)
    _title(axes, "What is taken for what" + ("" if len(shown) == len(counts) else f" ({len(shown)} worst classes)"))


def _reliability(figure: Figure, found: dict[str, Any]) -> None:
    axes, bins = figure.subplots(), found["bins"]
    said, true = (np.array([one[name] for one in bins]) for name in ("confidence", "accuracy"))
    low, high = np.array([one["interval"] for one in bins]).T
    axes.plot([0, 1], [0, 1], "--", color="#777", label="as sure as right")
    error = abs(np.array([true - low, high - true]))
    axes.errorbar(said, true, yerr=error, fmt="o-", color=BLUE, capsize=3, label="this model, 95 % interval")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="probability that the model states", ylabel="share that is right")
    axes.legend(loc="upper left")
    _title(axes, f"Calibration: off by {found['error']:.1%} on average")


def _confidence(figure: Figure, found: dict[str, list]) -> None:
    axes, edges = figure.subplots(), np.array(found["edges"])
    width = np.diff(edges)
    axes.bar(edges[:-1], found["right"], width, align="edge", color=SKY, edgecolor="white", label="right")
    axes.bar(
        edges[:-1], found["wrong"], width, bottom=found["right"], align="edge", color=RED, edgecolor="white",
        hatch="//", label="wrong",
    )  # fmt: skip
    rows = np.add(found["right"], found["wrong"])
    axes.set(xlim=(edges[np.flatnonzero(rows)[0]], 1), xlabel="highest probability of the row", ylabel="rows")
    axes.set_ylim(top=_HEADROOM * rows.max())
    axes.legend(loc="upper left", ncols=2)
    _title(axes, "How sure the model was of right and of wrong answers")


def _roc(figure: Figure, found: dict[str, Any]) -> None:
    axes = figure.subplots()
    for label, curve in found["roc"].items():
        area = found["per_class"][label]["roc_auc"]
        axes.plot(curve["x"], curve["y"], label=f"{_name(label)}: {area:.3f}")
    axes.plot([0, 1], [0, 1], "--", color="#777")
    axes.set(xlim=(-0.01, 1), ylim=(0, 1.02), xlabel="share of the other rows that it is given to wrongly")
    axes.set_ylabel("share of the label's rows that get it")
    axes.legend(loc="lower right", title="area below")
    _title(axes, f"ROC{_worst(found)}")


def _precision_recall(figure: Figure, found: dict[str, Any]) -> None:
    axes = figure.subplots()
    for label, curve in found["precision_recall"].items():
        area = found["per_class"][label]["pr_auc"]
        axes.plot(curve["x"], curve["y"], label=f"{_name(label)}: {area:.3f}")
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02), xlabel="recall: share of the label's rows that get it")
    axes.set_ylabel("precision: share of those that is right")
    axes.legend(loc="lower left", title="area below")
    _title(axes, f"Precision and recall{_worst(found)}")


def _held_back(figure: Figure, found: dict[str, Any]) -> None:
    axes, curve = figure.subplots(), found["held_back"]
    accuracy = [np.nan if value is None else value for value in curve["accuracy"]]
    axes.plot(curve["threshold"], accuracy, color=BLUE, label="right among the answers taken")
    axes.plot(curve["threshold"], curve["answered"], "--", color=RED, label="share of rows answered")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="answers are taken from this probability on")
    axes.legend(loc="lower left")
    _title(axes, "Leaving the unsure rows to a person")


def _threshold(figure: Figure, found: dict[str, Any]) -> None:
    axes, curves = figure.subplots(), found["thresholds"]["by_label"]
    if len(curves) == 1:
        ((label, curve),) = curves.items()
        for (name, title), style in zip(
            {"precision": "precision", "recall": "recall", "f1": "F1"}.items(), ("-.", "--", "-"), strict=True
        ):
            axes.plot(curve["threshold"], curve[name], style, label=title)
        if "best" in curve:
            axes.axvline(
                curve["best"], color="#777", linestyle=":", label=f"best F1 of the validation rows: {curve['best']:.2f}"
            )
        title = f"From which probability on to say “{_name(label)}”"
    else:
        worst = sorted(curves, key=lambda label: found["per_class"][label]["f1"])[: len(_LINES)]
        for label in worst:
            axes.plot(curves[label]["threshold"], curves[label]["f1"], label=_name(label))
        axes.axvline(found["threshold"], color="#777", linestyle=":", label=f"the model's: {found['threshold']:.2f}")
        title = "F1 of each label by threshold" + (f" ({len(worst)} worst)" if len(worst) < len(curves) else "")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="threshold")
    axes.legend(loc="lower left" if len(curves) == 1 else "best")
    _title(axes, title)


def _training(figure: Figure, training: dict[str, Curve]) -> None:
    axes = figure.subplots()
    for name, title, style in (("loss", "training rows", "-"), ("eval_loss", "validation rows", "o--")):
        if points := training.get(name):
            axes.plot(*zip(*points, strict=True), style, markersize=5, label=title)
    axes.set(xlabel="step", ylabel="loss")
    axes.set_ylim(bottom=0)
    axes.legend()
    _title(axes, "Training")


def _courses(figure: Figure, curves: dict[str, list[tuple[int, float, float]]], metric: str) -> None:
    figure.set_size_inches(10, 4.4)
    figure.set_layout_engine("constrained")
    by_step, by_time = figure.subplots(1, 2, sharey=True)
    for name, points in curves.items():
        if points:
            steps, seconds, values = zip(*points, strict=True)
            by_step.plot(steps, values, "o-", markersize=4, label=_name(name))
            by_time.plot(seconds, values, "o-", markersize=4)
    by_step.set(xlabel="step", ylabel=f"validation {metric.replace('_', ' ').replace('f1', 'F1')}")
    by_time.set(xlabel="seconds of training, with what goes before it")
    by_time.set_xlim(left=0)
    figure.legend(loc="outside right center")
    _title(by_step, "By step")
    _title(by_time, "By time")


def _worst(found: dict[str, Any]) -> str:
    shown = len(found["roc"])
    return f": the {shown} worst of {len(found['labels'])} labels" if 2 < shown < len(found["labels"]) else ""


def _name(label: str) -> str:
    return textwrap.shorten(label, _NAME, placeholder="…") if len(label) > _NAME and " " in label else _cut(label)


def _cut(label: str) -> str:
    return label if len(label) <= _NAME else f"{label[:_NAME]}…"


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=12, fontweight="bold")
