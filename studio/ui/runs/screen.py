"""The Runs screen: every run with its true state, and one of them in full, live."""

import functools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from studio.curves import Stream
from studio.errors import RequestError, RunError
from studio.jobs import control
from studio.jobs.queue import Queue
from studio.jobs.standing import GOING, standing
from studio.runs import Run
from studio.ui import children, words
from studio.ui.runs import profiles, view
from studio.ui.runs.charts import Charts
from studio.ui.shared import Draft, Shared

_LOOKS_S = 2
_IS_SEEN = "(_, ...rest) => [Boolean(document.querySelector('#run-head')?.offsetParent), ...rest]"
_COLUMNS = {  # of the table: width in pixels
    "run": 205, "state": 95, "progress": 130, "training loss": 155, "validation": 105, "test": 80, "started": 125,
}  # fmt: skip
_SCORES_ARE = (
    "Scores are macro F1, unless a run's settings name another metric. Validation rows pick the checkpoint; test rows "
    "are those that training never saw."
)
_ACTIONS = {  # button: label, the states in which it is offered
    "stop": ("Stop & save", {"starting", "running", "stalled"}),
    "force": ("Force-stop", {"starting", "running", "stopping", "stalled"}),
    "resume": ("Resume", {"stopped", "failed", "orphaned", "cancelled"}),
    "first": ("Start next", {"queued"}),
    "cancel": ("Take out of the queue", {"queued"}),
    "clone": ("Clone & edit", None),
    "evaluate": ("Evaluate", {"finished"}),
    "try": ("Try it", {"finished"}),
    "delete": ("Delete", None),
}
_DOING = {  # after a click, until it is done
    "stop": "Asking it to save and stop ...",
    "force": "Ending it ...",
    "resume": "Putting it into the queue, to go on from its last checkpoint ...",
    "first": "Moving it to the front of the queue ...",
    "cancel": "Taking it out of the queue ...",
    "delete": "Removing it ...",
}
_ASKED_FIRST = {
    "force": "End it at once? What came after the last checkpoint is lost.",
    "delete": "Remove the run with its model, checkpoints and report? This cannot be taken back.",
}


def screen(shared: Shared) -> None:
    """Builds the screen inside its tab."""
    streams: dict[str, Stream] = {}
    empty = gr.Markdown(
        "No runs yet. Choose data on the **Data** screen, then start one on the **Train** screen.",
        visible=False, elem_classes="empty",
    )  # fmt: skip
    table = gr.Dataframe(
        headers=list(_COLUMNS), interactive=False, show_search="search", max_height=290, elem_id="runs-table",
        show_label=False, column_widths=[f"{width}px" for width in _COLUMNS.values()], buttons=[],
    )  # fmt: skip
    gr.HTML(f'<p class="aside">{_SCORES_ARE}</p>')
    head = gr.HTML(elem_id="run-head")
    buttons = {}
    with gr.Row(elem_classes="actions"):
        for name, (label, _) in _ACTIONS.items():
            variant = (
                "primary" if name in ("stop", "resume", "try") else "stop" if name in _ASKED_FIRST else "secondary"
            )
            buttons[name] = gr.Button(label, variant=variant, size="sm", visible=False, min_width=110)
    with gr.Row(visible=False) as sure:
        question = gr.Markdown()
        yes = gr.Button("Yes, do it", variant="stop", size="sm", min_width=110, elem_id="yes")
        no = gr.Button("No", size="sm", min_width=80)
    doing = gr.HTML(elem_id="run-doing")
    notes = gr.HTML(elem_id="run-notes")
    result = gr.HTML(elem_id="run-result")
    charts = Charts()
    profiles.section(shared)
    with gr.Accordion("What it printed", open=False):
        search = gr.Textbox(placeholder="only lines with ...", show_label=False, container=False)
        log = gr.Textbox(show_label=False, lines=16, max_lines=16, elem_id="run-log", autoscroll=True, buttons=["copy"])
    with gr.Accordion("Settings it runs with", open=False):
        settings = gr.Code(language="yaml", show_label=False, interactive=False)

    shown_rows, seen, wanted = gr.State(None), gr.State(None), gr.State(None)
    detail = [head, *buttons.values(), notes, *charts.plots, result, log, settings, seen]

    def look(rows_before: str | None, chosen: str | None, words_wanted: str, before: dict | None):
        """What has changed since the last look at the table and at one run: the chosen one, else the latest."""
        rows = shared.runs.rows()
        cells = [_cells(row) for row in rows]
        listed = json.dumps(cells)
        run = chosen if chosen and (shared.root / chosen).is_dir() else _latest(rows)
        table_now = [gr.skip()] * 3
        if listed != rows_before:
            table_now = [gr.Dataframe(cells, visible=bool(rows)), gr.update(visible=not rows), listed]
        detail_now = _detail(shared.root, streams, charts, run, words_wanted, before)
        return [*table_now, gr.skip() if run == chosen else run, *detail_now]

    def look_if_seen(is_seen: bool, *what: Any):
        return look(*what) if is_seen else [gr.skip()] * len(looked["outputs"])

    looked = {
        "inputs": [shown_rows, shared.run, search, seen],
        "outputs": [table, empty, shown_rows, shared.run, *detail],
        "show_progress": "hidden",
        "trigger_mode": "always_last",
    }
    is_seen = gr.Checkbox(visible=False)
    seen_now = looked | {"inputs": [is_seen, *looked["inputs"]], "js": _IS_SEEN}
    gr.on([gr.Timer(_LOOKS_S).tick, shared.run.change], look_if_seen, **seen_now)
    gr.on([shared.page.load, shared.tab.select, search.change], look, **looked)

    def choose(event: gr.SelectData):
        return event.row_value[0]

    table.select(choose, outputs=shared.run, show_progress="hidden").then(look, **looked)
    for name in _ASKED_FIRST:
        buttons[name].click(
            functools.partial(_ask_first, name), outputs=[sure, question, wanted], show_progress="hidden"
        )
    no.click(lambda: (gr.update(visible=False), None), outputs=[sure, wanted], show_progress="hidden")
    carried_out = functools.partial(_carry_out, shared.root)
    after = {"outputs": [doing, sure, shared.run], "show_progress": "hidden"}
    yes.click(carried_out, [wanted, shared.run], **after).then(look, **looked)
    for name in ("stop", "resume", "first", "cancel"):
        buttons[name].click(functools.partial(carried_out, name), shared.run, **after).then(look, **looked)
    buttons["clone"].click(
        lambda run: (Draft(run), gr.Tabs(selected="train")),
        shared.run,
        [shared.draft, shared.tabs],
        show_progress="hidden",
    )
    for name in ("evaluate", "try"):
        buttons[name].click(functools.partial(gr.Tabs, selected=name), outputs=shared.tabs, show_progress="hidden")


