"""Rows that a model was scored on, as cards in HTML: the text in full or a small picture, what it is, what was said."""

from collections.abc import Mapping
from html import escape
from typing import Any

from studio.ui import words
from studio.ui.evaluate.marks import Mark

CSS = (
    words.CSS
    + """
ul.cards { list-style: none; padding: 0; display: grid; gap: 0.5rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); }
ul.pictures { grid-template-columns: repeat(auto-fill, minmax(min(100%, 170px), 1fr)); }
.cards li { margin: 0; border: 1px solid var(--border-color-primary); border-radius: 6px; padding: 0.5rem 0.75rem; }
.cards li:has(input:checked) { outline: 2px solid var(--color-accent); }
.cards label { display: flex; gap: 0.6rem; align-items: flex-start; cursor: pointer; }
.cards input { margin-top: 0.25rem; flex: none; }
.cards pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: 0; max-height: 14rem;
  overflow-y: auto; flex: 1; background: none; padding: 0; }
.cards img { min-width: 96px; max-width: 100%; height: auto; image-rendering: pixelated; } /* small ones are enlarged */
.cards p { font-size: var(--text-sm); color: var(--body-text-color-subdued); margin-top: 0.35rem; }
.cards b { color: var(--body-text-color); font-weight: 600; }
.cards .mark { color: var(--body-text-color); border-left: 3px solid #d9650b; padding-left: 0.5rem; }
"""
)
_TURNING = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))  # would turn the rest of a line round


def cards(rows: list[dict[str, Any]], marks: Mapping[str, Mark]) -> str:
    """A card for each row, with a box to choose it by, whose value is the row's place."""
    if not rows:
        return "<p>There are no such rows.</p>"
    kind = "cards pictures" if any(row["jpeg"] for row in rows) else "cards"
    shown = "".join(_card(at, row, marks.get(row["row_id"])) for at, row in enumerate(rows))
    return f'<ul class="{kind}">{shown}</ul>'


def _card(at: int, row: dict[str, Any], mark: Mark | None) -> str:
    label, prediction = (_names(row[part]) for part in ("label", "prediction"))
    if row["label"] == row["prediction"]:
        told = f"<b>{label}</b>, answered so at {row['score']:.1%}"
    else:
        told = f"<b>{label}</b>, answered <b>{prediction}</b> at {row['score']:.1%}"
    marked = ""
    if mark:
        marked = f'<p class="mark">{"left out" if mark.to is None else f"to be <b>{_names(mark.to)}</b>"}</p>'
    box = f'<input type="checkbox" value="{at}" aria-label="choose row {at + 1}">'
    return f"<li><label>{box}{_content(row)}</label><p>{told}</p>{marked}</li>"


def _content(row: dict[str, Any]) -> str:
    """The picture, else the text, else the id of a row whose data are gone."""
    text = escape((row["text"] or "").translate(_TURNING))
    if row["jpeg"]:
        return f'<img alt="{text}" title="{text}" src="data:image/jpeg;base64,{escape(row["jpeg"])}">'
    return f"<pre>{text or escape(row['row_id'])}</pre>"


def _names(labels: list[str]) -> str:
    return escape(", ".join(labels).translate(_TURNING)) or "(none)"
