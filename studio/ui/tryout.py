"""The tryout screen."""

import gradio as gr

from studio.ui.shared import Shared


def screen(shared: Shared) -> None:
    """Builds the screen inside its tab."""
    gr.Markdown("")
