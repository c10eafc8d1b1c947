"""The page in front of a browser, for whoever times it or takes pictures of it."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright


@contextlib.contextmanager
def opened(root: Path) -> Iterator[tuple[Page, str]]:
    """A tab of Chromium, and the address of `python app.py` over a run root."""
    with _served(root) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        yield browser.new_page(viewport={"width": 1280, "height": 900}), url
        browser.close()


@contextlib.contextmanager
def _served(root: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)], env=os.environ | {"STUDIO_RUNS": str(root)}
    )
    try:
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}")
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
