"""The report of a run: how the finished model does on rows it was not trained on, and every single prediction."""

import io
import json
import math
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from scipy.special import expit, softmax
from transformers import Trainer

from studio.errors import RunError
from studio.evaluation import metrics, multilabel
from studio.runs import write_whole
from studio.training.callbacks import precision

if TYPE_CHECKING:
    from studio.data.images import Pictures

_MOST_CLASSES_SHOWN = 20


@dataclass
class Report:
    """`metrics` is the content of metrics.json, `predictions` that of predictions.parquet."""

    metrics: dict[str, Any]
    predictions: pa.Table

    @property
    def scores(self) -> dict[str, float]:
        """The figures of the test split, without intervals and classes."""
        return {name: value for name, value in self.metrics["splits"]["test"].items() if not isinstance(value, dict)}

    def save(self, folder: Path) -> None:
        """Writes both files, each whole; predictions first, so that metrics.json means the report is complete."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        parquet = io.BytesIO()
        pq.write_table(self.predictions, parquet)
        write_whole(folder / "predictions.parquet", parquet.getvalue())
        write_whole(folder / "metrics.json", json.dumps(self.metrics, indent=2, allow_nan=False))


def evaluate(trainer: Trainer, rows: dict[str, datasets.Dataset] | dict[str, "Pictures"]) -> Report:
    """Scores the trainer's model on the validation and test rows; every rank has to call it.

    `rows` has the keys train, validation and test; tokens come with the columns labels and row_id. Where rows have
    several labels, metrics.json also holds the "threshold": the probability from which on a label is given, the same
    for all, chosen on the validation rows and used for every figure; it makes those of the validation rows, on which it
    scores best, a little too good.

    Raises:
        RunError: the model answers with numbers that are not finite, or in another order than it was asked.
    """
    # In full precision, as the saved model answers: bf16 rounds probabilities, and now and then turns an answer round.
    trainer.accelerator.native_amp = False
    trainer.model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    names = trainer.model.config.id2label
    labels = [names[i] for i in range(len(names))]
    splits, tables, threshold = {}, [], None
    for split in ("validation", "test"):
        logits, truth, loss = _predict(trainer, rows[split], split)
        if truth.ndim == 2 and threshold is None:
            threshold = multilabel.best_threshold(logits, truth, trainer.args.metric_for_best_model)
        splits[split] = _figures(logits, truth, threshold, loss, labels, seed=trainer.args.seed)
        tables.append(_table(logits, truth, threshold, labels, split, row_ids(rows[split])))
    is_image = trainer.model.main_input_name == "pixel_values"
    found = {
        "task": "image-classification" if is_image else "text-classification",
        "labels": labels,
        "metric_for_best_model": trainer.args.metric_for_best_model,
        **({} if threshold is None else {"threshold": threshold}),
        "splits": splits,
        "train": {"samples": len(rows["train"]), **_training(trainer)},
    }
    return Report(found, pa.concat_tables(tables))


def row_ids(rows: "datasets.Dataset | Pictures") -> list[str]:
    """The id of each row, in the order of the rows."""
    return rows["row_id"][:] if isinstance(rows, datasets.Dataset) else rows.row_ids


def show(found: dict[str, Any], console: Console) -> None:
    """Prints the figures of the test split (`found` is the content of metrics.json) for a person to read."""
    test = found["splits"]["test"]
    threshold = f", labels from a probability of {found['threshold']:g} on" if "threshold" in found else ""
    scores = Table(title=f"Test set: {test['samples']:,} rows{threshold}", title_justify="left")
    scores.add_column("metric")
    scores.add_column("value", justify="right")
    scores.add_column("95 % interval", justify="right")
    for name, title in multilabel.titles(found).items():
        low, high = test["intervals"][name]
        scores.add_row(title, f"{test[name]:.3f}", f"{low:.3f} to {high:.3f}")
    scores.add_row(multilabel.commonest_title(found), f"{test['majority_accuracy']:.3f}", "")
    console.print(scores)
    if test["intervals"]["accuracy"][0] <= test["majority_accuracy"]:
        console.print(
            "The model is not shown to be better than always giving the same answer: more rows, more epochs or another "
            "--learning_rate may help."
        )
    if len(test["per_class"]) <= _MOST_CLASSES_SHOWN:
        console.print(_class_table(test["per_class"]))


def _class_table(per_class: dict[str, dict[str, float]]) -> Table:
    table = Table("class")
    for title in ("precision", "recall", "F1", "rows"):
        table.add_column(title, justify="right")
    for label, row in per_class.items():
        rates = (f"{row[name]:.3f}" for name in ("precision", "recall", "f1"))
        table.add_row(escape(label), *rates, f"{row['support']:,}")
    return table


def _predict(trainer: Trainer, rows: "datasets.Dataset | Pictures", split: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Logits (rows, classes), labels (rows,) or marks (rows, classes), and the mean loss, in the order of `rows`."""
    output = trainer.predict(rows, metric_key_prefix=split)
    logits, loss = metrics.finite_logits(output.predictions), output.metrics[f"{split}_loss"]
    if not math.isfinite(loss):
        raise RunError(f"the {split} loss is {loss}: training has diverged; try a lower --learning_rate")
    truth = rows.with_format("numpy")["labels"][:] if isinstance(rows, datasets.Dataset) else np.asarray(rows.labels)
    # A sampler that orders rows by length hands them back in that order: ids would go to the wrong rows.
    if not np.array_equal(output.label_ids, truth):
        raise RunError(
            f"the {split} rows came back from the model in another order than they were given: "
            "leave out --train_sampling_strategy, which also orders the rows of an evaluation"
        )
    return logits, truth > 0 if truth.ndim == 2 else truth, loss


