"""The charts of a run: what is drawn on which axes, from its stream."""

import gradio as gr
import pandas as pd

from studio.curves import Stream
from studio.ui import theme

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
COLOURS = {"training": theme.SERIES[0], "validation": theme.SERIES[1], "best step": theme.SERIES[4]}


class Charts:
    """The plots of the Runs screen. They are made once and filled by `updates`."""

    def __init__(self) -> None:
        with gr.Row():
            self.loss = _plot("loss", 300, COLOURS, elem_id="chart-loss")
            self.score = _plot("validation score", 300, COLOURS, elem_id="chart-score")
        with gr.Accordion("Learning rate, gradients, speed, memory", open=False):
            self.small = {}
            names = list(_SMALL)
            for at in range(0, len(names), 3):
                with gr.Row():
                    self.small |= {name: _plot(_SMALL[name][0], 180) for name in names[at : at + 3]}
            colours = dict(zip(_DEPTHS, theme.SERIES, strict=False))
            with gr.Row():
                self.by_depth = {prefix: _plot(title, 240, colours) for prefix, title in _BY_DEPTH.items()}

    @property
    def plots(self) -> list[gr.LinePlot]:
        """All of them, in the order of `updates`."""
        return [self.loss, self.score, *self.small.values(), *self.by_depth.values()]

    def updates(self, stream: Stream, metric: str) -> list:
        """New values for the plots, all over the steps that the run is to have."""
        scores = stream.points(f"eval_{metric}")
        loss = {"training": stream.points("loss"), "validation": stream.points("eval_loss")}
        best = best_step(scores, metric)
        last = stream.facts.get("max_steps") or max((step for step, _ in (*loss["training"], *scores)), default=1)
        frames = [_frame(loss, last, best), _frame({"validation": scores}, last, best)]
        for name, (title, unit) in _SMALL.items():
            frames.append(_frame({title: [(step, value / unit) for step, value in stream.points(name)]}, last))
        for prefix in _BY_DEPTH:
            frames.append(_frame({depth: stream.points(prefix + depth) for depth in _DEPTHS}, last))
        found = [gr.LinePlot(frame, x_lim=[0, last], visible=frame is not None) for frame in frames]
        found[1] = gr.LinePlot(
            frames[1], x_lim=[0, last], y_title=f"validation {metric}", visible=frames[1] is not None
        )
        return found


def best_step(scores: list[tuple[int, float]], metric: str) -> int | None:
    """The step of the best validation; the first of equal ones."""
    if not scores:
        return None
    sign = -1 if metric == "loss" else 1
    return max(scores, key=lambda point: sign * point[1])[0]


def _plot(title: str, height: int, colours: dict[str, str] | None = None, elem_id: str | None = None) -> gr.LinePlot:
    return gr.LinePlot(
        x="step", y="value", color="curve" if colours else None, color_map=colours, color_title="", x_title="step",
        y_title=title, height=height, min_width=280, show_label=False, buttons=[], tooltip="all", elem_id=elem_id,
    )  # fmt: skip


def _frame(curves: dict[str, list[tuple[int, float]]], last: int, best: int | None = None) -> pd.DataFrame | None:
    """The points of some curves, and an upright line at the best step; None where there is nothing to draw."""
    rows = []
    for name, points in curves.items():
        if len(points) == 1:  # a line of one point would not be seen: it becomes a dash
            points = [(points[0][0] - 0.015 * last, points[0][1]), *points]
        rows += [(step, value, name) for step, value in points]
    if not rows:
        return None
    values = [value for _, value, _ in rows]
    if best is not None and max(values) > min(values):
        rows += [(best, min(values), "best step"), (best, max(values), "best step")]
    return pd.DataFrame(rows, columns=["step", "value", "curve"]).astype({"step": float, "value": float})
