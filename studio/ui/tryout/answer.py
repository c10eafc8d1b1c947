"""One answer on the Try screen: its probabilities, and on request why the model gave it."""

from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import RequestError, RunError
from studio.evaluation import coloured
from studio.serving.client import Answer, Item, Models
from studio.ui.tryout.tryable import Tryable, Tryables
from studio.ui.words import said

_MOST_BARS = 10
_MOST_LABELS = 50  # to choose from
_LONGEST = 3000  # characters of a text that are shown

Asked = Item | Path  # a path is that of a picture


class AnswerBox:
    """A column that is hidden until there is an answer."""

    def __init__(self, models: Models, runs: Tryables):
        with gr.Column(visible=False) as self.box:
            self.bars = gr.Label(num_top_classes=_MOST_BARS)
            with gr.Row():
                self.label = gr.Dropdown(
                    [], label="Label to explain", show_label=False, container=False, min_width=140, scale=1
                )
                why = gr.Button("Why?", size="sm", scale=0, min_width=110)
            self.reason = gr.HTML()
            self.asked = gr.State(None)

        def explain(asked: tuple[str, Asked] | None, label: str | None):
            if asked is None or label is None:
                return gr.skip()
            name, kept = asked
            try:
                item = content(kept)
                found = models.explain(runs.named(name).folder, item, label)
            except (RequestError, RunError) as fault:
                return said(f"There is no explanation: {fault}")
            texts = () if isinstance(item, bytes) else item if isinstance(item, tuple) else (item,)
            return coloured.shown(found, texts, _LONGEST) + "".join(map(said, coloured.sentences(found)))

        inputs = [self.asked, self.label]
        why.click(explain, inputs, self.reason, concurrency_limit=4, show_progress_on=self.reason)

    @property
    def outputs(self) -> list[Any]:
        """What `shown` and `hidden` update."""
        return [self.box, self.bars, self.label, self.reason, self.asked]

    @staticmethod
    def shown(run: Tryable, asked: Asked, answer: Answer) -> list[Any]:
        """Updates to a new answer; one may ask why of each of its labels, the likeliest first."""
        labels = list(answer.scores)[:_MOST_LABELS]
        bars = gr.Label(answer.scores, label=run.name)
        return [gr.Column(visible=True), bars, gr.Dropdown(choices=labels, value=labels[0]), "", (run.name, asked)]

    @staticmethod
    def hidden() -> list[Any]:
        """Updates to no answer."""
        return [gr.Column(visible=False), gr.skip(), gr.skip(), "", None]


def content(asked: Asked) -> Item:
    """What a model is asked.

    Raises:
        RequestError: the picture is gone.
    """
    try:
        return asked.read_bytes() if isinstance(asked, Path) else asked
    except OSError as error:
        raise RequestError("the picture is not here any more: choose it again") from error
