"""The part of the Evaluate screen that keeps a person's marks as a data-set version and trains again with it."""

from collections.abc import Callable
from pathlib import Path

import gradio as gr

from studio.errors import RequestError, RunError
from studio.runs import Run
from studio.ui import datasets, versions
from studio.ui.evaluate import marks, reports
from studio.ui.shared import Draft, Shared
from studio.ui.words import CSS, refused, said

_LIGHT = {"show_progress": "hidden", "api_visibility": "private"}


class Version:
    """The widgets; `showing` tells what becomes of them when another run is shown."""

    def __init__(self, shared: Shared, folder: Callable[[str | None], Path], run: gr.Dropdown):
        self._shared, self._folder, self._run = shared, folder, run
        html = {"css_template": CSS, "js_on_load": None}
        with gr.Accordion("Correct the data and train again", open=True) as self.all:
            self.told = gr.HTML(**html)
            with gr.Row(elem_classes="actions"):
                self.undo = gr.Button("Undo the last mark", size="sm", min_width=150)
                self.clear = gr.Button("Take all marks back", size="sm", min_width=150)
            self.name = gr.Textbox(label="Save as", info="a data set beside the others", max_lines=1, max_length=80)
            with gr.Row(elem_classes="actions"):
                self.save = gr.Button("Save as a data-set version", size="md", min_width=200)
                self.again = gr.Button(
                    "Train again with it", variant="primary", size="md", visible=False, min_width=160
                )
            self.status = gr.HTML(**html)
        self.saved = gr.State(None)
        self.outputs = [self.all, self.told, self.name, self.again, self.status, self.saved]

    def tell(self, run: Path) -> str:
        """What the marks of a run come to, in HTML."""
        try:
            sentences = marks.told(marks.read(run), reports.read(run))
        except RequestError as error:
            return refused(str(error))
        return "".join(map(said, sentences))

    def wire(self, listed: gr.State, cards: gr.HTML, cards_of: Callable[[dict | None], object]) -> None:
        """What happens on clicks; `cards_of` makes the `cards` of what is `listed` anew."""
        shared = self._shared

        def take_back(run: str, shown: dict | None, *, step: Callable[[Path], None]) -> dict:
            folder = self._folder(run)
            step(folder)
            return {self.told: self.tell(folder), cards: cards_of(shown)}

        for button, step in ((self.undo, marks.undo), (self.clear, marks.clear)):
            button.click(
                lambda *of, step=step: take_back(*of, step=step), [self._run, listed], [self.told, cards], **_LIGHT
            )

        def save(run: str, name: str):
            yield {self.status: said("Reading the data with these decisions …"), self.again: gr.Button(visible=False)}
            try:
                folder = self._folder(run)
                made = marks.decisions(marks.read(folder), several="threshold" in reports.read(folder))
                kept = versions.of_run(shared.root, Run(folder), name, made)
            except (RequestError, RunError, OSError) as error:
                yield {self.status: refused(str(error))}
                return
            rows = ", ".join(f"{count:,} {split}" for split, count in kept.preview["sizes"].items())
            told = f"Saved as {kept.name}: {rows} rows. The data themselves are as they were."
            yield {self.status: said(told), self.saved: kept.id, self.again: gr.Button(visible=True)}

        self.save.click(
            save, [self._run, self.name], [self.status, self.again, self.saved], show_progress="minimal",
            show_progress_on=self.status, concurrency_limit=2, concurrency_id="preview", api_visibility="private",
        )  # fmt: skip

        def again(run: str, saved: str | None) -> tuple:
            return Draft(self._folder(run).name, saved), gr.Tabs(selected="train")

        self.again.click(again, [self._run, self.saved], [shared.draft, shared.tabs], **_LIGHT)

    def showing(self, run: Path, which: str) -> dict:
        """The marks of a run, beside the report on its own rows."""
        try:
            name = f"{datasets.stem(datasets.settings_of(Run(run))).removeprefix('sample:')}, corrected"
        except (RequestError, OSError, ValueError):
            name = ""
        return {
            self.all: gr.Accordion(visible=not which),
            self.told: self.tell(run),
            self.name: name,
            self.again: gr.Button(visible=False),
            self.status: "",
            self.saved: None,
        }
