"""Charts of shares as SVG: drawn at once, in the page's own colours by day and by night, without a script."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from studio.ui import theme

_WIDTH, _HEIGHT = 320, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 312, 8, 208
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
CSS = """
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 1.25rem; }
figure { margin: 0; }
figcaption { font-weight: 600; margin-bottom: 0.25rem; overflow-wrap: anywhere; }
figcaption small { display: block; font-weight: 400; color: var(--body-text-color-subdued); }
svg { width: 100%; max-width: 460px; height: auto; color: var(--body-text-color); display: block; }
svg text { fill: currentColor; font-size: 10px; }
svg .grid { stroke: var(--border-color-primary); stroke-width: 1; }
svg .fair { stroke: currentColor; stroke-opacity: 0.45; stroke-dasharray: 4 4; }
.legend { display: flex; flex-wrap: wrap; gap: 0.15rem 1rem; font-size: var(--text-sm); margin: 0; padding: 0; }
.legend li { list-style: none; margin: 0; overflow-wrap: anywhere; }
.legend i { display: inline-block; width: 1rem; height: 0.25rem; margin-right: 0.35rem; vertical-align: middle; }
"""


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
    for line, colour in zip(drawn, _colours(drawn), strict=True):
        parts.append(_line(line, colour))
    return _figure(title, more, parts, _legend(drawn) if len(drawn) > 1 else "")


def bars(title: str, more: str, edges: Sequence[float], stacks: dict[str, Sequence[int]], x: str) -> str:
    """Counts between edges from 0 to 1, stacked, as an HTML figure."""
    stacks = {name: list(counts) for name, counts in stacks.items()}
    most = max(map(sum, zip(*stacks.values(), strict=True)), default=0) or 1
    parts = [_frame(x, "rows", [f"{round(tick * most):,}" for tick in _TICKS])]
    below = [0] * (len(edges) - 1)
    for counts, colour in zip(stacks.values(), theme.SERIES, strict=False):
        for at, count in enumerate(counts):
            if count:
                low, high = _x(edges[at]), _x(edges[at + 1])
                top, bottom = _y((below[at] + count) / most), _y(below[at] / most)
                told = f"{count:,} rows between {edges[at]:.2f} and {edges[at + 1]:.2f}"
                parts.append(
                    f'<rect x="{low + 0.5:.1f}" y="{top:.1f}" width="{high - low - 1:.1f}" '
                    f'height="{bottom - top:.1f}" fill="{colour}"><title>{told}</title></rect>'
                )
            below[at] += count
    return _figure(title, more, parts, _legend(stacks))


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


def _line(line: Line, colour: str) -> str:
    parts, run = [], []
    for x, y in [*zip(line.x, line.y, strict=True), (0.0, None)]:
        if y is not None:
            run.append(f"{_x(x):.1f},{_y(y):.1f}")
        elif run:
            parts.append(f'<polyline points="{" ".join(run)}" fill="none" stroke="{colour}" stroke-width="2"/>')
            run = []
    for x, y, (low, high) in zip(line.x, line.y, line.intervals, strict=True) if line.intervals else ():
        told = f"{escape(line.name)}: {x:.2f} stated, {y:.2f} true, 95 % interval {low:.2f} to {high:.2f}"
        parts.append(
            f'<g stroke="{colour}" fill="{colour}"><line x1="{_x(x):.1f}" x2="{_x(x):.1f}" y1="{_y(low):.1f}" '
            f'y2="{_y(high):.1f}"/><circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="3"><title>{told}</title></circle></g>'
        )
    return "".join(parts)


def _figure(title: str, more: str, parts: list[str], legend: str) -> str:
    small = f"<small>{escape(more)}</small>" if more else ""
    return (
        f"<figure><figcaption>{escape(title)}{small}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(f"{title}. {more}")}">{"".join(parts)}'
        f"</svg>{legend}</figure>"
    )


def _legend(named: Iterable[Line] | Iterable[str]) -> str:
    names = [one.name if isinstance(one, Line) else one for one in named]
    entries = zip(names, _colours(names), strict=True)
    told = "".join(f'<li><i style="background:{colour}"></i>{escape(name)}</li>' for name, colour in entries)
    return f'<ul class="legend">{told}</ul>'


def _colours(of: Sequence) -> list[str]:
    return [theme.SERIES[at % len(theme.SERIES)] for at in range(len(of))]


def _x(share: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * min(1.0, max(0.0, share))


def _y(share: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * min(1.0, max(0.0, share))
