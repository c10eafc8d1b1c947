"""The answer of the data screen: what was found, how it is read and divided, and the name to save it by."""

import io
from collections.abc import Mapping
from typing import Any

import gradio as gr
from PIL import Image

from studio.config import Data
from studio.ui.data import view
from studio.ui.data.looked import Looked

_CONTENT = {
    "text-classification": ("text_column_name", "text_pair_column_name"),
    "image-classification": ("image_column_name",),
}
_KINDS = [(view.kind(task), task) for task in _CONTENT]
_COLUMNS = ("text_column_name", "text_pair_column_name", "image_column_name", "label_column_name", "group_column_name")
_FRACTIONS = ("validation_fraction", "test_fraction")
_SWITCHES = ("merge_label_spellings", "near_duplicates", "drop_overlap")
_NEEDED = {"text_column_name", "image_column_name", "label_column_name"}  # found by itself when it is not named
_ROOM = 35  # characters of class names that fit side by side below the bars, on a phone as well


class Result:
    """The widgets; `showing`, `refusing` and `hiding` tell what becomes of them."""

    def __init__(self):
        html = {"css_template": view.CSS, "js_on_load": None}
        with gr.Column(visible=False) as self.all:
            self.warnings = gr.HTML(visible=False, **html)
            with gr.Row(visible=False, elem_classes="actions") as self.spellings:
                self.merge = gr.Button("Merge the spellings", size="md")
            self.facts = gr.HTML(**html)
            with gr.Row():
                self.task = gr.Dropdown(_KINDS, label="Kind", min_width=140)
                self.fields = {name: _column(name) for name in _COLUMNS[:-1]}
            with gr.Accordion("More: how rows are read and divided", open=False):
                with gr.Row():
                    for name in _FRACTIONS:
                        self.fields[name] = gr.Slider(0.01, 0.9, value=getattr(Data, name), step=0.01, **_about(name))
                with gr.Row():
                    self.fields["group_column_name"] = _column("group_column_name", view.about("group_column_name"))
                    self.fields["label_delimiter"] = gr.Textbox(max_lines=1, **_about("label_delimiter"))
                    self.fields["column_names"] = gr.Textbox(
                        placeholder="text, label", max_lines=1, **_about("column_names")
                    )
                with gr.Row():
                    for name in _SWITCHES:
                        self.fields[name] = gr.Checkbox(**_about(name))
            with gr.Row(elem_classes="actions"):
                self.again = gr.Button("Look again", size="md")
            with gr.Column() as self.found:
                with gr.Row():
                    self.bars = gr.BarPlot(
                        x="class",
                        y="rows",
                        color="split",
                        color_map=view.COLOURS,
                        color_title=" ",
                        sort="-y",
                        height=300,
                        min_width=300,
                    )
                    with gr.Column(min_width=300):
                        self.notes = gr.HTML(container=True, padding=True, max_height=300, **html)
                self.table = gr.Dataframe(label="First rows", interactive=False, wrap=True, max_height=380)
                self.gallery = gr.Gallery(
                    label="Some pictures of each class",
                    show_label=False,
                    columns=8,
                    height="auto",
                    object_fit="contain",
                    interactive=False,
                    buttons=[],
                )
                self.name = gr.Textbox(label="Save as", max_lines=1, max_length=80)
                with gr.Row(elem_classes="actions"):
                    self.save = gr.Button("Save and train on it", variant="primary")
        self.inputs = [self.task, *self.fields.values()]
        self.outputs = [
            self.all,
            self.warnings,
            self.spellings,
            self.facts,
            *self.inputs,
            self.again,
            self.found,
            self.bars,
            self.notes,
        ]
        self.outputs += [self.table, self.gallery, self.name, self.save]
        gr.on(
            [widget.input for widget in self.inputs],
            lambda: (gr.Button(variant="primary"), gr.Button("Look again before saving", interactive=False)),
            None,
            [self.again, self.save],
            show_progress="hidden",
            api_visibility="private",
        )

    def reading(self, task: str, *values: Any) -> dict[str, Any]:
        """The settings that the form says, as far as they differ from the defaults."""
        given = dict(zip(self.fields, values, strict=True))
        columns = [name.strip() for name in (given["column_names"] or "").split(",") if name.strip()]
        if columns:  # what was chosen before they had these names is found anew
            given |= {name: given[name] if given[name] in columns else "" for name in _COLUMNS}
        given["column_names"] = columns
        other = {name for kind, names in _CONTENT.items() if kind != task for name in names}
        return {
            name: value
            for name, value in given.items()
            if value not in (None, "", []) and value != getattr(Data, name, None) and name not in other
        }

    def showing(self, seen: Looked) -> dict[Any, Any]:
        """The widgets filled with what was found."""
        told = seen.told
        headers, cells = view.table(told)
        pictures = [
            (Image.open(io.BytesIO(seen.thumbnails[picture["file"]])), view.caption(picture))
            for picture in told["pictures"]
            if picture["file"] in seen.thumbnails
        ]
        wide = sum(len(row["label"]) for row in told["classes"][: view.BARS]) > _ROOM
        return (
            self._form(told["task"], told["columns"], seen.reading | told["chosen"])
            | {
                self.warnings: gr.HTML(warned := view.warnings(told), visible=bool(warned)),
                self.spellings: gr.Row(visible=bool(told.get("spellings"))),
                self.facts: gr.HTML(view.facts(told), visible=True),
                self.found: gr.Column(visible=True),
                self.bars: gr.BarPlot(view.bars(told), title=view.bars_title(told), x_label_angle=-45 if wide else 0),
                self.notes: view.notes(told, seen.place.hidden),
                self.table: gr.Dataframe(
                    {"headers": headers, "data": cells}, column_widths=view.widths(headers), visible=not pictures
                ),
                self.gallery: gr.Gallery(pictures, visible=bool(pictures)),
            }
            | self.saving(seen.id, seen.place.stem)
        )

    def saving(self, saved: str | None, name: str = "") -> dict[Any, Any]:
        """The end of the form: for what is a data set of that id already, or may become one of that name."""
        label = "Train on it" if saved else "Save and train on it"
        return {self.name: gr.Textbox(name, visible=not saved), self.save: gr.Button(label, interactive=True)}

    def refusing(self, task: str, columns: list[str], reading: Mapping[str, Any]) -> dict[Any, Any]:
        """The form alone, to be mended."""
        form = self._form(task, columns, reading)
        hidden = {part: gr.update(visible=False) for part in (self.warnings, self.spellings, self.facts, self.found)}
        return form | hidden

    def hiding(self) -> dict[Any, Any]:
        """Nothing at all."""
        return {self.all: gr.Column(visible=False)}

    def _form(self, task: str, columns: list[str], reading: Mapping[str, Any]) -> dict[Any, Any]:
        names = [(column, column) for column in columns]
        form = {
            self.all: gr.Column(visible=True),
            self.task: gr.Dropdown(_KINDS, value=task),
            self.again: gr.Button(variant="secondary"),
        }
        for name in _COLUMNS:
            concerns = bool(columns) and not any(name in of for kind, of in _CONTENT.items() if kind != task)
            value = reading.get(name) if reading.get(name) in columns else ""
            form[self.fields[name]] = gr.Dropdown([_nothing(name), *names], value=value, visible=concerns)
        for name in (*_FRACTIONS, *_SWITCHES):
            form[self.fields[name]] = reading.get(name, getattr(Data, name))
        words = {"label_delimiter": reading.get("label_delimiter", "")}
        words["column_names"] = ", ".join(reading.get("column_names", []))
        return form | {self.fields[name]: gr.Textbox(word, visible=bool(columns)) for name, word in words.items()}


def _column(name: str, info: str | None = None) -> gr.Dropdown:
    return gr.Dropdown([_nothing(name)], value="", min_width=140, label=view.LABELS[name], info=info)


def _nothing(name: str) -> tuple[str, str]:
    return ("(found by itself)" if name in _NEEDED else "(none)"), ""


def _about(name: str) -> dict[str, str]:
    return {"label": view.LABELS[name], "info": view.about(name)}
