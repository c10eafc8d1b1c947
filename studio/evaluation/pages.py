"""Writes what people look at in a report folder: analysis.json, the plots and report.html."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from datasets import Dataset, concatenate_datasets

from studio import events
from studio.data import load
from studio.errors import RequestError
from studio.evaluation import answered, items, page, sentences
from studio.evaluation.analysis import analyse
from studio.evaluation.answered import Answered
from studio.runs import Run, write_whole

ANALYSIS = "analysis.json"


def write(
    folder: Path,
    metrics: dict[str, Any],
    *,
    title: str,
    rows: Dataset | None,
    training: Path | None = None,
    notes: list[str] | None = None,
    validation: Answered | None = None,
    more: dict[str, Any] | None = None,
    model: Path | None = None,
    patience_s: float = 60.0,
) -> dict[str, Any]:
    """Writes and returns the analysis of the test rows in a report folder's predictions.parquet.

    `metrics` is the content of metrics.json, `rows` the data with the texts or pictures where they are at hand,
    `training` the run's events. `validation` are the rows to choose temperature and thresholds on, when they are not in
    the same file. `more` is added to the analysis, and so are its "sentences" and the "text" or "jpeg" of its errors.
    The model in the folder `model` is asked why it made the surest errors, for no more than `patience_s`; this loads
    torch.

    Raises:
        RequestError: the predictions are not there or damaged.
    """
    from studio.evaluation import plots  # matplotlib takes a while to load

    test = answered.read(folder, "test")
    if rows is not None and not test.traits:  # of a run from before they were kept
        test = dataclasses.replace(test, traits=answered.traits_of(test.row_ids, rows))
    if validation is None:
        validation = answered.read(folder, "validation")
    found = analyse(test, validation, metrics.get("threshold")) | (more or {})
    found["sentences"] = sentences.tell(found)
    drawn = plots.draw(found, _curves(training) if training else {})
    shown = items.items(rows, [error["row_id"] for error in found["errors"]]) if rows is not None else {}
    for error in found["errors"]:
        error |= shown.get(error["row_id"], items.Item()).as_json()
    why, notes = {}, [*(notes or [])]
    if "several_views" in metrics:
        notes.append(sentences.of_views(metrics))
    if rows is not None and model and found["errors"]:
        from studio.evaluation.reasons import reasons

        why, remarks = reasons(model, rows, found["errors"], patience_s)
        notes += remarks
    write_whole(folder / ANALYSIS, json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False))
    for name, content in drawn.items():
        write_whole(folder / f"{name}.png", content)
    write_whole(folder / "report.html", page.page(title, found, drawn, shown, why, notes))
    return found


def title(run: Run) -> str:
    """What the report of a run is called."""
    return f"How good is {run.folder.name}?"


def remake(run: Run) -> dict[str, Any]:
    """The same for a finished run, from what is there; returns the analysis.

    Raises:
        RequestError: the run has no report, or it is damaged.
    """
    metrics, notes, rows = read_metrics(run), [], None
    try:
        rows = concatenate_datasets(list(load.curated(load.settings_of(run)).splits.values()))
    except (RequestError, OSError) as error:
        notes.append(
            f"Texts and pictures are not shown and errors not explained, for the data cannot be read any more: {error}"
        )
    model = run.model if (run.model / "config.json").exists() else None
    return write(run.report, metrics, title=title(run), rows=rows, training=run.events, notes=notes, model=model)


def read_metrics(run: Run) -> dict[str, Any]:
    """What report/metrics.json says.

    Raises:
        RequestError: it is not there, or damaged.
    """
    run.record()
    file = run.report / "metrics.json"
    try:
        found = json.loads(file.read_text())
        found["splits"]["test"]["accuracy"]
        return found
    except OSError as error:
        raise RequestError(f"{run.folder.name} has no report yet: it is written when a run has finished") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RequestError(f"{file} is damaged: score the run anew") from error


def _curves(file: Path) -> dict[str, list[tuple[int, float]]]:
    told = events.without_replaced(events.read(file)[0])
    return {name: events.thin(events.series(told, name)) for name in ("loss", "eval_loss")}
