"""All that can be told of answered rows: what report/analysis.json holds, and plots and pages are made of."""

from typing import Any

import numpy as np

from studio.evaluation import curves, metrics, mistakes, multilabel, scores
from studio.evaluation.answered import Answered
from studio.evaluation.calibration import calibration
from studio.evaluation.figures import figures
from studio.evaluation.slices import slices

_MOST_CLASSES = 200  # in a matrix that is kept
_CURVES = 8  # classes whose curves are kept: the worst


def analyse(test: Answered, validation: Answered, threshold: float | None, *, seed: int = 0) -> dict[str, Any]:
    """The analysis of the test rows; what has to be chosen (temperature, thresholds) is chosen on the validation rows.

    Returns:
        labels, rows, threshold (only where rows have several labels); scores, intervals and majority_accuracy, with
        titles, what people call these; per_class; confusion (counts, of one label per row and not too many classes)
        and confused_pairs; calibration; confidence (histograms); roc and precision_recall (of the classes that do
        worst); thresholds; slices; errors.
    """
    told = figures(test, 0.0, seed=seed)
    titles = (multilabel if test.several else metrics).SCORES | scores.TITLES
    several = {} if threshold is None else {"threshold": threshold}
    matrix = None
    if not test.several and len(test.labels) <= _MOST_CLASSES:
        matrix = metrics.confusion(test.truth, test.given, len(test.labels)).tolist()
    return {
        "labels": test.labels,
        "rows": len(test.row_ids),
        **several,
        "titles": {name: title for name, title in titles.items() if name in told}
        | {"majority_accuracy": multilabel.commonest_title(several)},
        "scores": {name: told[name] for name in titles if name in told},
        "intervals": told["intervals"],
        "majority_accuracy": told["majority_accuracy"],
        "per_class": _with_areas(test, told["per_class"]),
        "confusion": matrix,
        "confused_pairs": mistakes.confused_pairs(test),
        "calibration": calibration(test, validation, seed=seed),
        "confidence": mistakes.confidence_of_right_and_wrong(test),
        **_curves(test),
        "thresholds": _thresholds(test, validation),
        "slices": slices(test),
        "errors": mistakes.surest_errors(test),
    }


def _with_areas(rows: Answered, per_class: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The figures of each label with the areas below its curves."""
    areas = zip(scores.roc_auc(rows), scores.pr_auc(rows), strict=True)
    named = zip(per_class.items(), areas, strict=True)
    return {label: row | {"roc_auc": roc, "pr_auc": pr} for (label, row), (roc, pr) in named}


def _curves(rows: Answered) -> dict[str, dict[str, Any]]:
    """The ROC and precision-recall curves of the classes with the least area; of two classes, of the second."""
    sweeps = dict(zip(rows.labels, scores.sweeps(rows), strict=True))
    if len(rows.labels) == 2 and not rows.several:
        sweeps = {rows.labels[1]: sweeps[rows.labels[1]]}
    areas = {label: curves.roc_auc(found) for label, found in sweeps.items()}
    worst = sorted((label for label in areas if areas[label] is not None), key=lambda label: areas[label])[:_CURVES]
    return {
        "roc": {label: curves.roc(sweeps[label]) for label in worst},
        "precision_recall": {label: curves.precision_recall(sweeps[label]) for label in worst},
    }


def _thresholds(test: Answered, validation: Answered) -> dict[str, Any]:
    """What would come of another threshold.

    `held_back` of one label per row; `by_label` of two classes (the second is the one looked for) or of several labels:
    the curves of precision, recall and F1, with the best threshold for F1 on the validation rows and what it scores.
    """
    held_back = None if test.several else curves.held_back(test)
    if not test.several and len(test.labels) != 2:
        return {"held_back": held_back, "by_label": {}}
    by_label = {}
    for i, label in enumerate(test.labels) if test.several else [(1, test.labels[1])]:
        positive, probability = test.true_marks[:, i], test.probabilities[:, i]
        by_label[label] = curves.by_threshold(positive, probability)
        if validation.true_marks[:, i].any():
            best = curves.best_f1(validation.true_marks[:, i], validation.probabilities[:, i])
            at = int(np.argmin(abs(curves.THRESHOLDS - best)))
            by_label[label] |= {"best": best, "f1_at_best": by_label[label]["f1"][at]}
    return {"held_back": held_back, "by_label": by_label}
