"""States, figures and times as the page shows them."""

import html
from datetime import timedelta


def badge(state: str) -> str:
    """A state as a small coloured label, in HTML."""
    return f'<span class="badge {html.escape(state)}">{html.escape(state)}</span>'


def left(step: int, steps: int | None, seconds: float | None) -> str:
    """What is left of a run: time, or the scoring of the held-out rows after its last step."""
    if steps and step >= steps:
        return "scoring"
    return "" if seconds is None else f"{timedelta(seconds=round(seconds))} left"


def message(text: str) -> str:
    """One line as HTML that shows it as it is, whatever stands in it, and that screen readers read out."""
    return f'<p role="status">{html.escape(text)}</p>' if text else ""


def sparkline(values: list[float], width: int = 12) -> str:
    """The course of some numbers in block letters."""
    if len(values) < 2:
        return ""
    chosen = [values[round(at * (len(values) - 1) / (width - 1))] for at in range(width)]
    low, high = min(chosen), max(chosen)
    return "".join("▁▂▃▄▅▆▇█"[round(7 * (value - low) / ((high - low) or 1))] for value in chosen)
