"""The Evaluate screen: how good a finished run is, how sure that is, where it errs and why, and what to do about it."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import RequestError
from studio.ui.evaluate import charts, reports, view
from studio.ui.evaluate.other import Other
from studio.ui.evaluate.reports import Mendable
from studio.ui.evaluate.rows import Rows
from studio.ui.evaluate.version import Version
from studio.ui.shared import Shared
from studio.ui.words import refused

_EMPTY = """### Nothing to evaluate yet
When a run has finished, this screen says how good its model is. Start one on the **Train** screen.
"""
_DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError)  # what a report of another shape ends in
_FILES = ("report.html", "predictions.parquet")
_WIDTHS = ["220px", "80px", "80px", "140px", "90px", "90px", "90px", "90px"]  # a narrow window scrolls the table
_LIGHT = {"show_progress": "hidden", "api_visibility": "private"}


def screen(shared: Shared) -> None:
    """Builds the screen inside its tab."""

    def folder(name: str | None) -> Path:
        """The folder of a finished run."""
        found = next((row for row in shared.runs.rows() if row["run"] == name), None)
        if found is None:
            raise RequestError(f"there is no run {name} any more: choose another" if name else "choose a run first")
        return Path(found["folder"])

    empty = gr.Markdown(_EMPTY, visible=False)
    with gr.Row():
        run = gr.Dropdown([], label="Run", info="finished runs, the newest first", scale=2, min_width=240)
        which = gr.Dropdown(
            [("its own test rows", reports.OWN)], value=reports.OWN, label="On", min_width=200,
            info="the rows that the figures are of",
        )  # fmt: skip
    html = {"css_template": view.CSS, "js_on_load": None}
    status = gr.HTML(**html)
    with gr.Row(elem_classes="actions"):
        mend = gr.Button("Make the report", variant="primary", visible=False)
    with gr.Column(visible=False) as whole:
        head = gr.HTML(elem_id="evaluate-head", **html)
        gr.Markdown("### What is taken for what")
        kind = gr.Radio([("rows", "rows"), ("shares of the true label", "shares")], value="rows", show_label=False)
        clicks = html | {"js_on_load": view.CLICKS}
        matrix, pairs = gr.HTML(elem_id="evaluate-matrix", **clicks), gr.HTML(**clicks)
        rows = Rows(shared.root, folder, run, which)
        version = Version(shared, folder, run)
        with gr.Accordion("All figures", open=False):
            figures = gr.HTML(**html)
        with gr.Accordion("Each class", open=False):
            gr.HTML("<p>The worst comes first. Click a class to see its errors.</p>", **html)
            classes = gr.Dataframe(
                headers=view.CLASSES, column_widths=_WIDTHS, interactive=False, max_height=420, buttons=[],
                show_search="search", show_label=False, elem_id="evaluate-classes",
            )  # fmt: skip
        with gr.Accordion("Probabilities and thresholds", open=False):
            drawn = gr.HTML(**html)
            with gr.Column(visible=False) as by_threshold:
                with gr.Row():
                    label = gr.Dropdown([], label="Label", min_width=160)
                    at = gr.Slider(0, 1, value=0.5, step=0.01, label="Given from this probability on", min_width=200)
                curve = gr.HTML(**html)
        with gr.Accordion("Kinds of rows", open=False):
            slices = gr.HTML(**html)
        with gr.Accordion("The report as files", open=False):
            with gr.Row(elem_classes="actions"):
                fetch = gr.Button("Fetch report.html and predictions.parquet", size="sm")
            files = gr.File(label="Files", visible=False, interactive=False, file_count="multiple")
    other = Other(shared, folder, run, which)
    seen = gr.State(None)

    def refresh(wanted: str | None, chosen: str | None, on: str) -> tuple:
        """The finished runs by now; the one that is chosen on any screen, if it is among them."""
        known = [row for row in shared.runs.rows() if row["state"] == "finished"]
        names = [row["run"] for row in known]
        name = next((one for one in (wanted, chosen) if one in names), next(iter(names), None))
        titles = [(_title(row), row["run"]) for row in known]
        return gr.Markdown(visible=not known), gr.Dropdown(titles, value=name), offer(name, on)

    def offer(name: str | None, on: str) -> Any:
        """The reports of a run; the same one again if it has it."""
        known = reports.listed(folder(name)) if name else [("its own test rows", reports.OWN)]
        return gr.Dropdown(known, value=on if on in [one for _, one in known] else reports.OWN)

    def show(name: str | None, on: str, before: tuple | None) -> dict:
        """Everything about one report, unless it is shown already."""
        if not name:
            return {whole: gr.Column(visible=False)}
        try:
            run_folder = folder(name)
            now = reports.stamp(run_folder, on)
            if now == before:
                return {seen: now}
            shown = other.showing(run_folder) if before is None or before[0] != now[0] else {}
            found = reports.read(run_folder, on)
            try:
                return {
                    **shown, **_report(found), **rows.showing(run_folder, on, found),
                    **version.showing(run_folder, on), whole: gr.Column(visible=True), status: "",
                    mend: gr.Button(visible=False), files: gr.File(visible=False), seen: now,
                }  # fmt: skip
            except RequestError:
                raise
            except _DAMAGE as error:
                raise Mendable(f"The report of {name} is damaged") from error
        except RequestError as error:
            mendable = isinstance(error, Mendable)
            remedy = "" if not mendable else " Evaluate it on these data anew, below." if on else " Make it now:"
            hidden = {whole: gr.Column(visible=False), mend: gr.Button(visible=mendable and not on)}
            return hidden | {status: refused(f"{error}.{remedy}" if mendable else str(error)), seen: None}

    def _report(found: dict[str, Any]) -> dict:
        thresholds = found["thresholds"]["by_label"]
        first = next(iter(thresholds), None)
        start = round(found.get("threshold", thresholds[first].get("best", 0.5)), 2) if first else 0.5
        return {
            head: view.headline(found),
            matrix: view.matrix(found, False),
            kind: gr.Radio(value="rows", visible=bool(found["confusion"])),
            pairs: view.pairs(found),
            figures: view.figures(found),
            classes: view.classes(found),
            drawn: charts.charts(found),
            by_threshold: gr.Column(visible=bool(first)),
            label: gr.Dropdown(list(thresholds), value=first, visible=len(thresholds) > 1),
            at: start,
            curve: charts.threshold(found, first, start) if first else "",
            slices: view.slices(found),
        }

    def count(name: str, on: str, wanted: str) -> str:
        return view.matrix(reports.read(folder(name), on), wanted == "shares")

    def move(name: str, on: str, of: str | None, to: float) -> Any:
        found = reports.read(folder(name), on)
        return charts.threshold(found, of, to) if of in found["thresholds"]["by_label"] else gr.skip()

    def fetched(name: str, on: str) -> Iterator[Any]:
        report = folder(name) / "report" / on
        with tempfile.TemporaryDirectory(prefix="studio-report-") as copies:  # from where Gradio may take them
            found = [Path(copies) / file for file in _FILES if (report / file).is_file()]
            for copy in found:
                shutil.copyfile(report / copy.name, copy)
            yield gr.File([str(copy) for copy in found], visible=True)

    parts = [status, mend, whole, head, matrix, kind, pairs, figures, classes, drawn, by_threshold, label, at, curve]
    look = {
        "fn": show,
        "inputs": [run, which, seen],
        "outputs": [*parts, slices, files, seen, *rows.outputs, *version.outputs, *other.outputs],
        "trigger_mode": "always_last",  # else what is chosen while another report is on its way would not be shown
        **_LIGHT,
    }
    shared.tab.select(refresh, [shared.run, run, which], [empty, run, which], **_LIGHT).then(**look)
    run.input(lambda name: name, run, shared.run, **_LIGHT)
    run.change(offer, [run, which], which, **_LIGHT).then(**look)
    which.input(**look)
    kind.input(count, [run, which, kind], matrix, **_LIGHT)
    gr.on([label.input, at.input], move, [run, which, label, at], curve, trigger_mode="always_last", **_LIGHT)
    rows.wire(version.told, version.tell, classes, matrix, pairs)
    version.wire(rows.listed, rows.cards, rows.cards_of)
    other.wire(look, mend)
    fetch.click(fetched, [run, which], files, show_progress="minimal", api_visibility="private")


def _title(row: dict[str, Any]) -> str:
    """A run as the list to choose from shows it."""
    score = "" if row["test"] is None else f" · {row['metric'].replace('_', ' ')} {row['test']:.3f} on test rows"
    return f"{row['run']}{score} · {time.strftime('%d %b %H:%M', time.localtime(row['created'] or 0))}"
