"""Processes by a name that is never given twice (pid and start time), and how to end all of a job's."""

import contextlib
import os
import platform
import signal
from pathlib import Path
from typing import Any

import psutil

MARK = "STUDIO_RUN"  # in the environment of a job's processes: the folder of its run


def this_machine() -> dict[str, str | None]:
    """Host and boot: pids mean nothing beyond them."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return {"host": platform.node(), "boot_id": boot.read_text().strip() if boot.exists() else None}


def myself() -> dict[str, Any]:
    """This process, as `alive` takes it: pid, start time (seconds since the epoch), host and boot id."""
    return {"pid": os.getpid(), "started": psutil.Process().create_time(), **this_machine()}


def alive(process: dict[str, Any]) -> bool | None:
    """Whether a process still runs; None when it is one of another machine."""
    here = this_machine()
    if process.get("host") != here["host"]:
        return None
    if process.get("boot_id") != here["boot_id"]:
        return False
    try:
        found = psutil.Process(process["pid"])
        same = abs(found.create_time() - process["started"]) < 1  # the clock that counts them may be set
        return same and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def of_run(folder: Path) -> list[psutil.Process]:
    """The processes that bear the mark of a run, whatever group or session they are in."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == str(folder) and process.pid != os.getpid():
                found.append(process)
    return found


def end(processes: list[psutil.Process], grace_s: float) -> None:
    """Asks processes and their descendants to end, and kills those that have not after `grace_s` seconds."""
    everyone = {child for process in processes for child in _family(process)}
    for process in everyone:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGTERM)
    _, left = psutil.wait_procs(everyone, timeout=grace_s)
    left = {child for process in left for child in _family(process)}
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=2)


def _family(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return [process, *process.children(recursive=True)]
    return []
