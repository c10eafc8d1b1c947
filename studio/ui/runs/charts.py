"""The charts of a run: what is drawn on which axes, from its stream."""

import gradio as gr

from studio.curves import Stream
from studio.ui.lines import CSS, HOVER, lines

_SMALL = {  # curve: title, what its values are divided by
    "learning_rate": ("learning rate", 1),
    "grad_norm": ("gradient norm", 1),
    "samples_per_second": ("rows per second", 1),
    "memory_bytes": ("memory (GB)", 1e9),
    "device_memory_bytes": ("GPU memory (GB)", 1e9),
    "device_utilisation": ("GPU use (%)", 1),
}
_BY_DEPTH = {  # curves of the parts of the network: title
    "grad_norm_": "gradient norm by depth",
    "update_ratio_": "change of the weights in a step, as a share",
}
_DEPTHS = ("embeddings", "early", "middle", "late", "encoder", "head")
_SMALL_SIZE = (300, 180)


class Charts:
    """The charts of the Runs screen. They are made once and filled by `updates`."""

    def __init__(self) -> None:
        self.plots = [_charts("run-charts")]
        with gr.Accordion("Learning rate, gradients, speed, memory", open=False):
            self.plots.append(_charts("run-more-charts"))

    def updates(self, stream: Stream, metric: str) -> list[str]:
        """What the plots show of a run, over the steps that it is to have."""
        scores = stream.points(f"eval_{metric}")
        loss = {"training loss": stream.points("loss"), "validation loss": stream.points("eval_loss")}
        best, named = best_step(scores, metric), metric.replace("_", " ").replace("f1", "F1")
        last = stream.facts.get("max_steps") or max((step for step, _ in (*loss["training loss"], *scores)), default=1)
        score = {f"validation {named}": scores}
        main = lines("Loss", loss, last, marked=best) + lines(f"Validation {named}", score, last, marked=best)
        more = ""
        for name, (title, unit) in _SMALL.items():
            points = [(step, value / unit) for step, value in stream.points(name)]
            more += lines(title, {title: points}, last, size=_SMALL_SIZE)
        for prefix, title in _BY_DEPTH.items():
            curves = {depth: stream.points(prefix + depth) for depth in _DEPTHS}
            more += lines(title, curves, last, size=_SMALL_SIZE)
        return [main and f'<div class="charts">{main}</div>', more and f'<div class="charts small">{more}</div>']


def best_step(scores: list[tuple[int, float]], metric: str) -> int | None:
    """The step of the best validation; the first of equal ones."""
    if not scores:
        return None
    sign = -1 if metric == "loss" else 1
    return max(scores, key=lambda point: sign * point[1])[0]


def _charts(name: str) -> gr.HTML:
    return gr.HTML(elem_id=name, css_template=CSS, js_on_load=HOVER)
