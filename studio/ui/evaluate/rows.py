"""The part of the Evaluate screen with the rows themselves: which to see, page by page, and what to do with them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import RequestError, RunError
from studio.ui import children
from studio.ui.evaluate import marks, reports
from studio.ui.evaluate.cards import CSS, cards
from studio.ui.words import refused, said

_PAGE = 12  # rows
_FETCHED = 48  # rows at once: the data are read anew each time
_PATIENCE_S = 900.0  # all pictures of a large folder are read
_ANY = -1
_ANSWERS = [("wrong answers", "wrong"), ("right answers", "right"), ("all answers", "all")]
_CHOSEN = """(_, ...rest) => [
    [...document.querySelectorAll('#evaluate-cards input:checked')].map((box) => box.value).join(' '), ...rest]"""
_ALL = """() => { const boxes = [...document.querySelectorAll('#evaluate-cards input')];
    const whole = boxes.every((box) => box.checked); boxes.forEach((box) => { box.checked = !whole; }); }"""
# Boxes stay in the page when their rows change: what was ticked for one row must not be for another.
_UNTICKED = """watch('value', () => {
    element.querySelectorAll('input').forEach((box) => { box.checked = false; });
});"""
_INTO_SIGHT = "() => { document.querySelector('#evaluate-rows').scrollIntoView(); }"
_LIGHT = {"show_progress": "hidden", "api_visibility": "private"}


class Rows:
    """The widgets; `showing` tells what becomes of them when another report is shown.

    `folder` finds the folder of a run by its name; `remarked` are the widgets that show marks elsewhere, and `marked`
    their values for a run.
    """

    def __init__(self, root: Path, folder: Callable[[str | None], Path], run: gr.Dropdown, which: gr.Dropdown):
        self._root, self._folder, self._run, self._which = root, folder, run, which
        html = {"css_template": CSS, "js_on_load": None}
        gr.Markdown("### The rows behind it", elem_id="evaluate-rows")
        with gr.Row():
            self.true = gr.Dropdown([("any", _ANY)], value=_ANY, label="True label", min_width=140)
            self.predicted = gr.Dropdown([("any", _ANY)], value=_ANY, label="Answered", min_width=140)
            self.answers = gr.Dropdown(_ANSWERS, value="wrong", label="Which", min_width=170)
            self.split = gr.Dropdown(["test", "validation"], value="test", label="Split", min_width=120)
        with gr.Row(elem_classes="actions"):
            self.show = gr.Button("Show them", size="md", min_width=120)
        self.status = gr.HTML(**html)
        self.cards = gr.HTML(elem_id="evaluate-cards", css_template=CSS, js_on_load=_UNTICKED)
        self.listed = gr.State(None)
        with gr.Row(elem_classes="actions"):
            self.back = gr.Button("Earlier", size="sm", min_width=90, visible=False)
            self.on = gr.Button("More", size="sm", min_width=90, visible=False)
        with gr.Column(visible=False) as self.acts:
            with gr.Row(elem_classes="actions"):
                self.whole = gr.Button("Choose all on this page", size="sm", min_width=160)
                self.out = gr.Button("Leave out", size="sm", min_width=110)
                self.keep = gr.Button("Leave as it is", size="sm", min_width=110)
            self.label = gr.Dropdown([], label="Right label")
            self.labels = gr.Dropdown([], label="Right labels", multiselect=True, visible=False)
            with gr.Row(elem_classes="actions"):
                self.relabel = gr.Button("Relabel so", size="sm", min_width=110)
        self._picked = gr.Textbox(visible=False)
        self.outputs = [self.true, self.predicted, self.answers, self.split, self.status, self.cards, self.listed]
        self.outputs += [self.back, self.on, self.acts, self.label, self.labels]
        self._paged = [self.status, self.cards, self.listed, self.back, self.on]
        self._asked = [run, which, self.split, self.true, self.predicted, self.answers]

    def wire(self, told: gr.HTML, tell: Callable[[Path], str], classes: gr.Dataframe, *clicked: gr.HTML) -> None:
        """What happens on clicks; `tell` says for a run what is in `told`, which speaks of the marks.

        A click on what is `clicked` or on a line of `classes` shows the rows behind it.
        """
        heavy = {"concurrency_limit": 2, "concurrency_id": "items", "api_visibility": "private"}
        heavy |= {"show_progress": "minimal", "show_progress_on": self.status}
        self.show.click(self._ask, self._asked, self._paged, **heavy)
        filters = [self.split, self.true, self.predicted, self.answers]
        asking = [(part.click, self._of_cell) for part in clicked] + [(classes.select, self._of_class)]
        for clicked_on, asked_for in asking:
            clicked_on(None, js=_INTO_SIGHT)
            clicked_on(asked_for, [self._run, self._which], filters, **_LIGHT).then(
                self._ask, self._asked, self._paged, **heavy
            )
        for button, step in ((self.back, -_PAGE), (self.on, _PAGE)):
            button.click(lambda listed, step=step: self._turn(listed, step), self.listed, self._paged, **heavy).then(
                None, js=_INTO_SIGHT
            )
        self.whole.click(None, js=_ALL)

        def act(picked: str, listed: dict | None, one: int | None, several: list[int] | None, *, what: str) -> dict:
            try:
                self._act(what, _rows(listed, picked), listed, one, several)
            except RequestError as error:
                return {self.status: refused(str(error))}
            run = self._folder(listed["run"])
            return {self.status: "", self.cards: _shown(run, listed), told: tell(run)}

        for what in ("out", "relabel", "keep"):
            getattr(self, what).click(
                lambda *values, what=what: act(*values, what=what),
                [self._picked, self.listed, self.label, self.labels], [self.status, self.cards, told],
                js=_CHOSEN, **_LIGHT,
            )  # fmt: skip

    def showing(self, run: Path, which: str, found: dict[str, Any]) -> dict:
        """The surest errors of a report, which are in it."""
        named = [(label, at) for at, label in enumerate(found["labels"])]
        rows = [row | {"split": "test"} for row in found["errors"]]
        listed = {"run": run.name, "which": which, "asked": None, "at": 0, "from": 0, "rows": len(rows), "items": rows}
        several = "threshold" in found
        return {
            self.true: gr.Dropdown([("any", _ANY), *named], value=_ANY),
            self.predicted: gr.Dropdown([("any", _ANY), *named], value=_ANY),
            self.answers: "wrong",
            self.split: gr.update(value="test", visible=not which),
            self.acts: gr.Column(visible=not which),  # other data are another's to mend
            self.label: gr.Dropdown(named, value=None, visible=not several),
            self.labels: gr.Dropdown(named, value=None, visible=several),
            **self._page(listed, "the errors it was surest of"),
        }

    def cards_of(self, listed: dict | None) -> Any:
        """The cards anew, after marks have been taken back elsewhere."""
        return _shown(self._folder(listed["run"]), listed) if listed else gr.skip()

    def _of_class(self, run: str, which: str, event: gr.SelectData) -> dict:
        """What a click on a line of the classes asks for: their errors, or all their rows where there is no error."""
        found, label = reports.read(self._folder(run), which), event.row_value[0]
        answers = "all" if found["per_class"][label]["recall"] == 1 else "wrong"
        return {
            self.split: "test",
            self.true: found["labels"].index(label),
            self.predicted: _ANY,
            self.answers: answers,
        }

    def _of_cell(self, run: str, which: str, event: gr.EventData) -> dict:
        """What a click on a cell or a pair asks for."""
        labels = reports.read(self._folder(run), which)["labels"]
        true, predicted = (_number(event._data.get(part), len(labels)) for part in ("true", "predicted"))
        is_right = true == predicted != _ANY
        answers = "right" if is_right else "wrong"
        return {self.split: "test", self.true: true, self.predicted: predicted, self.answers: answers}

    def _ask(self, run: str, which: str, split: str, true: int, predicted: int, answers: str) -> Iterator[dict]:
        yield {self.status: said("Reading the rows …")}
        try:
            folder = self._folder(run)
            labels = reports.read(folder, which)["labels"]
            asked = [f"--split={split if not which else 'test'}", f"--answers={answers}"]
            asked += [f"--data={which}"] if which else []
            asked += [f"--true={labels[true]}"] if true != _ANY else []
            asked += [f"--predicted={labels[predicted]}"] if predicted != _ANY else []
            listed = {"run": folder.name, "which": which, "asked": asked, "split": split, "at": 0}
            yield self._page(self._fetched(listed))
        except (RequestError, RunError) as error:
            yield {self.status: refused(str(error))}

    def _turn(self, listed: dict, step: int) -> dict:
        listed = listed | {"at": max(0, listed["at"] + step)}
        beyond = not listed["from"] <= listed["at"] < listed["from"] + len(listed["items"])
        try:
            return self._page(self._fetched(listed) if beyond and listed["asked"] else listed)
        except (RequestError, RunError) as error:
            return {self.status: refused(str(error))}

    def _fetched(self, listed: dict) -> dict:
        """The same with the rows that its place is among, read by a child."""
        begin = listed["at"] // _FETCHED * _FETCHED
        place = ["--at", str(begin), "--count", str(_FETCHED)]
        folder = str(self._folder(listed["run"]))
        told = children.ask(self._root, "items", folder, *listed["asked"], *place, timeout_s=_PATIENCE_S)
        rows = [row | {"split": listed["split"]} for row in told["items"]]
        return listed | {"from": begin, "rows": told["rows"], "items": rows, "note": told["note"]}

    def _page(self, listed: dict, which: str = "") -> dict:
        at, rows = listed["at"], listed["rows"]
        last = min(at + _PAGE, rows)
        told = f"{at + 1:,} to {last:,} of {rows:,} rows" if rows else "No such rows"
        return {
            self.status: said(". ".join(filter(None, (f"{told}{which and ', '}{which}", listed.get("note"))))),
            self.cards: _shown(self._folder(listed["run"]), listed),
            self.listed: listed,
            self.back: gr.Button(visible=at > 0),
            self.on: gr.Button(visible=last < rows),
        }

    def _act(self, what: str, rows: list[marks.Row], listed: dict, one: int | None, several: list[int] | None) -> None:
        run = self._folder(listed["run"])
        if what != "relabel":
            (marks.leave_out if what == "out" else marks.leave_alone)(run, rows)
            return
        found = reports.read(run)
        if "threshold" in found:
            to = [found["labels"][at] for at in sorted(several or [])]
        elif one is None:
            raise RequestError("choose the right label first, beside the button")
        else:
            to = [found["labels"][one]]
        marks.relabel(run, rows, to)


def _on_page(listed: dict) -> list[marks.Row]:
    begin = listed["at"] - listed["from"]
    return listed["items"][begin : begin + _PAGE]


def _shown(run: Path, listed: dict) -> str:
    return cards(_on_page(listed), {} if listed["which"] else marks.read(run))


def _rows(listed: dict | None, picked: str) -> list[marks.Row]:
    """The rows whose boxes are ticked."""
    rows = _on_page(listed) if listed and not listed["which"] else []
    found = [rows[int(at)] for at in (picked or "").split() if at.isdigit() and int(at) < len(rows)]
    if not found:
        raise RequestError("choose rows first, by the boxes beside them")
    return found


def _number(said: object, count: int) -> int:
    """The number of a label as a click has it, "" for any."""
    return int(said) if isinstance(said, str) and said.isdigit() and int(said) < count else _ANY
