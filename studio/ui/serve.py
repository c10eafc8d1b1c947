"""Puts the page on the network: one address, one port, never moved silently."""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported

import gradio as gr
import uvicorn
from fastapi import FastAPI

from studio.store import run_root
from studio.ui.build import build


def serve(host: str, port: int) -> None:
    """Serves the page until it is interrupted."""
    app = gr.mount_gradio_app(FastAPI(), build(run_root()), path="/", run_history=False, ssr_mode=False)
    print(f"Fine-tuning studio: http://{host}:{port}", flush=True)
    uvicorn.run(app, host=host, port=port, log_level="warning")
