"""The page: one tab for each screen, the side bar, the look."""

import dataclasses
from pathlib import Path

import gradio as gr

from studio.ui import compare, sidebar
from studio.ui.data import screen as data
from studio.ui.evaluate import screen as evaluate
from studio.ui.runs import screen as runs
from studio.ui.shared import Runs, Shared
from studio.ui.train import screen as train
from studio.ui.tryout import screen as tryout

TITLE = "Fine-tuning studio"
SCREENS = {  # tab id: label, screen
    "data": ("Data", data.screen),
    "train": ("Train", train.screen),
    "runs": ("Runs", runs.screen),
    "evaluate": ("Evaluate", evaluate.screen),
    "compare": ("Compare", compare.screen),
    "try": ("Try", tryout.screen),
}


def build(root: Path, *, only_try: bool = False) -> gr.Blocks:
    """The page over a run root; `only_try` leaves out whatever trains, changes or shows somebody's work."""
    screens = {name: SCREENS[name] for name in (["try"] if only_try else SCREENS)}
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 24 * 3600)) as page:
        login = " &nbsp; [Log in to train](/login)" if only_try else ""
        gr.Markdown(f"# {TITLE}\nYour texts and pictures, your model, on this machine.{login}", elem_id="headline")
        run = gr.BrowserState(None, storage_key="studio-run", secret="studio")  # nothing secret is in it
        dataset, draft = gr.State(None), gr.State(None)
        with gr.Tabs(selected=next(iter(screens))) as tabs:
            shared = Shared(root, Runs(root), page, tabs, dataset, run, draft)
            for name, (label, screen) in screens.items():
                with gr.Tab(label, id=name) as tab:
                    screen(dataclasses.replace(shared, tab=tab))
        if not only_try:
            sidebar.build(shared)
    return page
