"""The first question of the data screen: where is your data?"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import RequestError
from studio.ui import datasets, places
from studio.ui.data import view

_WHERE = {"upload": "Upload a file", "machine": "On this machine", "hub": "Hugging Face Hub", "sample": "A sample"}
_SAMPLES = {
    "sample-tweets": "Tweets: 33,000 short texts, negative, neutral or positive",
    "sample-mnist": "Digits: 5,000 handwritten digits of 28 × 28 pixels",
}


@dataclass(frozen=True)
class Place:
    """Where rows are: the settings that say so, and uploads by the settings that name them."""

    name: str
    settings: dict[str, Any]
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The name without the ending of a file."""
        return self.name.split(".")[0] or self.name

    @property
    def hidden(self) -> list[str]:
        """Folders of uploads, which nobody has to see."""
        return [str(file.parent) for file in self.files.values()]


class Source:
    """The widgets that answer it; `place` makes a Place of their values."""

    def __init__(self):
        choices = [(label, where) for where, label in _WHERE.items()]
        self.where = gr.Radio(choices, value="upload", label="Where is your data?")
        with gr.Column() as upload:
            table = "Table (csv, tsv, json, jsonl, parquet), or zip with a folder of pictures for each class"
            # no file_types: Gradio's own refusal shows a file's name as HTML; what cannot be read is told by the look
            self.file = gr.File(label=table, height=140)
            with gr.Accordion("Validation or test rows in files of their own", open=False), gr.Row():
                self.validation = gr.File(label="Validation file", height=120)
                self.test = gr.File(label="Test file", height=120)
        with gr.Column(visible=False) as machine:
            roots = " or ".join(map(str, places.roots()))
            self.path = gr.Textbox(
                label="File or folder",
                info=f"a table, a zip, or a folder with a folder of pictures for each class, in {roots}",
                placeholder=str(places.roots()[0] / "photos"),
                max_lines=1,
            )
        with gr.Column(visible=False) as hub:
            self.hub = gr.Textbox(
                label="Name on the Hub",
                info="it is downloaded to this machine when you look at it",
                placeholder="stanfordnlp/imdb",
                max_lines=1,
            )
            with gr.Accordion("Configuration and revision", open=False), gr.Row():
                self.config, self.revision = (
                    gr.Textbox(label=view.LABELS[name], info=view.about(name), max_lines=1)
                    for name in ("dataset_config_name", "dataset_revision")
                )
        with gr.Column(visible=False) as sample:
            offered = [(label, name) for name, label in _SAMPLES.items()]
            self.sample = gr.Radio(offered, value=offered[0][1], label="Sample")
        with gr.Row(elem_classes="actions"):
            self.look = gr.Button("Look at it", variant="primary")
        groups = {"upload": upload, "machine": machine, "hub": hub, "sample": sample}
        self.where.change(
            lambda where: [gr.Column(visible=where == name) for name in groups],
            self.where,
            list(groups.values()),
            show_progress="hidden",
            api_visibility="private",
        )
        self.inputs = [self.where, self.file, self.validation, self.test, self.path]
        self.inputs += [self.hub, self.config, self.revision, self.sample]

    @staticmethod
    def place(
        where: str,
        file: str | None,
        validation: str | None,
        test: str | None,
        path: str,
        hub: str,
        config: str,
        revision: str,
        sample: str,
    ) -> Place:
        """Where the rows are, by the values of `inputs`.

        Raises:
            RequestError: nothing is given, or what may not be opened.
        """
        if where == "upload":
            if not file:
                raise RequestError("upload a file first: drop it on the field above, or click there to choose one")
            given = {"dataset_name": file, "validation_file": validation, "test_file": test}
            files = {setting: Path(name) for setting, name in given.items() if name}
            for upload in files.values():
                datasets.check_upload(upload)
            return Place(Path(file).name, {setting: str(name) for setting, name in files.items()}, files)
        if where == "machine":
            found = places.on_this_machine(path or "")
            return Place(found.name, {"dataset_name": str(found)})
        if where == "hub":
            name = places.on_the_hub(hub or "")
            more = {"dataset_config_name": (config or "").strip(), "dataset_revision": (revision or "").strip()}
            return Place(name, {"dataset_name": name} | {setting: value for setting, value in more.items() if value})
        if sample not in datasets.SAMPLES:
            raise RequestError("choose one of the samples")
        return Place(datasets.SAMPLES[sample].name, dict(datasets.SAMPLES[sample].settings))
