"""The compare screen: curves over each other, settings that differ, and whether a difference is more than chance."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from studio import events
from studio.errors import RequestError, RunError
from studio.evaluation import costs
from studio.jobs.listing import run_folders
from studio.jobs.standing import standing
from studio.runs import Run
from studio.ui import lines, words
from studio.ui.children import ask
from studio.ui.shared import Shared
from studio.ui.theme import SERIES

_MOST = len(SERIES)
_WITHOUT_CURVES = {"queued", "cancelled", "broken"}
_CURVES = ("Training loss", "Validation loss", "The metric that picks the best")
_SCORES = {  # of metrics.json: column
    "accuracy": "Accuracy",
    "f1_macro": "F1, macro",
    "f1_weighted": "F1, weighted",
    "loss": "Loss",
}
_NO_RUNS = "There is nothing to compare yet. Train a model on the **Train** tab, then another with one thing changed."
_CHOOSE = "Choose two or more runs above: all are tested against the first."
_NO_POINTS = "No points yet: a curve begins with the first logged step or evaluation of a run."


def screen(shared: Shared) -> None:
    """Builds the screen inside its tab."""
    with gr.Row():
        runs = gr.Dropdown(
            [],
            label="Runs",
            multiselect=True,
            max_choices=_MOST,
            info=f"2 to {_MOST}, the newest first",
            scale=3,
            min_width=300,
        )
        curve = gr.Radio(_CURVES, value=_CURVES[0], label="Curve", scale=2, min_width=300)
    verdict = gr.Markdown()
    plot = gr.HTML(elem_id="compare-chart", css_template=lines.CSS, js_on_load=lines.HOVER)
    scores = gr.Dataframe(label="Test set, with 95 % intervals", interactive=False, wrap=True, visible=False)
    recalls = gr.Dataframe(
        label="Recall: the share of a class's test rows that were found", interactive=False, wrap=True, visible=False
    )
    settings = gr.Dataframe(
        label="Settings that differ, and what the models cost", interactive=False, wrap=True, visible=False
    )

    def choose(chosen: list[str] | None) -> Any:
        """What there is to choose from by now, and the newest two of a task with scores where nothing is chosen."""
        folders = _folders(shared.root)
        if any(name in folders for name in chosen or []):
            return gr.Dropdown(choices=list(folders))
        scored = [name for name, folder in folders.items() if _report(folder).exists()]
        tasks = [_task(folders[name]) for name in scored]
        task = next((task for task in tasks if tasks.count(task) > 1), None)
        return gr.Dropdown(
            choices=list(folders), value=[name for name, of in zip(scored, tasks, strict=True) if of == task][:2]
        )

    def draw(names: list[str] | None, which: str) -> str:
        folders = _chosen(shared.root, names)
        curves = _points(folders, _CURVES.index(which))
        last = max((points[-1][0] for points in curves.values() if points), default=1)
        chart = lines.lines(_title(folders, which), curves, last)
        return chart or (words.said(_NO_POINTS) if folders else "")

    def judge(names: list[str] | None, before: list | None) -> Iterator[tuple[Any, ...]]:
        hidden = gr.Dataframe(visible=False)
        folders = _chosen(shared.root, names)
        if len(folders) < 2:
            yield (_CHOOSE if _folders(shared.root) else _NO_RUNS), hidden, hidden, hidden, None
            return
        now = [(str(folder), _report(folder).exists() and _report(folder).stat().st_mtime) for folder in folders]
        if now == before:
            yield (gr.skip(),) * 5
            return
        yield "Comparing ...", hidden, hidden, hidden, None
        try:
            found = ask(shared.root, "compare", *map(str, folders))
        except (RequestError, RunError) as error:
            yield f"These runs cannot be compared: {words.plain(error)}", hidden, hidden, hidden, None
            return
        told = [row["sentence"] for row in found["tests"]] + found["notes"]
        yield (
            "\n\n".join(map(words.plain, told)),
            gr.Dataframe(_score_table(found["runs"]), visible=True),
            gr.Dataframe(of_classes := _recall_table(found), visible=not of_classes.empty),
            gr.Dataframe(table := _setting_table(found), visible=not table.empty),
            now,
        )

    # not on `change`, which Gradio 6.31 tells of a list of choices after whatever changes on the page
    judged = gr.State(None)
    drawing = {"fn": draw, "inputs": [runs, curve], "outputs": plot, "show_progress": "hidden"}
    judging = {"fn": judge, "inputs": [runs, judged], "outputs": [verdict, scores, recalls, settings, judged]}
    offered = shared.tab.select(choose, runs, runs, show_progress="hidden", api_name="runs_to_compare")
    offered.then(**drawing).then(**judging)
    runs.input(**drawing).then(**judging)
    curve.input(**drawing)


def _folders(root: Path) -> dict[str, Path]:
    """The runs that can be chosen, by name, the newest first."""
    return {folder.name: folder for folder in run_folders(root) if standing(folder).state not in _WITHOUT_CURVES}


def _report(folder: Path) -> Path:
    return folder / "report" / "metrics.json"


def _task(folder: Path) -> str:
    try:
        return Run(folder).record()["task"]
    except (RequestError, OSError, ValueError, KeyError):
        return ""


def _chosen(root: Path, names: list[str] | None) -> list[Path]:
    folders = _folders(root)
    return [folders[name] for name in (names or [])[:_MOST] if name in folders]


def _points(folders: list[Path], which: int) -> dict[str, list[tuple[int, float]]]:
    """The (step, value) points of one kind of curve, by run."""
    curves = {}
    for folder, label in zip(folders, _numbered(folders), strict=True):
        name = ("loss", "eval_loss", f"eval_{_metric(folder)}")[which]
        found, _ = events.read(folder / "events.jsonl")
        curves[label] = events.thin(events.series(events.without_replaced(found), name))
    return curves


def _numbered(folders: list[Path]) -> list[str]:
    """Names for a legend, which cuts long ones short: their ends tell runs apart, their numbers stand in the table."""
    names = [folder.name if len(folder.name) <= 24 else f"…{folder.name[-23:]}" for folder in folders]
    return [f"{place}  {name}" for place, name in enumerate(names, start=1)]


def _metric(folder: Path) -> str:
    try:
        return str(Run(folder).settings().get("metric_for_best_model", "f1_macro"))
    except (RequestError, OSError, ValueError, AttributeError):  # a folder in the making, or damaged
        return "f1_macro"


def _title(folders: list[Path], which: str) -> str:
    if which != _CURVES[2]:
        return which.lower()
    return ", ".join(dict.fromkeys(_SCORES.get(_metric(folder), _metric(folder)) for folder in folders))


def _score_table(runs: list[dict[str, Any]]) -> pd.DataFrame:
    rows = [
        [str(place), row["run"], *(_score(row["test"] or {}, name) for name in _SCORES), _rows(row["test"])]
        for place, row in enumerate(runs, start=1)
    ]
    return pd.DataFrame(rows, columns=["", "Run", *_SCORES.values(), "Rows"])


def _score(test: dict[str, Any], name: str) -> str:
    if name not in test:
        return ""
    interval = test.get("intervals", {}).get(name)
    return f"{test[name]:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def _rows(test: dict[str, Any] | None) -> str:
    return f"{test['samples']:,}" if test else "not scored yet"


def _setting_table(found: dict[str, Any]) -> pd.DataFrame:
    rows = [
        [name, *("" if value is None else str(value) for value in values)] for name, values in found["settings"].items()
    ]
    rows += _cost_rows([row["profile"] for row in found["runs"]])
    return pd.DataFrame(rows, columns=["Setting", *_headers(found["runs"])])


def _recall_table(found: dict[str, Any]) -> pd.DataFrame:
    """Empty where classes are too many to read, or no run is scored yet."""
    rows = [
        [
            label,
            next(f"{of_run['support']:,}" for of_run in runs if of_run),
            *(_score(one or {}, "recall") for one in runs),
        ]
        for label, runs in found["recalls"].items()
    ]
    return pd.DataFrame(rows, columns=["Class", "Rows", *_headers(found["runs"])])


def _headers(runs: list[dict[str, Any]]) -> list[str]:
    return [f"{place}  {row['run']}" for place, row in enumerate(runs, start=1)]


def _cost_rows(profiles: list[dict[str, Any] | None]) -> list[list[str]]:
    """What the models cost, line by line, where all have been measured; on which devices, if these differ."""
    if not all(profiles):
        return []
    devices = [profile["device"] for profile in profiles]
    told = [costs.lines(profile) for profile in profiles]
    rows = [[name, *(one[name] for one in told)] for name in told[0]]
    return rows + ([["measured on", *devices]] if len(set(devices)) > 1 else [])
