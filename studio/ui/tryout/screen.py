"""The Try screen: ask a finished run's model about a text or a picture, two models side by side, or a whole file."""

import contextlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import RequestError, RunError
from studio.serving.client import MOST_BYTES, Answer, Models
from studio.ui.children import ask as ask_child
from studio.ui.shared import Shared
from studio.ui.tryout import file, sketch
from studio.ui.tryout.answer import AnswerBox, Asked, content
from studio.ui.tryout.tryable import Tryable, Tryables
from studio.ui.words import said

_EMPTY = """### Nothing to try yet
When a run has finished, its model answers here. Start one on the **Train** screen; the sample data take a few minutes.
"""
_REMEMBERED = 50  # answers
_EXAMPLES = 6
_LONGEST = 300  # characters of a text in the table of answers
_USUAL_S = 8.0  # until a model is loaded
_COLUMNS = ["Input", "Answer", "Probability", "Model"]


def screen(shared: Shared) -> None:
    """Builds the screen inside its tab."""
    models, runs = Models(), Tryables(shared)
    empty = gr.Markdown(_EMPTY)
    with gr.Column(visible=False) as bench:
        with gr.Row():
            first = gr.Dropdown([], label="Model", info="finished runs, the newest first")
            second = gr.Dropdown([], label="Compare with", info="another run of the same task, or none")
        with gr.Column() as texts:
            text = gr.Textbox(label="Text", placeholder="Write or paste a text, then press Enter", max_lines=8)
            pair = gr.Textbox(label="Second text", placeholder="The text that belongs to it", max_lines=8)
            examples = gr.Dataset(
                components=["textbox"], samples=[], type="index", visible=False, label="Examples: rows it was tested on"
            )
            known = gr.State([])
            ask_text = gr.Button("Ask", variant="primary")
        with gr.Column(visible=False) as images, gr.Tabs():
            with gr.Tab("Picture"):
                sources = ["upload", "clipboard", "webcam"]
                picture = gr.Image(
                    type="filepath", sources=sources, image_mode=None, height=300, label="Picture", buttons=[]
                )
                # the model's process decodes it: a picture that is made to do harm must not be opened here
                picture.preprocess = lambda given: given and given.path
                ask_picture = gr.Button("Ask about the picture", variant="primary")
            with gr.Tab("Drawing"):
                pad = gr.Sketchpad(
                    type="pil",
                    label="Drawing: choose the brush, then draw",
                    canvas_size=(sketch.CANVAS, sketch.CANVAS),
                    fixed_canvas=True,
                    height=420,
                    brush=gr.Brush(default_size=18, colors=["#000000"], color_mode="fixed"),
                    layers=False,
                    transforms=(),
                    buttons=[],
                )
                inverted = gr.Checkbox(
                    label="White on black",
                    info="turns the drawing into what digits of MNIST look like: light strokes, centred, on black",
                )
                ask_drawing = gr.Button("Ask about the drawing", variant="primary")
        status = gr.HTML()
        with gr.Row():
            boxes = [AnswerBox(models, runs) for _ in range(2)]
        with gr.Column(visible=False) as log:
            table = gr.Dataframe(
                headers=_COLUMNS, datatype="str", interactive=False, wrap=True, buttons=[], label="Previous answers"
            )
            with gr.Row():
                clear = gr.Button("Clear", size="sm", scale=0, min_width=160)
        past = gr.State([])
        file.section(models, runs, first)
        with gr.Row():
            free = gr.Button("Free memory", size="sm", scale=0, min_width=160)

    def refresh(wanted: str | None, current: str | None):
        """The run that is chosen on any screen, if it can be tried."""
        found = runs.all()
        name = next((name for name in (wanted, current) if name in found), next(iter(found), None))
        choices = [(run.title, run.name) for run in found.values()]
        return (
            gr.Markdown(visible=not found),
            gr.Column(visible=bool(found)),
            gr.Dropdown(choices=choices, value=name),
        )

    def follow(wanted: str | None, current: str | None):
        """A run that was chosen on another screen."""
        return (gr.skip(),) * 3 if wanted == current else refresh(wanted, current)

    def suit(name: str | None, other: str | None):
        """What the chosen model takes."""
        found = runs.all()
        run = found.get(name or "")
        if run is None:
            return (gr.skip(),) * 6
        beside = [
            r for r in found.values() if r.is_image == run.is_image and r.text_pairs == run.text_pairs and r != run
        ]
        other = other if other in [r.name for r in beside] else ""
        return (
            gr.Dropdown(choices=[("none", ""), *((r.title, r.name) for r in beside)], value=other),
            gr.Column(visible=not run.is_image),
            gr.Column(visible=run.is_image),
            gr.Textbox(visible=run.text_pairs),
            run.white_on_black,
            gr.Dataset(visible=False),
        )

    @lru_cache(maxsize=64)  # a run is tested once
    def test_rows(folder: Path) -> list[dict[str, str]]:
        return ask_child(shared.root, "examples", str(folder), "--count", str(_EXAMPLES))

    def show_examples(name: str | None):
        try:
            run = runs.named(name)
            rows = [] if run.is_image else test_rows(run.folder)
        except (RequestError, RunError):  # the data are gone or have changed: there is nothing honest to offer
            rows = []
        return gr.Dataset(samples=[[row["text"]] for row in rows], visible=bool(rows)), rows

    def fill(index: int, rows: list[dict[str, str]]):
        return rows[index]["text"], rows[index]["text_pair"] or ""

    def warm(name: str | None) -> None:
        with contextlib.suppress(RequestError, RunError):  # whoever asks is told
            models.warm(runs.named(name).folder)

    def about_text(one, other, text, pair, past, progress=gr.Progress()):  # noqa: B008 (how Gradio hands it over)
        run = runs.all().get(one or "")
        item = (text, pair) if run and run.text_pairs else text
        missing = "" if text.strip() and (not run or not run.text_pairs or pair.strip()) else "Write a text first."
        yield from _answers(models, runs, (one, other), item, _shortened(item), missing, past, progress)

    def about_picture(one, other, file, past, progress=gr.Progress()):  # noqa: B008
        missing = "" if file else "Choose a picture first."
        if file and Path(file).stat().st_size > MOST_BYTES:
            missing = f"This file is larger than the {MOST_BYTES // 1_000_000} MB that a picture may have."
        item, told = (b"", "") if missing else (Path(file), Path(file).name)
        yield from _answers(models, runs, (one, other), item, told, missing, past, progress)

    def about_drawing(one, other, strokes, inverted, past, progress=gr.Progress()):  # noqa: B008
        item = sketch.drawn(strokes, inverted)
        missing = "" if item else "Draw something first: choose the brush on the left, then draw."
        yield from _answers(models, runs, (one, other), item or b"", "drawing", missing, past, progress)

    def unload():
        count = models.unload()
        return said(f"{count} model{'s' * (count != 1)} taken out of memory." if count else "No model was in memory.")

    refreshed = {"fn": refresh, "inputs": [shared.run, first], "outputs": [empty, bench, first]}
    quiet = {"show_progress": "hidden"}
    shared.run.change(**refreshed | {"fn": follow}, **quiet)
    shared.tab.select(**refreshed, **quiet)
    first.input(lambda name: name, first, shared.run, **quiet)
    for box, model in zip(boxes, (first, second), strict=True):  # an answer is not to stand below another's name
        model.change(box.hidden, None, box.outputs, **quiet)
    first.change(suit, [first, second], [second, texts, images, pair, inverted, examples], **quiet).then(
        show_examples, first, [examples, known], **quiet
    )
    examples.click(fill, [examples, known], [text, pair], **quiet)
    text.focus(warm, first, None, **quiet)
    picture.upload(warm, first, None, **quiet)
    outputs = [status, *boxes[0].outputs, *boxes[1].outputs, log, table, past]
    asking = {"concurrency_limit": 4, "show_progress_on": status}
    gr.on([text.submit, pair.submit, ask_text.click], about_text, [first, second, text, pair, past], outputs, **asking)
    ask_picture.click(about_picture, [first, second, picture, past], outputs, **asking)
    ask_drawing.click(about_drawing, [first, second, pad, inverted, past], outputs, **asking)
    clear.click(lambda: (gr.Column(visible=False), []), None, [log, past], **quiet)
    free.click(unload, None, status, **quiet)


