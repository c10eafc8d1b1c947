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
from transformers import Trainer

from studio.errors import RunError
from studio.evaluation import answered, figures, metrics, multilabel
from studio.runs import write_whole
from studio.training.callbacks import precision
from studio.training.trainer import StudioTrainer

if TYPE_CHECKING:
    from studio.data.images import Pictures


@dataclass
class Report:
    """`metrics` is the content of metrics.json, `predictions` that of predictions.parquet."""

    metrics: dict[str, Any]
    predictions: pa.Table

    @property
    def scores(self) -> dict[str, float]:
        """The figures of the test split, without intervals and classes."""
        return {name: value for name, value in self.metrics["splits"]["test"].items() if not isinstance(value, dict)}

    def describe(self, *splits: datasets.Dataset) -> None:
        """Adds what the rows are like, by the data that they stand in; slices are made of it."""
        ids = self.predictions["row_id"].to_pylist()
        for name, values in answered.traits_of(ids, datasets.concatenate_datasets(splits)).items():
            self.predictions = self.predictions.append_column(name, pa.array(values))

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
        found = answered.of_logits(logits, truth, threshold, labels, row_ids(rows[split]))
        splits[split] = figures.figures(found, loss, seed=trainer.args.seed)
        tables.append(answered.table(found, split))
    is_image = trainer.model.main_input_name == "pixel_values"
    told = {
        "task": "image-classification" if is_image else "text-classification",
        "labels": labels,
        "metric_for_best_model": trainer.args.metric_for_best_model,
        **({} if threshold is None else {"threshold": threshold}),
        "splits": splits,
        "train": {"samples": len(rows["train"]), **_training(trainer)},
    }
    return Report(told, pa.concat_tables(tables))


def row_ids(rows: "datasets.Dataset | Pictures") -> list[str]:
    """The id of each row, in the order of the rows."""
    return rows["row_id"][:] if isinstance(rows, datasets.Dataset) else rows.row_ids


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


def _training(trainer: Trainer) -> dict[str, Any]:
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
        **_strategy(trainer),
        "peak_memory_bytes": peak_memory_bytes(trainer.args.device),
    }


def _strategy(trainer: Trainer) -> dict[str, str | int]:
    """What was trained of the network, as far as the events of the run were told."""
    told = trainer.events.about if isinstance(trainer, StudioTrainer) else {}
    return {name: told[name] for name in ("strategy", "trainable_parameters") if name in told}


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory that this process has taken so far: of the device, or its own where that is the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in kilobytes
