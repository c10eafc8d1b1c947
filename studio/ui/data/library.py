"""The saved data sets below the data screen: what there is, show it again, train on it, remove it."""

import time
from pathlib import Path
from typing import Any

import gradio as gr

from studio.ui import datasets, words
from studio.ui.data import view

_HEADERS = ["name", "version of", "kind", "rows", "classes", "created"]
_WIDTHS = ["220px", "180px", "110px", "110px", "110px", "170px"]  # a narrow window scrolls the table sideways


class Library:
    """The widgets; `filling` tells what becomes of them when the data sets have changed."""

    def __init__(self, root: Path):
        self._root = root
        gr.Markdown("### Saved data sets")
        self.empty = gr.HTML(css_template=words.CSS, js_on_load=None)
        with gr.Column(visible=False) as self.all:
            self.table = gr.Dataframe(
                headers=_HEADERS,
                column_widths=_WIDTHS,
                interactive=False,
                wrap=True,
                max_height=300,
                label="Saved data sets",
                show_label=False,
            )
            self.chosen = gr.Dropdown([], label="Data set")
            with gr.Row(elem_classes="actions"):
                self.show = gr.Button("Show it", min_width=100)
                self.train = gr.Button("Train on it", min_width=100)
                self.remove = gr.Button("Remove", min_width=100)
            with gr.Row(visible=False, elem_classes="actions") as self.doubt:
                self.keep = gr.Button("Keep it")
                self.sure = gr.Button("Remove it for good", variant="stop")
        self.outputs = [self.empty, self.all, self.table, self.chosen, self.doubt]

        ask = {"show_progress": "hidden", "api_visibility": "private"}
        self.table.select(self._clicked, None, self.chosen, **ask)
        self.remove.click(lambda: gr.Row(visible=True), None, self.doubt, **ask)
        gr.on([self.keep.click, self.chosen.change], lambda: gr.Row(visible=False), None, self.doubt, **ask)

    def filling(self, chosen: str | None = None) -> dict[Any, Any]:
        """The widgets as the disk has it."""
        found = datasets.saved(self._root)
        ids = [dataset.id for dataset in found]
        names = {dataset.id: dataset.name for dataset in [*found, *datasets.SAMPLES.values()]}
        return {
            self.empty: gr.HTML(words.said("None yet: look at some data above and save it."), visible=not found),
            self.all: gr.Column(visible=bool(found)),
            self.table: [_row(dataset, names) for dataset in found],
            self.chosen: gr.Dropdown(
                [(dataset.name, dataset.id) for dataset in found],
                value=chosen if chosen in ids else next(iter(ids), None),
            ),
            self.doubt: gr.Row(visible=False),
        }

    def _clicked(self, event: gr.SelectData) -> str | None:
        """The id of the data set in the row that was clicked."""
        name = event.row_value[0]
        return next((dataset.id for dataset in datasets.saved(self._root) if dataset.name == name), None)


def _row(dataset: datasets.DataSet, names: dict[str, str]) -> list[str]:
    told = dataset.preview
    figures = [f"{sum(told['sizes'].values()):,}", f"{len(told['classes']):,}"] if told else ["", ""]
    created = time.strftime("%Y-%m-%d %H:%M", time.localtime(dataset.created))
    return [dataset.name, names.get(dataset.of, ""), view.kind(dataset.task), *figures, created]
