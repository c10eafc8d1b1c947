"""The data screen: where the data is, what it looks like, what is wrong with it; and the saved data sets."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import RequestError, RunError
from studio.fields import to_flags
from studio.ui import children, datasets, words
from studio.ui.data import looked, view
from studio.ui.data.check import Check
from studio.ui.data.library import Library
from studio.ui.data.looked import Looked
from studio.ui.data.result import Result
from studio.ui.data.source import Place, Source
from studio.ui.shared import Shared

_HEAVY = {"concurrency_limit": 2, "concurrency_id": "preview", "show_progress": "minimal", "api_visibility": "private"}
_LIGHT = {"show_progress": "hidden", "api_visibility": "private"}


def screen(shared: Shared) -> None:
    """Builds the screen inside its tab."""
    source = Source()
    start = words.said("Choose where your data is, then look at it. Nothing is trained yet.")
    status = gr.HTML(start, css_template=words.CSS, js_on_load=None)
    place, last = gr.State(None), gr.State(None)  # what is looked at, and what was found there
    result = Result()
    check = Check(shared, last)
    library = Library(shared.root)
    shown = [status, place, last, *result.outputs, *check.outputs]

    def filled(seen: Looked) -> dict:
        return {place: seen.place, last: seen, **result.showing(seen), **check.showing(seen)}

    def nothing() -> dict:
        return {last: None, **result.hiding(), **check.hiding()}

    def read(where: Place, reading: dict[str, Any], task: str | None) -> Iterator[dict]:
        busy = words.said(f"Reading {where.name} …")
        yield {status: busy, place: where, last: None, result.save: gr.Button(interactive=False), **check.hiding()}
        try:
            seen = looked.look(shared.root, where, reading, task)
        except (RequestError, RunError) as error:
            told = words.refused(view.plainly(str(error), where.hidden))
            yield {status: told} | _form(shared.root, where, reading, task, result)
        else:
            yield {status: words.said(view.headline(where.name, seen.told)), **filled(seen)}

    def look(*values) -> Iterator[dict]:
        try:
            where = source.place(*values)
        except RequestError as error:
            yield {status: words.refused(str(error)), **nothing()}
        else:
            yield from read(where, {}, None)

    def again(where: Place, task: str, *values) -> Iterator[dict]:
        yield from read(where, result.reading(task, *values), task)

    def merge(where: Place, task: str, *values) -> Iterator[dict]:
        yield from read(where, result.reading(task, *values) | {"merge_label_spellings": True}, task)

    def save(seen: Looked, name: str) -> dict:
        try:
            chosen = seen.id or looked.save(shared.root, seen, name)
        except (RequestError, OSError) as error:
            return {status: words.refused(str(error))}
        return {
            shared.dataset: chosen,
            shared.tabs: gr.Tabs(selected="train"),
            status: words.said("Saved, and chosen on the Train screen."),
            last: dataclasses.replace(seen, id=chosen),
            **result.saving(chosen),
            **library.filling(chosen),
        }

    def show(chosen: str) -> Iterator[dict]:
        try:
            dataset = datasets.read(shared.root, chosen or "")
        except RequestError as error:
            yield {status: words.refused(str(error))} | library.filling()
            return
        reading = {name: value for name, value in dataset.settings.items() if name in result.fields}
        where = {name: value for name, value in dataset.settings.items() if name not in result.fields}
        place_of_it = Place(dataset.name, where, dataset.files)
        if not dataset.preview:  # saved without a look at it
            yield from read(place_of_it, reading, dataset.task)
            return
        seen = Looked(place_of_it, reading, dataset.preview, dataset.thumbnails, dataset.id)
        yield {status: words.said(f"{dataset.name}, as it was saved."), **filled(seen)}

    def remove(chosen: str) -> dict:
        try:
            datasets.remove(shared.root, chosen or "")
        except RequestError as error:
            return {status: words.refused(str(error))} | library.filling(chosen)
        return {status: words.said("Removed.")} | nothing() | library.filling()

    def kept(before: Looked, version: datasets.DataSet) -> dict:
        (found,) = show(version.id)
        return found | check.saving(version, before.told["sizes"]) | library.filling(version.id)

    checking = check.wire([*shown, *library.outputs], kept)
    other = {"cancels": [checking], "show_progress_on": status, **_HEAVY}  # a check of what is gone has no use
    source.look.click(look, source.inputs, shown, **other)
    result.again.click(again, [place, *result.inputs], shown, **other)
    result.merge.click(merge, [place, *result.inputs], shown, **other)
    to_train = [shared.dataset, shared.tabs]
    result.save.click(save, [last, result.name], [*shown, *to_train, *library.outputs], **_LIGHT)
    library.show.click(show, library.chosen, [*shown, *library.outputs], **other)
    check.versions.input(show, check.versions, [*shown, *library.outputs], **other)
    library.train.click(lambda chosen: (chosen, gr.Tabs(selected="train")), library.chosen, to_train, **_LIGHT)
    library.sure.click(remove, library.chosen, [*shown, *library.outputs], **_LIGHT)
    shared.page.load(library.filling, None, library.outputs, **_LIGHT)


def _form(root: Path, where: Place, reading: dict[str, Any], task: str | None, result: Result) -> dict:
    """The form with the columns there are, where the rest was refused."""
    asked = where.settings | {"task": task, "column_names": reading.get("column_names")}
    try:
        told = children.ask(root, "preview", *to_flags(asked), "--columns")
    except (RequestError, RunError):
        return result.hiding()
    return result.refusing(told["task"], told["columns"], reading)
