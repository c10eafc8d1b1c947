"""The data screen: where the data is, what it looks like, how it is read and divided; and the saved data sets."""

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import RequestError, RunError
from studio.fields import to_flags
from studio.ui import children, data_view, datasets
from studio.ui.data_library import Library
from studio.ui.data_result import Looked, Result
from studio.ui.data_source import Place, Source
from studio.ui.shared import Shared

_PATIENCE_S = 900.0  # for reading: all pictures of a large folder are decoded
_HEAVY = {"concurrency_limit": 2, "concurrency_id": "preview", "show_progress": "minimal", "api_visibility": "private"}
_LIGHT = {"show_progress": "hidden", "api_visibility": "private"}


def screen(shared: Shared) -> None:
    """Builds the screen inside its tab."""
    source = Source()
    start = data_view.said("Choose where your data is, then look at it. Nothing is trained yet.")
    status = gr.HTML(start, css_template=data_view.CSS, js_on_load=None)
    place, looked = gr.State(None), gr.State(None)
    result = Result()
    library = Library(shared.root)
    shown = [status, place, looked, *result.outputs]

    def read(where: Place, reading: dict[str, Any], task: str | None) -> Iterator[dict]:
        busy = data_view.said(f"Reading {where.name} …")
        yield {status: busy, place: where, looked: None, result.save: gr.Button(interactive=False)}
        try:
            seen = _looked(shared.root, where, reading, task)
        except (RequestError, RunError) as error:
            told = data_view.refused(data_view.plainly(str(error), where.hidden))
            yield {status: told} | _form(shared.root, where, reading, task, result)
        else:
            yield {status: data_view.said(f"{where.name} can be trained on."), looked: seen, **result.showing(seen)}

    def look(*values) -> Iterator[dict]:
        try:
            where = source.place(*values)
        except RequestError as error:
            yield {status: data_view.refused(str(error)), looked: None, **result.hiding()}
        else:
            yield from read(where, {}, None)

    def again(where: Place, task: str, *values) -> Iterator[dict]:
        yield from read(where, result.reading(task, *values), task)

    def save(seen: Looked, name: str) -> dict:
        try:
            chosen = seen.id or _saved(shared.root, seen, name)
        except (RequestError, OSError) as error:
            return {status: data_view.refused(str(error))}
        return {
            shared.dataset: chosen,
            shared.tabs: gr.Tabs(selected="train"),
            status: data_view.said("Saved, and chosen on the Train screen."),
            looked: dataclasses.replace(seen, id=chosen),
            **result.saving(chosen),
            **library.filling(chosen),
        }

    def show(chosen: str) -> Iterator[dict]:
        try:
            dataset = datasets.read(shared.root, chosen or "")
        except RequestError as error:
            yield {status: data_view.refused(str(error))} | library.filling()
            return
        reading = {name: value for name, value in dataset.settings.items() if name in result.fields}
        where = {name: value for name, value in dataset.settings.items() if name not in result.fields}
        place_of_it = Place(dataset.name, where, dataset.files)
        if not dataset.preview:  # saved without a look at it
            yield from read(place_of_it, reading, dataset.task)
            return
        seen = Looked(place_of_it, reading, dataset.preview, dataset.thumbnails, dataset.id)
        yield {
            status: data_view.said(f"{dataset.name}, as it was saved."),
            place: seen.place,
            looked: seen,
            **result.showing(seen),
        }

    def remove(chosen: str) -> dict:
        try:
            datasets.remove(shared.root, chosen or "")
        except RequestError as error:
            return {status: data_view.refused(str(error))} | library.filling(chosen)
        return {status: data_view.said("Removed."), looked: None} | result.hiding() | library.filling()

    source.look.click(look, source.inputs, shown, show_progress_on=status, **_HEAVY)
    result.again.click(again, [place, *result.inputs], shown, show_progress_on=status, **_HEAVY)
    to_train = [shared.dataset, shared.tabs]
    result.save.click(save, [looked, result.name], [*shown, *to_train, *library.outputs], **_LIGHT)
    library.show.click(show, library.chosen, [*shown, *library.outputs], show_progress_on=status, **_HEAVY)
    library.train.click(lambda chosen: (chosen, gr.Tabs(selected="train")), library.chosen, to_train, **_LIGHT)
    library.sure.click(remove, library.chosen, [*shown, *library.outputs], **_LIGHT)
    shared.page.load(library.filling, None, library.outputs, **_LIGHT)


def _looked(root: Path, where: Place, reading: dict[str, Any], task: str | None) -> Looked:
    """What a child process finds at a place.

    Raises:
        RequestError: the data cannot be read or divided.
        RunError: the child fails or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="studio-look-") as folder:
        asked = where.settings | reading | {"task": task, "thumbnails": folder}
        told = children.ask(root, "preview", *to_flags(asked), timeout_s=_PATIENCE_S)
        thumbnails = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
    same = (one.id for one in datasets.listed(root) if one.settings == where.settings | reading)
    return Looked(where, reading, told, thumbnails, next(same, None))


def _saved(root: Path, seen: Looked, name: str) -> str:
    """The id of what is now a data set."""
    task, files = seen.told["task"], seen.place.files
    return datasets.save(root, name, task, seen.settings, seen.told, files, seen.thumbnails).id


def _form(root: Path, where: Place, reading: dict[str, Any], task: str | None, result: Result) -> dict:
    """The form with the columns there are, where the rest was refused."""
    asked = where.settings | {"task": task, "column_names": reading.get("column_names")}
    try:
        told = children.ask(root, "preview", *to_flags(asked), "--columns")
    except (RequestError, RunError):
        return result.hiding()
    return result.refusing(told["task"], told["columns"], reading)