def _figures(
    logits: np.ndarray, truth: np.ndarray, threshold: float | None, loss: float, labels: list[str], *, seed: int
) -> dict[str, Any]:
    if threshold is None:
        matrix = metrics.confusion(truth, logits.argmax(axis=-1), len(labels))
        scores, intervals = metrics.scores(matrix), metrics.intervals(matrix, seed=seed)
        majority, per_class = matrix.sum(axis=1).max() / len(truth), metrics.per_class(matrix, labels)
    else:
        given = multilabel.marks(logits, threshold)
        scores, intervals = multilabel.scores(truth, given), multilabel.intervals(truth, given, seed=seed)
        majority, per_class = multilabel.commonest(truth), multilabel.per_class(truth, given, labels)
    return {
        **scores,
        "loss": float(loss),
        "samples": len(truth),
        "majority_accuracy": float(majority),
        "intervals": intervals,
        "per_class": per_class,
    }


def _table(
    logits: np.ndarray, truth: np.ndarray, threshold: float | None, labels: list[str], split: str, ids: list[str]
) -> pa.Table:
    """One row per prediction; `score` is the probability of the predicted class.

    Where rows have several labels, `label` and `prediction` are lists, and `score` is the highest probability.
    """
    names = np.asarray(labels, dtype=object)
    if threshold is None:
        probabilities = softmax(logits.astype(np.float32), axis=-1)  # (rows, classes)
        label, prediction = names[truth], names[logits.argmax(axis=-1)]
    else:
        probabilities = expit(logits.astype(np.float32))
        several = pa.list_(pa.string())
        label, prediction = (
            pa.array([names[row] for row in marks], several) for marks in (truth, multilabel.marks(logits, threshold))
        )
    return pa.table(
        {
            "row_id": ids,
            "split": [split] * len(ids),
            "label": label,
            "prediction": prediction,
            "score": probabilities.max(axis=-1),
            **{f"probability_{label}": probabilities[:, i] for i, label in enumerate(labels)},
        }
    )


def _training(trainer: Trainer) -> dict[str, float | int | None]:
    """What the training cost, in its last session if it was resumed; memory is that of this process or its device."""
    summary = next((log for log in reversed(trainer.state.log_history) if "train_runtime" in log), {})
    steps = trainer.state.global_step
    # the Trainer divides the rows of all sessions by the time of the last one
    share = 1 - getattr(trainer, "_initial_global_step", 0) / steps if steps else 1
    return {
        "runtime_s": summary.get("train_runtime"),
        "samples_per_second": summary.get("train_samples_per_second", 0.0) * share,
        "steps": steps,
        "learning_rate": trainer.args.learning_rate,
        "precision": precision(trainer.args),
        "peak_memory_bytes": _peak_memory_bytes(trainer.args.device),
    }


def _peak_memory_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in kilobytes
