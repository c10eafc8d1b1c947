"""The runs whose models can be tried, as the lists to choose from show them."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import RequestError
from studio.runs import Run
from studio.ui.shared import Shared

_DRAWN = ("mnist", "digit")  # in the name of a data set: white strokes on black


@dataclass(frozen=True)
class Tryable:
    """A run with a model. `text_column`, `text_pair_column` are what it was trained on, "" where they were found."""

    name: str
    folder: Path
    title: str
    is_image: bool
    text_pairs: bool
    white_on_black: bool
    text_column: str
    text_pair_column: str


class Tryables:
    """The runs of the page that can be tried."""

    def __init__(self, shared: Shared):
        self._runs = shared.runs

    def all(self) -> dict[str, Tryable]:
        """By name, the newest first."""
        found = [_tryable(row) for row in self._runs.rows() if row["state"] == "finished"]
        return {run.name: run for run in found if run}

    def named(self, name: str | None) -> Tryable:
        """One of them.

        Raises:
            RequestError: there is none of that name (any more).
        """
        run = self.all().get(name or "")
        if run is None:
            raise RequestError(f"the model of {name} is gone: choose another run" if name else "choose a model first")
        return run


def _tryable(row: dict[str, Any]) -> Tryable | None:
    run = Run(row["folder"])
    try:
        config = json.loads((run.model / "config.json").read_text(encoding="utf-8"))
        settings = run.settings()
    except (OSError, ValueError, RequestError):  # a broken folder is shown as broken by the Runs screen
        return None
    score = "" if row["test"] is None else f" · {row['metric'].replace('_', ' ')} {row['test']:.3f} on test rows"
    data = str(settings.get("dataset_name") or settings.get("train_file") or "")
    return Tryable(
        name=row["run"],
        folder=run.folder,
        title=f"{row['run']}{score} · {_ago(row['created'])}",
        is_image=row["task"] == "image-classification",
        text_pairs=bool(config.get("text_pairs")),
        white_on_black=any(word in data.lower() for word in _DRAWN),
        text_column=settings.get("text_column_name") or "",
        text_pair_column=settings.get("text_pair_column_name") or "",
    )


def _ago(created: float | None) -> str:
    minutes = (time.time() - (created or 0)) / 60
    if minutes < 60:
        return f"{minutes:.0f} min ago"
    return f"{minutes / 60:.0f} h ago" if minutes < 48 * 60 else f"{minutes / 60 / 24:.0f} days ago"
