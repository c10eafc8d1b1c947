"""Run folders as training leaves them, written without training."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.metrics import accuracy_score, f1_score

from studio import events
from studio.data import load, splits
from studio.data.marks import labels_of
from studio.evaluation import answered, pages, proportions
from studio.evaluation.figures import figures
from studio.runs import Run

Rows = dict[str, tuple[str, str]]  # row id: (label, prediction)


def write_run(
    root: Path, name: str, rows: Rows | None = None, *, settings: str = "learning_rate: 1.0e-4\n", steps: int = 40
) -> Path:
    """A run with `steps` logged losses; finished with these test rows, or still without a report."""
    run = Run(root / name)
    run.create(recipe="text_classification", task="text-classification", command=[], settings=settings, seed=1)
    for step in range(1, steps + 1):
        events.append(run.events, "metric", step, {"loss": 2 / step + 0.01 * len(name)})
        if step % 10 == 0:
            events.append(run.events, "metric", step, {"eval_loss": 2.2 / step, "eval_f1_macro": 1 - 1 / step})
    run.set_state("finished" if rows else "running")
    if rows:
        run.model.mkdir()
        (run.model / "config.json").write_text("{}")
        write_report(run.report, rows)
    run.unlock()
    return run.folder


def write_report(report: Path, rows: Rows) -> None:
    """metrics.json and predictions.parquet of test rows."""
    report.mkdir()
    truth, given = (list(column) for column in zip(*rows.values(), strict=True))
    accuracy = accuracy_score(truth, given)
    test = {
        "accuracy": accuracy,
        "f1_macro": f1_score(truth, given, average="macro"),
        "loss": 0.5,
        "samples": len(rows),
        "intervals": {"accuracy": [accuracy - 0.05, accuracy + 0.05]},
        "per_class": _per_class(truth, given),
    }
    columns = {"row_id": list(rows), "split": ["test"] * len(rows), "label": truth, "prediction": given}
    pq.write_table(pa.table(columns), report / "predictions.parquet")
    (report / "metrics.json").write_text(json.dumps({"splits": {"test": test}}))


def _per_class(truth: list[str], given: list[str]) -> dict[str, dict[str, object]]:
    """Recall and support, as far as they are asked for."""
    found = {}
    for label in sorted(set(truth)):
        hits, support = sum(a == b == label for a, b in zip(truth, given, strict=True)), truth.count(label)
        interval = list(proportions.wilson(hits, support))
        found[label] = {"recall": hits / support, "support": support, "intervals": {"recall": interval}}
    return found


def answers(right: str, labels: str = "ab") -> Rows:
    """Rows of alternating labels, answered right where the mark is 1 and wrong where it is 0."""
    rows = {}
    for i, mark in enumerate(right):
        truth, other = labels[i % 2], labels[1 - i % 2]
        rows[f"row{i}"] = (truth, truth if mark == "1" else other)
    return rows


def evaluated_run(root: Path, name: str, data: Path, *, seed: int = 0, settings: str = "") -> Run:
    """A finished run on a table of texts, divided and reported as a real one; its answers are drawn from a seed."""
    run = Run(root / name)
    settings = f"dataset_name: {data}\n{settings}"
    run.create(recipe="text_classification", task="text-classification", command=[], settings=settings, seed=1)
    group = load.settings_of(run)
    divided = splits.divide(load.read(group), group, 42)
    splits.save(divided, run.splits)
    random, answers, told = np.random.default_rng(seed), [], {}
    for split in ("validation", "test"):
        rows = getattr(divided, split)
        truth, threshold = labels_of(rows), 0.5 if labels_of(rows).ndim == 2 else None
        right = truth if threshold else truth[:, None] == np.arange(len(divided.labels))
        logits = random.normal(0, 1.5, right.shape) + (2 * right if threshold is None else 3 * right - 1.5)
        found = answered.of_logits(logits, truth, threshold, divided.labels, rows["row_id"][:])
        answers.append(answered.table(found, split))
        told[split] = figures(found, 0.5, seed=0)
    run.report.mkdir()
    pq.write_table(pa.concat_tables(answers), run.report / "predictions.parquet")
    metrics = {"task": "text-classification", "labels": divided.labels, "splits": told}
    metrics |= {} if threshold is None else {"threshold": threshold}
    (run.report / "metrics.json").write_text(json.dumps(metrics))
    pages.remake(run)
    run.set_state("finished")
    run.unlock()
    return run
