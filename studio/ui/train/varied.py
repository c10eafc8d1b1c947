"""Training rows as the settings of a form would vary them, in HTML."""

from html import escape
from typing import Any

from studio.ui import words

CSS = (
    words.CSS
    + """
.varied { display: grid; gap: 0.75rem; }
.varied p { margin: 0 0 0.2rem; font-weight: 600; overflow-wrap: anywhere; }
.varied ol { list-style: none; margin: 0; padding: 0; display: grid; gap: 4px; }
.varied .pictures { grid-template-columns: repeat(6, minmax(0, 128px)); }
.varied li { margin: 0; overflow-wrap: anywhere; }
.varied .texts li { padding-left: 0.75rem; border-left: 3px solid var(--border-color-primary); }
.varied .texts li:first-child { border-color: var(--color-accent); }
.varied img { width: 100%; aspect-ratio: 1; border-radius: 3px; margin: 0; }
.varied small { color: var(--body-text-color-subdued); display: block; line-height: 1.2; }
"""
)


def grid(told: dict[str, Any]) -> str:
    """What `python -m studio preview --augmented` tells: for each row its labels, the row as it is, and the others."""
    return f'<div class="varied">{"".join(map(_row, told["rows"]))}</div>'


def _row(row: dict[str, Any]) -> str:
    kind = "pictures" if "picture" in row["views"][0] else "texts"
    views = "".join(f"<li>{_view(view, row['labels'])}</li>" for view in row["views"])
    return f'<div><p>{escape(", ".join(row["labels"]))}</p><ol class="{kind}">{views}</ol></div>'


def _view(view: dict[str, Any], labels: list[str]) -> str:
    if "text" in view:
        return escape(view["text"])
    told = escape(", ".join(view["labels"]))
    mixed = f"<small>{told}</small>" if view["labels"] != labels else ""
    return f'<img alt="{told}" src="{escape(view["picture"])}">{mixed}'
