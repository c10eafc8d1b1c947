"""The check on the data screen: what is wrong with the data, what to do about it, and the version that follows."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gradio as gr

from studio.data import curation
from studio.data.curation import Curation
from studio.errors import RequestError, RunError
from studio.fields import to_flags
from studio.ui import datasets, versions, words
from studio.ui.children import Child
from studio.ui.data import check_view, view
from studio.ui.data.looked import Looked
from studio.ui.shared import Shared

_HTML = {"css_template": check_view.CSS, "js_on_load": None}
Kept = Callable[[Looked, datasets.DataSet], dict[Any, Any]]

_LEAVE = ("Leave as it is", "leave")
_QUIET = {"show_progress": "hidden", "api_visibility": "private"}


class Check:
    """The widgets; `showing` and `hiding` tell what becomes of them when something else is looked at.

    What happens when a version is saved or chosen is the screen's, which hands it to `wire`.
    """

    def __init__(self, shared: Shared, looked: gr.State):
        self._shared, self._looked = shared, looked
        self._running: dict[str, Child] = {}  # by browser tab
        with gr.Column(visible=False) as self.all:
            gr.Markdown("### What is wrong with it?")
            self.versions = gr.Dropdown([], label="Version", info="the same data with other decisions", visible=False)
            with gr.Row():
                self.full = gr.Checkbox(
                    label="Look at every pixel",
                    info="Finds damaged, blank, blurred and nearly equal pictures as well; takes longer.",
                )
                self.doubts = gr.Checkbox(
                    label="Look for wrong labels",
                    info="A small network judges each row by the others: a minute for a few thousand rows.",
                )
            with gr.Row(elem_classes="actions"):
                self.start = gr.Button("Check it", variant="secondary")
                self.cancel = gr.Button("Cancel", visible=False)
            self.status = gr.HTML(**_HTML)
            with gr.Row(elem_classes="actions"):
                self.train = gr.Button("Train on this version", variant="primary", visible=False)
            self.report = gr.State(None)
        self.outputs = [
            self.all,
            self.versions,
            self.full,
            self.start,
            self.cancel,
            self.status,
            self.train,
            self.report,
        ]

    def showing(self, seen: Looked) -> dict[Any, Any]:
        """The widgets for something that has just been looked at."""
        found = datasets.versions(self._shared.root, seen.id) if seen.id else []
        return self._idle() | {
            self.all: gr.Column(visible=True),
            self.versions: gr.Dropdown([(_named(one), one.id) for one in found], value=seen.id, visible=len(found) > 1),
            self.full: gr.Checkbox(value=False, visible=seen.told["task"] == "image-classification"),
            self.status: "",
            self.train: gr.Button(visible=False),
            self.report: None,
        }

    def hiding(self) -> dict[Any, Any]:
        """Nothing at all."""
        return {self.all: gr.Column(visible=False), self.report: None}

    def saving(self, version: datasets.DataSet, before: dict[str, int]) -> dict[Any, Any]:
        """What stands there when a version has been saved."""
        told = check_view.saved(version.name, before, version.preview["sizes"])
        return {self.status: told, self.train: gr.Button(visible=True)}

    def wire(self, shown: list, kept: Kept) -> gr.events.Dependency:
        """Lets the widgets act. `kept` takes (what was looked at, the version) and fills `shown`.

        Returns the running check, so that others can end it.
        """
        told = [self.start, self.cancel, self.status, self.train, self.report]
        checking = self.start.click(
            self._check, [self._looked, self.full, self.doubts], told,
            concurrency_limit=2, concurrency_id="check", **_QUIET,
        )  # fmt: skip
        self.cancel.click(self._cancel, None, None, **_QUIET)
        self.train.click(
            lambda seen: (seen.id, gr.Tabs(selected="train")), self._looked, [self._shared.dataset, self._shared.tabs],
            **_QUIET,
        )  # fmt: skip
        with self.all:

            @gr.render(
                inputs=[self._looked, self.report], triggers=[self.report.change], concurrency_limit=1,
                show_progress="hidden",
            )  # fmt: skip
            def findings(seen: Looked | None, report: dict[str, Any] | None) -> None:
                if seen and report and report["findings"]:
                    self._findings(shown, kept, seen, report)

        return checking

    def _check(self, seen: Looked, full: bool, doubts: bool, request: gr.Request) -> Iterator[dict]:
        yield {
            self.status: check_view.progress(None),
            self.start: gr.Button(interactive=False),
            self.cancel: gr.Button(visible=True),
            self.train: gr.Button(visible=False),
            self.report: None,
        }
        with tempfile.TemporaryDirectory(prefix="studio-check-") as folder:
            asked = seen.settings | {"task": seen.told["task"], "thumbnails": folder}
            chosen = [*(() if full else ["--quick"]), *(["--label_errors"] if doubts else [])]
            with closing(Child(self._shared.root, "check", *to_flags(asked), *chosen)) as child:
                self._running[request.session_hash] = child
                try:
                    for step in child.steps():
                        yield {self.status: check_view.progress(step)}
                    found = child.answer()
                except (RequestError, RunError) as error:
                    yield {self.status: words.refused(view.plainly(str(error), seen.place.hidden))} | self._idle()
                    return
                finally:
                    self._running.pop(request.session_hash, None)
            thumbnails = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
        report = found | {"files": thumbnails}
        yield {self.status: check_view.summary(found, not full), self.report: report} | self._idle()

    def _idle(self) -> dict[Any, Any]:
        return {self.start: gr.Button(interactive=True), self.cancel: gr.Button(visible=False)}

    def _cancel(self, request: gr.Request) -> None:
        if child := self._running.get(request.session_hash):
            child.interrupt()

    def _findings(self, shown: list, kept: Kept, seen: Looked, report: dict[str, Any]) -> None:
        """The findings with a choice for each that something can be decided about, and the way to keep the choices."""
        choices, decidable = [], []
        for finding in report["findings"]:
            offered = check_view.offers(finding, report["task"])
            with gr.Group():
                gr.HTML(check_view.finding(finding, report["files"], seen.place.hidden), padding=False, **_HTML)
                if offered:
                    choices.append(gr.Radio([_LEAVE, *offered], value=_LEAVE[1], label="Decision", interactive=True))
                    decidable.append(finding)
        if not choices:
            return
        name = gr.Textbox(
            f"{seen.place.stem.removesuffix(', checked')}, checked", label="Save the decisions as",
            info="They are kept in a small file beside the data, which stay as they are.",
            max_lines=1, max_length=80, interactive=True,
        )  # fmt: skip
        with gr.Row(elem_classes="actions"):
            save = gr.Button("Save as a data-set version", variant="primary")
        status = gr.HTML(**_HTML)

        def keep(seen: Looked, name: str, *chosen: str) -> Iterator[dict]:
            yield {status: words.said("Reading the data with the decisions …"), save: gr.Button(interactive=False)}
            try:
                decisions = _decided(decidable, chosen)
                version = versions.of_data(self._shared.root, seen, name, decisions)
            except (RequestError, RunError, OSError) as error:
                told = words.refused(view.plainly(str(error), seen.place.hidden))
                yield {status: told, save: gr.Button(interactive=True)}
            else:
                yield kept(seen, version)

        save.click(keep, [self._looked, name, *choices], [status, save, *shown], **_QUIET)


def _decided(findings: list[dict[str, Any]], chosen: tuple[str, ...]) -> Curation:
    """All that was chosen; a finding that comes first counts for more where two contradict each other.

    Raises:
        RequestError: nothing was chosen.
    """
    decisions = Curation()
    for finding, choice in zip(findings, chosen, strict=True):
        if choice != _LEAVE[1]:
            decisions = curation.parse(finding[choice], "the check") | decisions
    if not decisions:
        raise RequestError("everything is left as it is: choose what to do about a finding first")
    return decisions


def _named(dataset: datasets.DataSet) -> str:
    """A version in a list."""
    rows = f": {sum(dataset.preview['sizes'].values()):,} rows" if dataset.preview else ""
    return f"{dataset.name}{rows}{'' if dataset.of else ' (no decisions)'}"
