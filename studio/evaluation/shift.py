"""A finished model on other data: does it do as well there as on its own test rows, or worse beyond chance?"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, concatenate_datasets

from studio.config import READING, ImageData, TextData
from studio.data import load
from studio.data.marks import labels_of, pairs
from studio.data.preview import settings
from studio.data.progress import progress
from studio.data.sources import Source
from studio.errors import RequestError
from studio.evaluation import answered, items, pages, proportions
from studio.evaluation.answered import Answered
from studio.evaluation.figures import figures
from studio.evaluation.metrics import finite_logits
from studio.evaluation.report import Report
from studio.evaluation.scores import log_losses
from studio.predictor import Predictor
from studio.runs import Run

_BATCH = 32
_LEVEL = 0.05


def evaluate(run: Run, flags: list[str], label_map: list[str], *, lines: bool = False) -> tuple[Path, dict[str, Any]]:
    """Answers the rows that the flags of a recipe's Data group name; returns the report's folder and its analysis.

    Of data that come with a test split, that is taken, else all rows. Labels are those of the model by name; those that
    it calls otherwise are named by `label_map` ("theirs=its"). The report lies in <run>/report/<name of the data>/.
    `lines` prints how far it is, for programs.

    Raises:
        RequestError: the run has no report or no model, a flag is wrong, the data cannot be read, or none of its rows
            has a label that the model knows.
    """
    metrics = pages.read_metrics(run)
    data = _settings(run, flags)
    source = load.read(data)
    rows = source.splits["test"] if "test" in source.splits else concatenate_datasets(list(source.splits.values()))
    rows, notes = _without_known(rows, run)
    rows, truth, remarks = _labelled(rows, source, metrics["labels"], label_map)
    if data.max_predict_samples and len(rows) > data.max_predict_samples:
        drawn = np.sort(np.random.default_rng(0).choice(len(rows), data.max_predict_samples, replace=False))
        rows, truth = rows.select(drawn), truth[drawn]
    threshold, ids = metrics.get("threshold"), rows["row_id"][:]
    if threshold is None and truth.ndim == 2:
        raise RequestError(f"rows of {source.origin} have several labels, and the model gives one: bring others")
    if threshold is not None and truth.ndim == 1:
        truth = truth[:, None] == np.arange(len(metrics["labels"]))
    logits = _logits(Predictor(run.folder), rows, lines)
    found = answered.of_logits(logits, truth, threshold, metrics["labels"], ids)
    notes += [*source.notes, *remarks, *_never_true(found)]
    own, validation = (answered.read(run.report, split) for split in ("test", "validation"))
    told = {
        "task": metrics["task"],
        "labels": metrics["labels"],
        **({} if threshold is None else {"threshold": threshold}),
        "dataset": {"name": source.origin, "settings": _reading(data), "label_map": label_map, "notes": notes},
        "splits": {"test": figures(found, log_losses(found.probabilities, truth).mean(), seed=0)},
        "shift": shift(own, found, source.origin),
    }
    folder = _folder(run, source.origin)
    report = Report(told, answered.table(found, "test"))
    report.describe(rows)
    report.save(folder)
    analysis = pages.write(
        folder,
        told,
        title=f"How good is {run.folder.name} on {source.origin}?",
        rows=rows,
        notes=notes,
        validation=validation,
        more={"shift": told["shift"]},
        model=run.folder,
    )
    return folder, analysis


def shift(own: Answered, other: Answered, origin: str) -> dict[str, Any]:
    """Whether the accuracy on other rows differs from that on the run's own test rows by more than chance."""
    hits, rows = int(other.right.sum()), len(other.row_ids)
    own_hits, own_rows = int(own.right.sum()), len(own.row_ids)
    p = proportions.p_value(hits, rows, own_hits, own_rows)
    change, (low, high) = hits / rows - own_hits / own_rows, proportions.difference(hits, rows, own_hits, own_rows)
    before = f"On its own {own_rows:,} test rows it is right on {own_hits / own_rows:.1%}"
    chance = "p below 0.001" if p < 0.001 else f"p {p:.2g}"
    bounds = f"95 % interval {100 * low:+.1f} to {100 * high:+.1f}, {chance}"
    word = "worse" if change < 0 else "better"
    verdict = (
        f"it does {word} on {origin}, beyond chance" if p < _LEVEL else f"the difference on {origin} may be chance"
    )
    return {
        "origin": origin,
        "accuracy": hits / rows,
        "own_accuracy": own_hits / own_rows,
        "difference": change,
        "interval": [low, high],
        "p": p,
        "worse": p < _LEVEL and change < 0,
        "sentence": f"{before}: {verdict} ({100 * change:+.1f} points, {bounds}).",
    }


def _folder(run: Run, origin: str) -> Path:
    """Where the report of data of this name lies; not where one of the run's own files lies, which may be called so."""
    name = re.sub(r"[^\w.-]+", "-", origin).strip(".-") or "data"
    return run.report / (f"{name}-data" if (run.report / name).is_file() else name)


