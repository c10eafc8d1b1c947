"""The heartbeat of a job: a file that its process touches all the time, and in which stands when it last got on.

Other machines, which cannot look for its pid, see by it that the job lives; everyone sees by it whether it is stuck.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from studio.runs import Run

_FILE = "heartbeat"
_BEAT_S = 5


@contextlib.contextmanager
def beating(run: Run) -> Iterator[None]:
    """Beats while the block lasts, whatever it does; a thread of its own, since a step may take minutes."""
    if not run.writes:
        yield
        return
    over = threading.Event()

    def beat() -> None:
        _write(run)
        while not over.wait(_BEAT_S):
            _write(run)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def last(folder: Path) -> tuple[float, float]:
    """When a run's heart last beat, and when it last got on, in seconds since the epoch; 0 where it never has."""
    file = folder / _FILE
    try:
        return file.stat().st_mtime, float(file.read_text())
    except (OSError, ValueError):
        return 0.0, 0.0


def _write(run: Run) -> None:
    with contextlib.suppress(OSError):  # a full disk, or a folder that was removed
        descriptor = os.open(run.folder / _FILE, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, b"%010d" % run.moved, 0)  # always as long: a reader sees no half of it
        finally:
            os.close(descriptor)  # on a file system of the network others see it from now on
