"""Curves over training steps as SVG lines, with the values below the pointer.

Gradio's own LinePlot takes a browser without a GPU a third of a second for each chart of 1,000 points, which a
training on the same processor would miss; a line of SVG takes some milliseconds.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

from studio.ui.figure import CSS as FIGURE
from studio.ui.figure import colour, figure, legend

_LEFT, _TOP, _ABOVE_STEPS = 52, 8, 30  # room for what is written at the axes
_TICKS = 5  # at most so many more or less
CSS = (
    FIGURE
    + """
svg { max-width: 720px; }
svg text { font-size: 11px; }
svg polyline { fill: none; stroke-width: 1.6; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
svg .told rect { fill: var(--block-background-fill); stroke: var(--border-color-primary); }
"""
)
# Puts a line and the values of all curves where the pointer is. The points are read from the drawing itself.
HOVER = """
const drop = () => element.querySelectorAll('.told').forEach(one => one.remove());
const made = (name, about, text) => {
  const one = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(about)) one.setAttribute(key, value);
  if (text !== undefined) one.textContent = text;
  return one;
};
element.addEventListener('mouseleave', drop);
element.addEventListener('mousemove', event => {
  drop();
  const svg = event.target.closest('svg.steps');
  if (!svg) return;
  const {left, right, top, bottom, last, low, high} =
    Object.fromEntries(Object.entries(svg.dataset).map(([key, value]) => [key, Number(value)]));
  const x = svg.createSVGPoint();
  [x.x, x.y] = [event.clientX, event.clientY];
  const at = x.matrixTransform(svg.getScreenCTM().inverse()).x;
  if (at < left || at > right) return;
  const step = Math.round(last * (at - left) / (right - left));
  const lines = [`step ${step.toLocaleString()}`];
  for (const curve of svg.querySelectorAll('polyline')) {
    let nearest = null;
    for (const point of curve.points)
      if (!nearest || Math.abs(point.x - at) < Math.abs(nearest.x - at)) nearest = point;
    if (!nearest || Math.abs(nearest.x - at) > (right - left) / 8) continue;
    const value = low + (high - low) * (bottom - nearest.y) / (bottom - top);
    lines.push(`${curve.dataset.name} ${Number(value.toPrecision(3))}`);
  }
  const group = made('g', {class: 'told', 'pointer-events': 'none'});
  group.append(made('line', {class: 'fair', x1: at, x2: at, y1: top, y2: bottom}));
  const width = 12 + 6 * Math.max(...lines.map(line => line.length));
  const begin = at + width + 6 > right ? at - width - 6 : at + 6;
  group.append(made('rect', {x: begin, y: top + 2, width, height: 13 * lines.length + 5, rx: 3}));
  lines.forEach((line, row) => group.append(made('text', {x: begin + 6, y: top + 14 + 13 * row}, line)));
  svg.append(group);
});
"""
Points = Sequence[tuple[int, float]]


def lines(
    title: str,
    curves: Mapping[str, Points],
    last: int,
    *,
    marked: int | None = None,
    size: tuple[int, int] = (460, 260),
    more: str = "",
) -> str:
    """An HTML figure of (step, value) points by the names of their curves, nothing where there are no points.

    Args:
        last: the step at the right end.
        marked: a step that an upright line stands at.
        size: of the drawing, in its own units, which are pixels when it is as wide as that.
        more: stands below the title.
    """
    drawn = {name: points for name, points in curves.items() if points}
    if not drawn:
        return ""
    ticks = _ticks([value for points in drawn.values() for _, value in points])
    low, high = ticks[0], ticks[-1]
    right, bottom = size[0] - 8, size[1] - _ABOVE_STEPS
    last = max(last, 1)

    def x(step: float) -> float:
        return round(_LEFT + (right - _LEFT) * min(step, last) / last, 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - _TOP) * (value - low) / (high - low), 1)

    parts = []
    for tick in ticks:
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y(tick)}" y2="{y(tick)}"/>')
        parts.append(f'<text x="{_LEFT - 5}" y="{y(tick) + 3}" text-anchor="end">{tick:.6g}</text>')
    for tick in _ticks([0, last], whole=True):
        if tick <= last:
            anchor = "end" if tick > 0.95 * last else "middle"
            parts.append(f'<text x="{x(tick)}" y="{bottom + 14}" text-anchor="{anchor}">{tick:,.0f}</text>')
    parts.append(f'<text x="{(_LEFT + right) / 2}" y="{size[1] - 4}" text-anchor="middle">step</text>')
    if marked is not None:
        parts.append(
            f'<line class="fair" x1="{x(marked)}" x2="{x(marked)}" y1="{_TOP}" y2="{bottom}">'
            f"<title>best step: {marked:,}</title></line>"
        )
    for at, (name, points) in enumerate(drawn.items()):
        if len(points) == 1:  # a line of one point would not be seen: it becomes a dash
            points = [(points[0][0] - 0.015 * last, points[0][1]), *points]
        placed = " ".join(f"{x(step)},{y(value)}" for step, value in points)
        parts.append(f'<polyline points="{placed}" stroke="{colour(at)}" data-name="{escape(name)}"/>')
    told = {"left": _LEFT, "right": right, "top": _TOP, "bottom": bottom, "last": last, "low": low, "high": high}
    attributes = ' class="steps"' + "".join(f' data-{key}="{value:.10g}"' for key, value in told.items())
    more = f"dashed: the best step, {marked:,}" if marked is not None else more
    return figure(title, more, size, "".join(parts), legend(drawn) if len(drawn) > 1 else "", attributes)


def _ticks(values: Sequence[float], whole: bool = False) -> list[float]:
    """Round numbers from below the lowest value to above the highest, about five."""
    low, high = min(values), max(values)
    if high - low <= abs(high) * 1e-9:
        low, high = low - (abs(low) * 0.1 or 0.5), high + (abs(high) * 0.1 or 0.5)
    rough = (high - low) / (_TICKS - 1)
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough)
    if whole:
        step = max(1, round(step))
    first, final = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [count * step for count in range(first, final + 1)]
