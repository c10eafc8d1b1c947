"""Stopping jobs from outside, whether the engine started them or a person by hand."""

import json
import shutil
import time
from pathlib import Path

import psutil

from studio import processes, stopping
from studio.errors import RequestError
from studio.jobs.standing import Standing, standing
from studio.jobs.supervise import SUPERVISOR
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
    stopping.ask(folder, "force")
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


def settle(folder: Path) -> None:
    """Waits until the supervisor of a job that has ended has written how, and is gone.

    Raises:
        RequestError: it does not come to an end.
    """
    deadline = time.monotonic() + GRACE_S + 10
    while (now := standing(folder)).state in ("stopped", "failed", "orphaned") and _supervised(folder):
        if time.monotonic() > deadline:
            raise RequestError(f"{folder.name} is {now.state}, and its supervisor still runs: try again in a moment")
        time.sleep(0.1)


def _supervised(folder: Path) -> bool:
    try:
        return bool(processes.alive(json.loads((folder / SUPERVISOR).read_text())))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _must_run(folder: Path) -> None:
    Run(folder).record()
    now = standing(folder)
    if now.state == "queued":
        raise RequestError(f"{folder.name} waits in the queue: `python -m studio queue cancel {folder.name}`")
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
