"""Stopping jobs from outside, whether the engine started them or a person by hand."""

import contextlib
import json
import shutil
import time
from pathlib import Path
from typing import Literal

import psutil

from studio import processes, stopping
from studio.errors import RequestError
from studio.jobs.standing import GOING, Standing, standing
from studio.jobs.supervise import SUPERVISOR
from studio.runs import Run

GRACE_S = 3  # between asking a process to end and killing it
_WAITS_S = 10  # for a supervisor to write how its job has ended


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
        RequestError: no job runs in the folder, or it runs on another machine.
    """
    _must_run(folder)
    _end(folder, "force")
    return _when_ended(folder, 3)


def discard(folder: Path) -> None:
    """Ends the job of a run, if one runs, and removes the folder.

    Raises:
        RequestError: the folder is no run, or runs on another machine.
    """
    now = standing(folder)
    if now.state == "broken" and not (folder / "run.json").exists():
        raise RequestError(f"{folder} is not a run folder: nothing was removed")
    if now.state != "broken":
        _end(folder, "discard")
    shutil.rmtree(folder.resolve())
    if folder.is_symlink():  # to a run that is kept elsewhere
        folder.unlink()


def settle(folder: Path) -> None:
    """Waits until the supervisor of a job that has ended has written how, and is gone.

    Raises:
        RequestError: it does not come to an end.
    """
    deadline = time.monotonic() + GRACE_S + _WAITS_S
    while (now := standing(folder)).state in ("stopped", "failed", "orphaned") and _supervisor(folder):
        if time.monotonic() > deadline:
            raise RequestError(f"{folder.name} is {now.state}, and its supervisor still runs: try again in a moment")
        time.sleep(0.1)


def _end(folder: Path, action: Literal["discard", "force"]) -> None:
    """Ends a job's processes, and waits for its supervisor, which has words to write; in the end that goes as well."""
    status = Run(folder).status()
    if standing(folder).going and processes.alive(status) is None:
        raise RequestError(f"{folder.name} runs on {status.get('host')}: end it there, or ask it to stop without force")
    stopping.ask(folder, action)
    processes.end(_processes(folder), GRACE_S)
    deadline = time.monotonic() + _WAITS_S / 2
    while (supervisor := _supervisor(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
        processes.end(_processes(folder), GRACE_S)  # it may only now have started the job
    processes.end([supervisor] if supervisor else [], 0)


def _supervisor(folder: Path) -> psutil.Process | None:
    """The process that waits for the job to end, if it runs on this machine."""
    try:
        supervisor = json.loads((folder / SUPERVISOR).read_text())
        return psutil.Process(supervisor["pid"]) if processes.alive(supervisor) else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


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
    """Those that bear the run's mark, and those that started with the one that trains in it, as it says itself."""
    found = processes.of_run(folder)
    status = Run(folder).status()
    if status["state"] in GOING and processes.alive(status):  # while it is queued it is who queued it
        with contextlib.suppress(psutil.Error):
            found += processes.of_launch(psutil.Process(status["pid"]))
    return found


def _when_ended(folder: Path, wait_s: float) -> Standing:
    deadline = time.monotonic() + wait_s
    while (now := standing(folder)).going and time.monotonic() < deadline:
        time.sleep(0.1)
    return now
