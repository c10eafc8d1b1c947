"""A chart as an HTML figure: SVG that is drawn at once, in the page's own colours by day and by night."""

from collections.abc import Iterable
from html import escape

from studio.ui import theme

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


def figure(title: str, more: str, size: tuple[int, int], drawn: str, legend: str = "", attributes: str = "") -> str:
    """What is drawn in a box of that size, with its title above; `more` stands below the title."""
    small = f"<small>{escape(more)}</small>" if more else ""
    return (
        f"<figure><figcaption>{escape(title)}{small}</figcaption>"
        f'<svg viewBox="0 0 {size[0]} {size[1]}" role="img" aria-label="{escape(f"{title}. {more}")}"{attributes}>'
        f"{drawn}</svg>{legend}</figure>"
    )


def legend(names: Iterable[str]) -> str:
    """Names and their colours."""
    told = "".join(f'<li><i style="background:{colour(at)}"></i>{escape(name)}</li>' for at, name in enumerate(names))
    return f'<ul class="legend">{told}</ul>'


def colour(at: int) -> str:
    """The colour of a chart's series by its place."""
    return theme.SERIES[at % len(theme.SERIES)]
