"""The page as its users have it: `python app.py` in a process of its own, Chromium in front of it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from studio.ui import datasets
from tests.conftest import NO_BROWSER

ROOT = Path(__file__).parent.parent.parent
_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the running page are slow but for the tour, which comes first, or a worker would be left alone with it.

    Those that share a page share a worker, or each would start the page.
    """
    items.sort(key=lambda item: item.path.stem != "test_tour")
    for item in items:
        if "start_page" in getattr(item, "fixturenames", ()):
            if item.path.stem != "test_tour":
                item.add_marker("slow")
            if not item.get_closest_marker("xdist_group"):
                item.add_marker(pytest.mark.xdist_group(item.path.stem))


_FIGURES: dict[int, list[str]] = {}
FIGURES_FILE = os.environ.get("STUDIO_FIGURES")  # where to write them; the trials are then longer


@pytest.fixture
def figure() -> Callable[[int, str], None]:
    """Notes what was found about a row of the list of threats, for docs/security.md."""
    return lambda row, found: _FIGURES.setdefault(row, []).append(found)


def pytest_sessionfinish(exitstatus: int) -> None:
    if FIGURES_FILE and exitstatus == 0:
        from tests.ui import threats

        Path(FIGURES_FILE).write_text(threats.table(_FIGURES))


@dataclass
class Page:
    url: str
    root: Path  # the run root
    process: subprocess.Popen


@pytest.fixture(scope="session")
def start_page() -> Callable[..., Page]:
    """Starts `python app.py` on a run root and a free port and waits until it answers."""

    def start(
        root: Path, *flags: str, env: dict[str, str] | None = None, program: tuple[str, ...] = ("app.py",)
    ) -> Page:
        port = free_port()
        with (root / "page.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, *program, "--port", str(port), *flags],
                cwd=ROOT,
                env=os.environ | {"STUDIO_RUNS": str(root), "PYTHONPATH": str(ROOT)} | (env or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        page = Page(f"http://127.0.0.1:{port}", root, process)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                httpx.get(page.url, timeout=5)
                return page
            except httpx.TransportError:
                assert process.poll() is None, (root / "page.log").read_text()
                time.sleep(0.1)
        process.kill()
        raise AssertionError("the page did not come up: " + (root / "page.log").read_text())

    return start


@pytest.fixture(scope="module")
def page_server(start_page, tmp_path_factory) -> Iterator[Page]:
    """A page over a run root that is empty at first, which may open whatever a test has written."""
    root = tmp_path_factory.mktemp("page") / "runs"
    root.mkdir()
    page = start_page(root, env={"STUDIO_DATA_ROOTS": str(tmp_path_factory.getbasetemp())})
    yield page
    end(page)


@pytest.fixture
def nothing_saved(page_server) -> Iterator[None]:
    """Removes the data sets that a test has kept on the page."""
    yield
    for dataset in datasets.saved(page_server.root):
        datasets.remove(page_server.root, dataset.id)


@pytest.fixture
def patience(_browser) -> Iterator[None]:
    """For screens where most of what is waited for is made by a child, which takes its time on a busy machine."""
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="session")
def _browser():
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.fail(NO_BROWSER) if os.environ.get("CI") else pytest.skip(NO_BROWSER)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=_FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture
def browser_page(_browser):
    """A browser tab of a fresh profile."""
    context = _browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end(page: Page) -> None:
    page.process.terminate()
    try:
        page.process.wait(10)
    except subprocess.TimeoutExpired:
        page.process.kill()
        page.process.wait()
