"""Stopping jobs from outside, whether the engine started them or a person by hand."""

import shutil
import time
from pathlib import Path

import psutil

from studio import processes, stopping
from studio.errors import RequestError
from studio.jobs.standing import Standing, standing
from studio.runs import Run

GRACE_S = 3  # between asking a process to end and killing it


def stop(folder: Path, wait_s: float = 0.0) -> Standing:
    """Asks a job to save and stop at its next step; waits so long for it to have done so.

    Raises:
        RequestError: no job runs in the folder.
    """
    _must_run(folder)
    stopping.ask(folder, "stop")
    return _when_ended(folder, wait_s)


def force_stop(folder: Path) -> Standing:
    """Ends all processes of a job: asked first, killed after some seconds. What was not saved is lost.

    Raises:
        RequestError: no job runs in the folder.
    """
    _must_run(folder)
    processes.end(_processes(folder), GRACE_S)
    return _when_ended(folder, 3)


def discard(folder: Path) -> None:
    """Ends the job of a run, if one runs, and removes the folder.

    Raises:
        RequestError: the folder is no run, or runs on another machine.
    """
    now = standing(folder)
    if now.state == "broken" and not (folder / "run.json").exists():
        raise RequestError(f"{folder} is not a run folder: nothing was removed")
    if now.going:
        stopping.ask(folder, "discard")
        processes.end(_processes(folder), GRACE_S)
    shutil.rmtree(folder)


def _must_run(folder: Path) -> None:
    Run(folder).record()
    now = standing(folder)
    if not now.going:
        raise RequestError(
            f"{folder.name} does not run: it is {now.state}" + (f" ({now.reason})" if now.reason else "")
        )


def _processes(folder: Path) -> list[psutil.Process]:
    """Those that bear the run's mark, and the one that the run itself names."""
    found = processes.of_run(folder)
    status = Run(folder).status()
    if processes.alive(status):
        found.append(psutil.Process(status["pid"]))
    return found


def _when_ended(folder: Path, wait_s: float) -> Standing:
    deadline = time.monotonic() + wait_s
    while (now := standing(folder)).going and time.monotonic() < deadline:
        time.sleep(0.1)
    return now
