"""What the Trainer calls after each evaluation: the scores as modules of the `evaluate` library."""

from collections.abc import Callable

import datasets
import evaluate
import numpy as np
from transformers import EvalPrediction

from studio.evaluation import metrics, multilabel


def compute_metrics(labels: list[str], *, several: bool) -> Callable[[EvalPrediction], dict[str, float]]:
    """The function for a Trainer: the SCORES of `metrics`, or those of `multilabel` where rows have several labels.

    Of the latter each stands at the threshold that `multilabel.best_threshold` finds for it: the checkpoint that is
    chosen by one of them is the best as the report will score it. Every rank computes them on the gathered predictions.
    """
    # In memory: several ranks (or runs) would fight over the lock files of evaluate's cache.
    metric = MultiLabel(keep_in_memory=True) if several else Classification(keep_in_memory=True)

    def compute(evaluation: EvalPrediction) -> dict[str, float]:
        logits, truth = metrics.finite_logits(evaluation.predictions), evaluation.label_ids
        if several:
            return metric.compute(predictions=logits, references=truth)
        return metric.compute(predictions=logits.argmax(axis=-1), references=truth, classes=len(labels))

    return compute


class Classification(evaluate.Metric):
    """The five SCORES as a module of the `evaluate` library; `compute` also takes the number of `classes`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Accuracy, macro and weighted F1, macro precision and macro recall of class ids.",
            citation="",
            features=datasets.Features(predictions=datasets.Value("int64"), references=datasets.Value("int64")),
            format="numpy",
        )

    def _compute(self, predictions: np.ndarray, references: np.ndarray, classes: int) -> dict[str, float]:
        return metrics.scores(metrics.confusion(references, predictions, classes))


class MultiLabel(evaluate.Metric):
    """The SCORES of several labels, each at its best threshold; takes logits and marks, both (rows, classes)."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Subset accuracy, micro, macro and weighted F1, macro precision and macro recall.",
            citation="",
            features=datasets.Features(
                predictions=datasets.List(datasets.Value("float32")), references=datasets.List(datasets.Value("int8"))
            ),
        )

    def _compute(self, predictions: list[list[float]], references: list[list[int]]) -> dict[str, float]:
        return multilabel.best_scores(np.array(predictions, np.float32), np.array(references, bool))
