"""The charts of a report: calibration, confidence, thresholds, ROC, precision and recall."""

from typing import Any

from studio.ui.evaluate import squares
from studio.ui.evaluate.squares import Line
from studio.ui.evaluate.view import short

_CURVES = 8  # labels whose curves are drawn together


def charts(found: dict[str, Any]) -> str:
    """Whether probabilities can be believed, and what is gained by answering only where the model is sure."""
    confidence = found["confidence"]
    stacks = {name: confidence[name] for name in ("right", "wrong")}
    drawn = [
        _calibration(found["calibration"]),
        squares.bars("How sure it was", "of right and wrong answers", confidence["edges"], stacks, "probability"),
    ]
    if held := found["thresholds"]["held_back"]:
        kept = [
            Line("right among the answers taken", held["threshold"], held["accuracy"]),
            Line("share of rows answered", held["threshold"], held["answered"]),
        ]
        drawn.append(squares.lines("Leaving the unsure rows to a person", "", kept, "taken from here on", "share"))
    if found["roc"]:
        of = "share of other rows that get the label", "share of its rows that get it"
        drawn.append(_curves(found, "roc", "roc_auc", "ROC", *of, diagonal=True))
    if found["precision_recall"]:
        drawn.append(_curves(found, "precision_recall", "pr_auc", "Precision and recall", "recall", "precision"))
    return f'<div class="charts">{"".join(drawn)}</div>'


def threshold(found: dict[str, Any], label: str, at: float) -> str:
    """What giving one label from a probability on would score; `at` is one of 101 thresholds from 0 to 1."""
    curve = found["thresholds"]["by_label"][label]
    place = min(range(len(curve["threshold"])), key=lambda i: abs(curve["threshold"][i] - at))
    precision, recall, f1 = (curve[name][place] for name in ("precision", "recall", "f1"))
    told = f"From {at:.2f} on: precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}."
    if "best" in curve:
        best, f1_then = curve["best"], curve["f1_at_best"]
        told += f" The validation rows have their best F1 at {best:.2f}; here that gives {f1_then:.3f}."
    drawn = [
        Line(title, curve["threshold"], curve[name])
        for name, title in {"precision": "precision", "recall": "recall", "f1": "F1"}.items()
    ]
    chart = squares.lines(
        f"From which probability on to say “{short(label)}”", told, drawn, "threshold", "score", upright=at
    )
    return f'<div class="charts">{chart}</div>'


def _calibration(told: dict[str, Any]) -> str:
    x, y, intervals = ([one[name] for one in told["bins"]] for name in ("confidence", "accuracy", "interval"))
    more = (
        f"off by {told['error']:.1%} on average (ECE), {told['error_at_temperature']:.1%} at temperature "
        f"{told['temperature']:.2f}; chance explains {told['chance_error']:.1%}"
    )
    drawn = [Line("this model", x, y, intervals)]
    return squares.lines("Calibration", more, drawn, "probability that it states", "share that is right", diagonal=True)


def _curves(found: dict[str, Any], part: str, area: str, title: str, x: str, y: str, *, diagonal: bool = False) -> str:
    """A curve for each label, with the area below it; of many labels, for the worst."""
    areas = {label: found["per_class"][label][area] for label in list(found[part])[:_CURVES]}
    drawn = [Line(f"{short(label)}: {areas[label]:.3f}", **found[part][label]) for label in areas]
    more = drawn[0].name if len(drawn) == 1 else "of the worst labels" * (len(drawn) < len(found["labels"]))
    return squares.lines(title, f"area below the curve {more}".strip(), drawn, x, y, diagonal=diagonal)
