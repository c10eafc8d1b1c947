"""A page of Gradio's as a web application, with what the studio does not want from Gradio taken out of it."""

from pathlib import Path
from typing import NoReturn

import gradio as gr
import safehttpx
from fastapi import FastAPI
from gradio import processing_utils

from studio.evaluation import coloured
from studio.ui import theme
from studio.ui.security import UPLOAD_BYTES

_FILES = Path(__file__).parent
_SESSIONS = 64  # browser tabs that the page remembers something for; the oldest is forgotten first
_EVENTS = 128  # that may wait at once
_AT_ONCE = 4  # of the same kind


def mounted(page: gr.Blocks, *, show_error: bool = True) -> FastAPI:
    """The application that serves a page; `show_error` tells people also of errors that nobody foresaw."""
    _forbid_fetching()
    page.queue(max_size=_EVENTS, default_concurrency_limit=_AT_ONCE, api_open=False)
    page.state_session_capacity = _SESSIONS
    # Gradio checks that a file named by a browser has been uploaded by it only in pages that it launched itself.
    page.has_launched = True
    return gr.mount_gradio_app(
        FastAPI(openapi_url=None),
        page,
        path="/",
        theme=theme.theme(),
        css=coloured.STYLE,
        css_paths=_FILES / "page.css",
        favicon_path=str(_FILES / "favicon.svg"),
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        mcp_server=False,
        max_file_size=UPLOAD_BYTES,
        show_error=show_error,
    )


def _forbid_fetching() -> None:
    """Gradio opens addresses that stand where a browser names a file: the page opens none."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise gr.Error("Files are uploaded or read from this machine; addresses are not opened.")

    async def refuse_later(*_: object, **__: object) -> NoReturn:
        refuse()

    safehttpx.get = safehttpx.async_validate_url = refuse_later
    processing_utils.async_ssrf_protected_download = refuse_later
    processing_utils.ssrf_protected_download = processing_utils.save_url_to_cache = refuse
    processing_utils.unsafe_download = refuse