def _cells(row: dict[str, Any]) -> list[str]:
    """A run's line in the table."""
    left = words.left(row["step"], row["steps"], row["left_s"]) if row["state"] in GOING else ""
    return [
        row["run"],
        row["state"],
        " · ".join(filter(None, [f"{row['step']:,} / {row['steps']:,}" if row["steps"] else "", left])),
        words.sparkline(row["losses"]),
        *("" if row[score] is None else f"{row[score]:.3f}" for score in ("best", "test")),
        time.strftime("%d %b %H:%M", time.localtime(row["created"])) if row["created"] else "",
    ]


def _latest(rows: list[dict[str, Any]]) -> str | None:
    """The run one would want to see: the one at work, or the newest."""
    going = [row["run"] for row in rows if row["state"] in GOING]
    return next(iter([*going, *(row["run"] for row in rows)]), None)


def _detail(root: Path, streams: dict[str, Stream], charts: Charts, name: str | None, only: str, before: Any) -> list:
    """What has changed of the chosen run since `before`, for head, buttons, notes, plots, result, log and settings."""
    silent = [gr.skip()] * (5 + len(_ACTIONS) + len(charts.plots))
    folder = root / name if name else None
    if not folder or not folder.is_dir():
        if before is None:
            return [*silent, gr.skip()]
        nothing = [gr.update(visible=False)] * (len(_ACTIONS))
        return ["", *nothing, "", *[""] * len(charts.plots), "", "", "", None]
    stream = streams.setdefault(name, Stream(folder))
    stream.read_on()
    now = standing(folder)
    report, printed = folder / "report" / "metrics.json", folder / "train.log"
    log_size = printed.stat().st_size if printed.exists() else 0
    seen = {
        "run": name, "state": now.state, "reason": now.reason, "offset": stream.offset,
        "report": report.stat().st_mtime if report.exists() else 0, "log": [log_size, only],
    }  # fmt: skip
    before = before or {}
    if before == seen:
        return [*silent, gr.skip()]
    other = before.get("run") != name
    metric = _settings(folder).get("metric_for_best_model", "f1_macro")

    def where(*keys: str) -> bool:
        return other or any(seen[key] != before.get(key) for key in keys)

    return [
        view.head(folder, now, stream, metric) if where("state", "reason", "offset", "log") else gr.skip(),
        *(
            gr.update(visible=states is None or now.state in states) if where("state") else gr.skip()
            for _, states in _ACTIONS.values()
        ),
        view.notes(stream, metric, now.going) if where("offset", "state") else gr.skip(),
        *(charts.updates(stream, metric) if where("offset") else [gr.skip()] * len(charts.plots)),
        view.result(report) if where("report") else gr.skip(),
        view.log(printed, only) if where("log") else gr.skip(),
        _config(folder) if other else gr.skip(),
        seen,
    ]


def _settings(folder: Path) -> dict[str, Any]:
    try:
        return Run(folder).settings()
    except (RequestError, OSError, ValueError):
        return {}


def _config(folder: Path) -> str:
    try:
        return (folder / "config.yaml").read_text()
    except OSError:
        return ""


def _ask_first(name: str) -> tuple:
    return gr.update(visible=True), _ASKED_FIRST[name], name


def _carry_out(root: Path, action: str, run: str) -> Iterator[tuple]:
    """Does what a button says to the chosen run, and says so meanwhile."""
    folder = root / Path(run).name
    actions: dict[str, Callable[[], object]] = {
        "stop": lambda: control.stop(folder),
        "force": lambda: control.force_stop(folder),
        "delete": lambda: control.discard(folder),
        "resume": lambda: children.ask(root, "resume", folder.name),
        "first": lambda: Queue(root).move(folder, 1),
        "cancel": lambda: Queue(root).cancel(folder),
    }
    yield words.said(_DOING[action]), gr.update(visible=False), gr.skip()
    try:
        actions[action]()
        yield "", gr.skip(), None if action == "delete" else run
    except (RequestError, RunError) as error:
        yield words.refused(str(error)), gr.skip(), gr.skip()
