"""What the screens of the page have in common: the run root, the tabs, and what is chosen."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from studio.jobs.listing import Listing

_FRESH_S = 1.0  # two looks at the run root within this time see the same


class Runs:
    """The runs of the run root, listed once for all who look at the page."""

    def __init__(self, root: Path):
        self._listing = Listing(root)
        self._lock = threading.Lock()
        self._seen, self._rows = 0.0, []

    def rows(self) -> list[dict[str, Any]]:
        """The rows of studio.jobs.listing, at most a second old."""
        with self._lock:
            if time.monotonic() - self._seen > _FRESH_S:
                self._rows, self._seen = self._listing.rows(), time.monotonic()
            return self._rows


class Draft(NamedTuple):
    """The run whose settings the Train form starts from; and the data set, where it is to be another than the run's."""

    run: str
    dataset: str | None = None


@dataclass(frozen=True)
class Shared:
    """Handed to every screen, which builds itself inside its tab.

    `page.load` is for what a screen reads from the disk when the page is opened or opened anew. A screen hands a
    choice on by writing `dataset` or `run` and selecting another tab: `return name, gr.Tabs(selected="train")`.
    """

    root: Path  # the run root
    runs: Runs
    page: gr.Blocks
    tabs: gr.Tabs  # the ids are data, train, runs, evaluate, compare, try
    dataset: gr.State  # the id of the chosen data set (studio.ui.datasets)
    run: gr.BrowserState  # the name of the chosen run; survives a reload
    draft: gr.State  # a Draft, or None
    tab: gr.Tab | None = None  # of the screen itself; its `select` comes whenever it is shown, whoever chose it
