"""What the screens of the page have in common: the run root, the tabs, and what is chosen."""

from dataclasses import dataclass
from pathlib import Path

import gradio as gr


@dataclass(frozen=True)
class Shared:
    """Handed to every screen, which builds itself inside its tab.

    `page.load` is for what a screen reads from the disk when the page is opened or opened anew. A screen hands a
    choice on by writing `dataset` or `run` and selecting another tab: `return name, gr.Tabs(selected="train")`.
    """

    root: Path  # the run root
    page: gr.Blocks
    tabs: gr.Tabs  # the ids are data, train, runs, compare, try
    dataset: gr.State  # the id of the chosen data set (studio.ui.datasets)
    run: gr.BrowserState  # the name of the chosen run; survives a reload
    draft: gr.State  # the name of the run whose settings the Train form starts from