def _answers(
    models: Models,
    runs: Tryables,
    names: tuple[str | None, str | None],
    asked: Asked,
    told: str,
    missing: str,
    past: list[list[str]],
    progress: gr.Progress,
) -> Iterator[tuple[Any, ...]]:
    """Updates of status, both answers, the table of previous answers and what is in it, as the answers come."""
    shown, passing = [AnswerBox.hidden(), AnswerBox.hidden()], ""
    if missing:
        yield said(missing), *(gr.skip(),) * len(shown[0] + shown[1]), *(gr.skip(),) * 3
        return
    try:
        item = content(asked)
        chosen = [runs.named(name) for name in names if name]
        with models.lease(*(run.folder for run in chosen)):  # both begin to load at once
            for place, run in enumerate(chosen or [runs.named(None)]):
                told_of = f"Loading {run.name} for its first answer"
                loading = lambda s, words=told_of: progress(min(s / _USUAL_S, 0.95), words)  # noqa: E731
                answer = models.ask(run.folder, [item], loading)[0]
                shown[place] = AnswerBox.shown(run, asked, answer)
                past = [_row(told, run, answer), *past][:_REMEMBERED]
                passing += _passing(answer, run)
                yield said(passing), *shown[0], *shown[1], gr.Column(visible=True), past, past
    except (RequestError, RunError) as fault:
        yield said(f"There is no answer: {fault}"), *shown[0], *shown[1], gr.skip(), gr.skip(), past


def _row(told: str, run: Tryable, answer: Answer) -> list[str]:
    given = ", ".join(answer.given) or "none"
    best = [answer.scores[label] for label in answer.given] or [max(answer.scores.values())]
    shares = ", ".join(f"{score:.1%}" for score in best)
    return [told, given, shares, run.name]


def _passing(answer: Answer, run: Tryable) -> str:
    """Which labels a model of several labels gives; nothing to say of others."""
    if answer.threshold is None:
        return ""
    given = ", ".join(answer.given) or "no label"
    return f"{run.name} gives {given} (probability of at least {answer.threshold:.0%}). "


def _shortened(item: str | tuple[str, str]) -> str:
    """A text as the table of answers shows it."""
    whole = " / ".join(item) if isinstance(item, tuple) else item
    return whole if len(whole) <= _LONGEST else f"{whole[:_LONGEST]}…"