def _settings(run: Run, flags: list[str]) -> TextData | ImageData:
    names = [flag.removeprefix("--").partition("=")[0] for flag in flags if flag.startswith("--")]
    for name in names:
        if name not in READING:
            raise RequestError(f"--{name} does not say which rows to evaluate on: leave it out")
    if "dataset_name" not in names:
        raise RequestError("--dataset_name names the data to evaluate on: give it")
    return settings(flags, run.record()["task"])[1]


def _reading(data: TextData | ImageData) -> dict[str, Any]:
    """The settings by which the same rows are read again, from whatever folder that is asked."""
    said = {name: value for name, value in vars(data).items() if name in READING and value}
    place = Path(data.dataset_name).expanduser()
    return said | ({"dataset_name": str(place.resolve())} if place.exists() else {})


def _without_known(rows: Dataset, run: Run) -> tuple[Dataset, list[str]]:
    """The rows whose content the run was neither trained nor chosen on; ids begin with a hash of the content."""
    known = set()
    for split in ("train", "validation"):
        file = run.splits / f"{split}.txt"
        known |= {line.partition("-")[0] for line in file.read_text().split()} if file.exists() else set()
    new = [i for i, row_id in enumerate(rows["row_id"]) if row_id.partition("-")[0] not in known]
    if len(new) == len(rows):
        return rows, []
    if not new:
        raise RequestError("the model was trained on all of these rows: bring others")
    return rows.select(new), [
        f"{len(rows) - len(new):,} rows are left out, for the model was trained or chosen on them."
    ]


def _labelled(
    rows: Dataset, source: Source, labels: list[str], label_map: list[str]
) -> tuple[Dataset, np.ndarray, list[str]]:
    """The rows whose labels the model knows, their labels as it numbers them, and notes on the others."""
    to = _matched(source.labels, labels, label_map)
    found = labels_of(rows)
    several = found.ndim == 2
    known = np.array([name in to for name in source.labels])
    kept = np.flatnonzero(~(found & ~known).any(axis=1) if several else known[found])
    unknown = [name for name in source.labels if name not in to]
    theirs, its = (", ".join(map(repr, names[:10])) for names in (unknown, labels))
    remedy = f"say what they are by --label_map {unknown[0] if unknown else 'theirs'}={labels[0]}, once for each"
    if not len(kept):
        raise RequestError(f"{source.origin} has the labels {theirs}, and the model knows {its}: {remedy}")
    notes = []
    if len(kept) < len(rows):
        notes.append(
            f"{len(rows) - len(kept):,} of {len(rows):,} rows are left out, for the model does not know their labels: "
            f"{theirs} (it knows {its}; if they mean the same, {remedy})."
        )
    at = np.array([labels.index(to[name]) if name in to else 0 for name in source.labels])
    if not several:
        return rows.select(kept), at[found[kept]], notes
    row, label = pairs(found[kept])
    truth = np.zeros((len(kept), len(labels)), bool)
    truth[row, at[label]] = True
    return rows.select(kept), truth, notes


def _matched(theirs: list[str], labels: list[str], label_map: list[str]) -> dict[str, str]:
    """The model's label for each of theirs that has one: as mapped, else of the same name, else but for case."""
    said = {}
    for entry in label_map:
        name, equals, label = entry.rpartition("=")
        if not equals or name not in theirs or label not in labels:
            raise RequestError(
                f"--label_map {entry}: give one of the data's labels ({', '.join(theirs[:10])}), =, and one of the "
                f"model's ({', '.join(labels[:10])})"
            )
        said[name] = label
    plain = {label.strip().casefold(): label for label in labels}
    same = {name: name if name in labels else plain.get(name.strip().casefold()) for name in theirs}
    return {name: label for name, label in (same | said).items() if label is not None}


def _never_true(rows: Answered) -> list[str]:
    """A note on labels of the model that no row has: what it answers so is always wrong."""
    absent = np.flatnonzero(~rows.true_marks.any(axis=0))
    if rows.several or not len(absent):
        return []
    counts = Counter(rows.given.tolist())
    told = ", ".join(f"'{rows.labels[i]}' ({counts[i]:,} answers)" for i in absent[:10])
    return [f"No row has these labels of the model, so that such answers are always wrong: {told}."]


def _logits(predictor: Predictor, rows: Dataset, lines: bool) -> np.ndarray:
    """(rows, classes), in the order of the rows; texts of one length are answered together, which pads little."""
    lengths = [0] * len(rows) if "image" in rows.column_names else list(map(len, rows["text"]))
    order = np.argsort(lengths, kind="stable")
    found = None
    with progress(lines) as bar:
        task = bar.add_task("Asking the model", total=len(rows))
        for first in range(0, len(order), _BATCH):
            at = order[first : first + _BATCH]
            part = [items.asked(row) for row in rows.select(at)]
            logits = predictor.logits(part).numpy()
            found = np.empty((len(rows), logits.shape[1]), np.float32) if found is None else found
            found[at] = logits
            bar.advance(task, len(at))
    return finite_logits(found)
