"""What a run's model costs, on the Runs screen: parameters, memory, time, layer by layer; measured on request."""

import contextlib
import json
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import RequestError, RunError
from studio.evaluation import costs
from studio.ui import children
from studio.ui.shared import Shared
from studio.ui.words import said

_HEADERS = ["layer", "type", "parameters", "MFLOPs"]
_WIDTHS = ["300px", "160px", "110px", "90px"]  # a narrow window scrolls the table sideways
_LIGHT = {"show_progress": "hidden", "api_visibility": "private"}


def section(shared: Shared) -> None:
    """Builds the section."""
    with gr.Accordion("What the model costs", open=False) as whole:
        told = gr.HTML(elem_id="run-costs")
        with gr.Row(elem_classes="actions"):
            measure = gr.Button("Measure", size="sm", min_width=110)
            stop = gr.Button("Stop", size="sm", min_width=90, visible=False)
        with gr.Accordion("Layer by layer", open=False, visible=False) as each:
            layers = gr.Dataframe(
                headers=_HEADERS, column_widths=_WIDTHS, interactive=False, max_height=380, buttons=[], show_label=False
            )

    def show(run: str | None) -> dict:
        profile = _read(shared.root / Path(run).name) if run else None
        if profile is None:
            none = '<p class="empty">Not measured yet. It takes half a minute, and the model must have been saved.</p>'
            return {told: none, each: gr.Accordion(visible=False), measure: gr.Button("Measure")}
        return {
            told: _told(profile),
            each: gr.Accordion(visible=True),
            layers: _layers(profile),
            measure: gr.Button("Measure anew"),
        }

    def follow(run: str | None) -> Iterator[dict]:
        begun = time.monotonic()
        yield {told: said("Measuring ..."), stop: gr.Button(visible=True), measure: gr.Button(interactive=False)}
        ended = {stop: gr.Button(visible=False), measure: gr.Button(interactive=True)}
        try:
            folder = shared.root / Path(run or "").name
            with contextlib.closing(children.Child(shared.root, "profile", str(folder))) as child:
                for _ in child.steps():
                    yield {told: said(f"Measuring ... {time.monotonic() - begun:.0f} s")}
                child.answer()
        except (RequestError, RunError) as error:
            yield ended | {told: said(f"It was not measured: {error}")}
        else:
            yield ended | show(run)

    outputs = [told, each, layers, measure, stop]
    gr.on([shared.run.change, whole.expand], show, shared.run, outputs, **_LIGHT)
    measuring = measure.click(follow, shared.run, outputs, concurrency_limit=1, **_LIGHT)
    stop.click(
        lambda: {told: said("Stopped."), stop: gr.Button(visible=False), measure: gr.Button(interactive=True)},
        None, outputs, cancels=[measuring], **_LIGHT,
    )  # fmt: skip


def _read(run: Path) -> dict[str, Any] | None:
    """What `python -m studio profile` has measured of a run; None where it has not, or the file is damaged."""
    try:
        found = json.loads((run / "report" / "profile.json").read_text(encoding="utf-8"))
        costs.lines(found), _told(found), _layers(found)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found


def _told(profile: dict[str, Any]) -> str:
    lines = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in costs.lines(profile).items()
    )
    measured = f"Measured on {escape(profile['device'])} with {escape(profile['input'])}:"
    return f'<p>{measured}</p><table class="result"><tr><th>cost</th><th>value</th></tr>{lines}</table>'


def _layers(profile: dict[str, Any]) -> list[list[Any]]:
    return [
        [layer["name"], layer["type"], layer["parameters"], round(layer["flops"] / 1e6, 1)]
        for layer in profile["layers"]
    ]
