"""The part of the Evaluate screen that makes a report anew, or scores a run on other data."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr

from studio.config import READING
from studio.errors import RequestError, RunError
from studio.fields import to_flags
from studio.runs import Run
from studio.ui import children, datasets
from studio.ui.evaluate import reports
from studio.ui.shared import Shared
from studio.ui.words import CSS, refused, said

_ROWS = 1000  # that are drawn unless a person says otherwise
_LIGHT = {"show_progress": "hidden", "api_visibility": "private"}


class Other:
    """The widgets; `showing` tells what becomes of them when another run is shown."""

    def __init__(self, shared: Shared, folder: Callable[[str | None], Path], run: gr.Dropdown, which: gr.Dropdown):
        self._root, self._folder, self._run, self._which = shared.root, folder, run, which
        with gr.Accordion("Evaluate on other data, or anew", open=False):
            with gr.Row():
                self.data = gr.Dropdown([], label="Data set", info="what the Data screen has saved, and the samples")
                self.most = gr.Number(
                    _ROWS, label="At most so many rows", info="drawn at random; empty for all", precision=0, minimum=1
                )
                self.labels = gr.Textbox(
                    label="Labels that the data call otherwise", lines=2, max_lines=8,
                    info="a line each: theirs = the model's. Labels of the same name need none.",
                )  # fmt: skip
            with gr.Row(elem_classes="actions"):
                self.start = gr.Button("Evaluate on it", variant="primary", size="md", min_width=140)
                self.anew = gr.Button("Make the run's own report anew", size="md", min_width=200)
        with gr.Row():
            self.status = gr.HTML(css_template=CSS, js_on_load=None)
            self.stop = gr.Button("Stop", size="sm", visible=False, scale=0, min_width=90)
        self.outputs = [self.data, self.labels, self.status]

    def wire(self, look: dict, *anew: gr.Button) -> None:
        """What happens on clicks; `look` shows the report that is then chosen, `anew` are more buttons that make it."""
        outputs = [self.status, self.stop, self._which]
        heavy = {"show_progress": "hidden", "concurrency_limit": 1, "concurrency_id": "evaluate"}
        heavy |= {"api_visibility": "private"}
        remade = [button.click(self._remake, self._run, outputs, **heavy) for button in (self.anew, *anew)]
        asked = [self._run, self.data, self.labels, self.most]
        scored = self.start.click(self._score, asked, outputs, **heavy)
        for event in (*remade, scored):
            event.then(**look)
        self.stop.click(
            lambda: (said("Stopped."), gr.Button(visible=False)), None, [self.status, self.stop],
            cancels=[*remade, scored], **_LIGHT,
        )  # fmt: skip
        self.data.input(self._unmatched, [self._run, self.data], self.labels, **_LIGHT)

    def showing(self, run: Path) -> dict:
        """The data sets of the run's kind."""
        task = Run(run).record()["task"]
        known = [(one.name, one.id) for one in datasets.listed(self._root) if one.task == task]
        first = next((one for _, one in known), None)
        labels = self._unmatched(run.name, first)
        return {self.data: gr.Dropdown(known, value=first), self.labels: labels, self.status: ""}

    def _remake(self, run: str) -> Iterator[dict]:
        yield from self._followed(run, [], "The report is made anew")

    def _score(self, run: str, data: str | None, labels: str, most: float | None) -> Iterator[dict]:
        try:
            chosen = datasets.read(self._root, data or "")
        except RequestError as error:
            yield {self.status: refused(str(error))}
            return
        flags = to_flags({name: value for name, value in chosen.settings.items() if name in READING})
        flags += [f"--max_predict_samples={int(most)}"] if most else []
        flags += [f"--label_map={entry}" for entry in mapped(labels)]
        yield from self._followed(run, flags, f"The model answers {chosen.name}")

    def _followed(self, run: str, flags: list[str], doing: str) -> Iterator[dict]:
        """Progress while a child works, then the report that it has made."""
        begun = time.monotonic()
        yield {self.status: said(f"{doing} …"), self.stop: gr.Button(visible=True)}
        try:
            folder = self._folder(run)
            with contextlib.closing(children.Child(self._root, "evaluate", str(folder), *flags)) as child:
                for step in child.steps():
                    done = f"{step['done']:,} of {step['total']:,} rows" if step and step["total"] else ""
                    parts = (doing, done, f"{time.monotonic() - begun:.0f} s")
                    yield {self.status: said(" · ".join(filter(None, parts)))}
                answer = child.answer()
        except (RequestError, RunError) as error:
            yield {self.status: refused(f"It was not evaluated: {error}"), self.stop: gr.Button(visible=False)}
            return
        name = Path(answer["report"]).parent.name if flags else reports.OWN
        yield {
            self.status: said(f"Done in {time.monotonic() - begun:.0f} s."),
            self.stop: gr.Button(visible=False),
            self._which: gr.Dropdown(reports.listed(folder), value=name),
        }

    def _unmatched(self, run: str, data: str | None) -> str:
        """A line for each label of the data that the model calls otherwise, as far as the labels are known."""
        try:
            theirs = [row["label"] for row in datasets.read(self._root, data or "").preview.get("classes", ())]
            known = {label.strip().casefold() for label in reports.read(self._folder(run))["labels"]}
        except RequestError:
            return ""
        return "\n".join(f"{label} = " for label in theirs if label.strip().casefold() not in known)


def mapped(lines: str) -> list[str]:
    """THEIRS=ITS for each line that says what a label is; a line that leaves it open says nothing."""
    pairs = (line.rpartition("=") for line in (lines or "").splitlines())
    return [f"{theirs.strip()}={its.strip()}" for theirs, _, its in pairs if theirs.strip() and its.strip()]
