"""States, times and messages as the page shows them."""

import html
import re
from datetime import timedelta

CSS = """
dl { display: flex; flex-wrap: wrap; gap: 0.5rem 2rem; margin: 0; }
dt { font-size: var(--text-sm); color: var(--body-text-color-subdued); }
dd { margin: 0; font-size: var(--text-xl); font-weight: 600; font-variant-numeric: tabular-nums; }
dd small { display: block; font-size: var(--text-sm); font-weight: 400; color: var(--body-text-color-subdued); }
h4 { margin: 0 0 0.5rem; font-size: var(--text-md); font-weight: 600; }
ul { margin: 0; padding-left: 1.2rem; list-style: disc; }
li { margin: 0.25rem 0; overflow-wrap: anywhere; }
p { margin: 0; overflow-wrap: anywhere; }
.refused { border-left: 3px solid var(--error-border-color, #b91c1c); padding: 0.25rem 0 0.25rem 0.75rem; }
"""


def badge(state: str) -> str:
    """A state as a small coloured label, in HTML."""
    return f'<span class="badge {html.escape(state)}">{html.escape(state)}</span>'


def left(step: int, steps: int | None, seconds: float | None) -> str:
    """What is left of a run: time, or the scoring of the held-out rows after its last step."""
    if steps and step >= steps:
        return "scoring"
    return "" if seconds is None else f"{timedelta(seconds=round(seconds))} left"


def said(text: str) -> str:
    """A calm line on what is going on or what to do next, as HTML that screen readers read out."""
    return f'<p role="status">{html.escape(text)}</p>' if text else ""


def refused(text: str) -> str:
    """What went wrong and what to do about it, as HTML."""
    return f'<p class="refused" role="alert">{html.escape(text)}</p>'


def sparkline(values: list[float], width: int = 12) -> str:
    """The course of some numbers in block letters."""
    if len(values) < 2:
        return ""
    chosen = [values[round(at * (len(values) - 1) / (width - 1))] for at in range(width)]
    low, high = min(chosen), max(chosen)
    return "".join("▁▂▃▄▅▆▇█"[round(7 * (value - low) / ((high - low) or 1))] for value in chosen)


def plain(text: object) -> str:
    """Words of others as Markdown that shows them letter by letter, on one line, and does nothing."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(str(text).split()))
