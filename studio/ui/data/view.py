"""What a preview of data tells, as the page shows it. Everything that comes from data is escaped here."""

import html
import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from studio.config import ImageData, TextData
from studio.fields import specs
from studio.ui import theme, words

BARS = 30  # classes drawn; a chart of more cannot be read
_LABEL = 40  # characters of a class in the chart
_SPELLINGS = 5  # labels whose spellings are listed
CSS = (
    words.CSS
    + """
ul.warned { list-style: none; border-left: 3px solid #d9650b; padding: 0.25rem 0 0.25rem 0.75rem; }
"""
)
_KINDS = {"text-classification": "Texts", "image-classification": "Pictures"}
SPLITS = {"train": "training", "validation": "validation", "test": "test"}
LABELS = {
    "text_column_name": "Text column",
    "text_pair_column_name": "Second text column",
    "image_column_name": "Picture column",
    "label_column_name": "Label column",
    "group_column_name": "Group column",
    "label_delimiter": "Label delimiter",
    "column_names": "Column names",
    "merge_label_spellings": "Merge label spellings",
    "near_duplicates": "Keep near duplicates together",
    "drop_overlap": "Drop overlapping training rows",
    "validation_fraction": "Share for validation",
    "test_fraction": "Share for testing",
    "validation_file": "Validation file",
    "test_file": "Test file",
    "dataset_config_name": "Configuration",
    "dataset_revision": "Revision",
}
COLOURS = dict(zip(("training", "validation", "test"), theme.SERIES, strict=False))
_HELP = {spec.name: spec.help for group in (TextData, ImageData) for spec in specs(group)}


def about(name: str) -> str:
    """The help of a setting, which says the same on the command line."""
    text = _HELP[name]
    return f"{text[0].upper()}{text[1:]}."


def kind(task: str) -> str:
    """Texts or Pictures."""
    return _KINDS[task]


def plainly(message: str, folders: Iterable[str]) -> str:
    """A message of the data sources in words of the page: fields for flags, and no folder of an upload."""
    for folder in folders:
        message = message.replace(f"{folder}/", "")
    return re.sub(r"--(\w+)", lambda flag: f"‘{LABELS[flag[1]]}’" if flag[1] in LABELS else flag[0], message)


_LEFT_OUT = {
    "no_label": "without a label",
    "no_content": "with nothing to look at",
    "damaged_rows": "damaged",
    "unreadable": "with a picture that cannot be read",
}


def headline(name: str, told: dict[str, Any]) -> str:
    """Whether it can be trained on, and how much there is to look at first, in words."""
    count = len(_warnings(told))
    first = f", but look at {'this' if count == 1 else f'these {count} things'} first:" if count else "."
    return f"{name} can be trained on{first}"


def warnings(told: dict[str, Any]) -> str:
    """What was left out and what is probably not meant so, as a list in HTML; empty where there is nothing of it."""
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in _warnings(told))
    return f'<ul class="warned">{lines}</ul>' if lines else ""


def _warnings(told: dict[str, Any]) -> list[str]:
    """In sentences; a preview that was saved before these were told has none."""
    found = []
    if left_out := told.get("left_out"):
        total = sum(left_out.values())
        why = ", ".join(f"{count:,} {_LEFT_OUT[kind]}" for kind, count in left_out.items())
        found.append(f"{total:,} {'row was' if total == 1 else 'rows were'} left out: {why}.")
    if groups := told.get("spellings"):
        shown = "; ".join(", ".join(map(repr, group)) for group in groups[:_SPELLINGS])
        more = f"; and {len(groups) - _SPELLINGS} more" if len(groups) > _SPELLINGS else ""
        labels = "One label is" if len(groups) == 1 else f"{len(groups)} labels are"
        found.append(f"{labels} written in several ways, each of which would be a class of its own: {shown}{more}.")
    return found + told.get("advice", [])


def facts(told: dict[str, Any]) -> str:
    """The figures of a preview as HTML."""
    figures = [
        ("kind", _KINDS[told["task"]], ""),
        ("rows", f"{sum(told['sizes'].values()):,}", ""),
        ("classes", f"{len(told['classes']):,}", "several for a row" if told["several"] else ""),
    ]
    for split, count in told["sizes"].items():
        came = "as given" if split in told["given"] else "set aside from the training rows"
        figures.append((SPLITS[split], f"{count:,}", came if split != "train" else ""))
    figures.append(_shape(told))
    tiles = (
        f"<div><dt>{name}</dt><dd>{html.escape(value)}<small>{html.escape(more)}</small></dd></div>"
        for name, value, more in figures
    )
    return f"<dl>{''.join(tiles)}</dl>"


def _shape(told: dict[str, Any]) -> tuple[str, str, str]:
    shape = told["shape"]
    if told["task"] == "text-classification":
        words = shape["words"]
        return "usual length", f"{words['median']:,} words", f"95 of 100 have at most {words['most']:,}"
    usual = f"{shape['width']} × {shape['height']}"
    alike = shape["count"] == shape["measured"]
    return "size in pixels", usual, "all alike" if alike else f"sides from {shape['shortest']} to {shape['longest']}"


def notes(told: dict[str, Any], folders: Iterable[str]) -> str:
    """What the sources say, as a list in HTML."""
    lines = (html.escape(plainly(note, folders)) for note in told["notes"])
    listed = "".join(f"<li>{line}</li>" for line in lines) or "<li>every row can be used as it is</li>"
    return f"<h4>What the reader says</h4><ul>{listed}</ul>"


def bars(told: dict[str, Any]) -> pd.DataFrame:
    """Rows of the largest classes by split: columns class, rows, split."""
    classes = sorted(told["classes"], key=lambda row: -row["train"])[:BARS]
    return pd.DataFrame(
        [
            {"class": _short(row["label"]), "rows": row[split], "split": name}
            for split, name in SPLITS.items()
            for row in classes
        ]
    )


def bars_title(told: dict[str, Any]) -> str:
    """What the chart shows."""
    count = len(told["classes"])
    return f"Rows of the {BARS} largest of {count:,} classes" if count > BARS else "Rows of each class"


def table(told: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headers and cells of the first rows; the label comes first, where long texts cannot push it out of sight."""
    names = [name for name in ("text", "text_pair", "image", "group") if any(name in row for row in told["rows"])]
    headers = {"text": "text", "text_pair": "second text", "image": "file", "group": "group"}
    cells = [[", ".join(row["labels"]), *(row.get(name, "") for name in names)] for row in told["rows"]]
    return ["label", *(headers[name] for name in names)], cells


def widths(headers: list[str]) -> list[str]:
    """How the columns of the first rows share the room."""
    return ["20%", *([f"{80 // (len(headers) - 1)}%"] * (len(headers) - 1))]


def caption(picture: dict[str, Any]) -> str:
    """What stands below a picture."""
    return ", ".join(picture["labels"]) or "(no label)"


def _short(label: str) -> str:
    return label if len(label) <= _LABEL else f"{label[: _LABEL - 1]}…"
