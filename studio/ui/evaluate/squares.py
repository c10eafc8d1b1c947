"""Charts of shares as SVG: drawn at once, in the page's own colours by day and by night, without a script."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from studio.ui.figure import colour, figure, legend

_WIDTH, _HEIGHT = 320, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 312, 8, 208
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


class Line(NamedTuple):
    """Points between 0 and 1 in order; None leaves a gap. `intervals` are drawn as upright bars through the points."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    intervals: Sequence[Sequence[float]] = ()


def lines(
    title: str, more: str, drawn: list[Line], x: str, y: str, *, diagonal: bool = False, upright: float | None = None
) -> str:
    """Lines over the unit square, as an HTML figure; `more` stands below its title.

    `diagonal` is drawn where both axes agree (or chance does), `upright` is a place of x that is marked.
    """
    parts = [_frame(x, y, [f"{tick:g}" for tick in _TICKS])]
    if diagonal:
        parts.append(f'<line class="fair" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>')
    if upright is not None:
        parts.append(f'<line class="fair" x1="{_x(upright)}" y1="{_y(0)}" x2="{_x(upright)}" y2="{_y(1)}"/>')
    parts += [_line(line, colour(at)) for at, line in enumerate(drawn)]
    named = legend(line.name for line in drawn) if len(drawn) > 1 else ""
    return figure(title, more, (_WIDTH, _HEIGHT), "".join(parts), named)


def bars(title: str, more: str, edges: Sequence[float], stacks: dict[str, Sequence[int]], x: str) -> str:
    """Counts between edges from 0 to 1, stacked, as an HTML figure."""
    stacks = {name: list(counts) for name, counts in stacks.items()}
    most = max(map(sum, zip(*stacks.values(), strict=True)), default=0) or 1
    parts = [_frame(x, "rows", [f"{round(tick * most):,}" for tick in _TICKS])]
    below = [0] * (len(edges) - 1)
    for place, counts in enumerate(stacks.values()):
        for at, count in enumerate(counts):
            if count:
                low, high = _x(edges[at]), _x(edges[at + 1])
                top, bottom = _y((below[at] + count) / most), _y(below[at] / most)
                told = f"{count:,} rows between {edges[at]:.2f} and {edges[at + 1]:.2f}"
                parts.append(
                    f'<rect x="{low + 0.5:.1f}" y="{top:.1f}" width="{high - low - 1:.1f}" '
                    f'height="{bottom - top:.1f}" fill="{colour(place)}"><title>{told}</title></rect>'
                )
            below[at] += count
    return figure(title, more, (_WIDTH, _HEIGHT), "".join(parts), legend(stacks))


def _frame(x: str, y: str, heights: list[str]) -> str:
    """The grid, the ticks and the titles of both axes."""
    parts = []
    for tick, height in zip(_TICKS, heights, strict=True):
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{_y(tick)}" y2="{_y(tick)}"/>')
        parts.append(f'<text x="{_LEFT - 5}" y="{_y(tick) + 3}" text-anchor="end">{height}</text>')
        parts.append(f'<text x="{_x(tick)}" y="{_BOTTOM + 14}" text-anchor="middle">{tick:g}</text>')
    middle = (_LEFT + _RIGHT) / 2, (_TOP + _BOTTOM) / 2
    parts.append(f'<text x="{middle[0]}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x)}</text>')
    turned = f'transform="rotate(-90 9 {middle[1]})"'
    return "".join([*parts, f'<text x="9" y="{middle[1]}" text-anchor="middle" {turned}>{escape(y)}</text>'])


def _line(line: Line, stroke: str) -> str:
    parts, run = [], []
    for x, y in [*zip(line.x, line.y, strict=True), (0.0, None)]:
        if y is not None:
            run.append(f"{_x(x):.1f},{_y(y):.1f}")
        elif run:
            parts.append(f'<polyline points="{" ".join(run)}" fill="none" stroke="{stroke}" stroke-width="2"/>')
            run = []
    for x, y, (low, high) in zip(line.x, line.y, line.intervals, strict=True) if line.intervals else ():
        told = f"{escape(line.name)}: {x:.2f} stated, {y:.2f} true, 95 % interval {low:.2f} to {high:.2f}"
        parts.append(
            f'<g stroke="{stroke}" fill="{stroke}"><line x1="{_x(x):.1f}" x2="{_x(x):.1f}" y1="{_y(low):.1f}" '
            f'y2="{_y(high):.1f}"/><circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="3"><title>{told}</title></circle></g>'
        )
    return "".join(parts)


def _x(share: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * min(1.0, max(0.0, share))


def _y(share: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * min(1.0, max(0.0, share))
