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
    """This process, as `alive` takes it: pid, start time, host and boot id."""
    return {"pid": os.getpid(), "started": _started(psutil.Process()), **this_machine()}


def alive(process: dict[str, Any]) -> bool | None:
    """Whether a process still runs; None when it is one of another machine."""
    here = this_machine()
    if process.get("host") != here["host"]:
        return None
    if process.get("boot_id") != here["boot_id"]:
        return False
    try:
        found = psutil.Process(process["pid"])
        same = abs(_started(found) - process["started"]) < 0.01
        return same and found.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return False


def of_run(folder: Path) -> list[psutil.Process]:
    """The processes that bear the mark of a run, whatever group or session they are in."""
    return _with_environment({MARK: mark(folder)})


def mark(folder: Path) -> str:
    """The mark of a run's processes: its folder by the one name that leads there without links and dots."""
    return str(folder.resolve())


def of_launch(process: psutil.Process) -> list[psutil.Process]:
    """A process, and where a launcher started it as one of several ranks, the other ranks on this machine."""
    given = process.environ()
    shared = {name: given.get(name) for name in ("TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT")}
    return [process, *(_with_environment(shared) if all(shared.values()) else [])]


def _with_environment(wanted: dict[str, str]) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            given = process.environ()
            if process.pid != os.getpid() and all(given.get(name) == value for name, value in wanted.items()):
                found.append(process)
    return found


def _started(process: psutil.Process) -> float:
    """When a process started: seconds since the boot on Linux, so that nobody changes it by setting the clock."""
    if not psutil.LINUX:
        return process.create_time()
    after_name = Path(f"/proc/{process.pid}/stat").read_bytes().rpartition(b")")[2]
    return int(after_name.split()[19]) / os.sysconf("SC_CLK_TCK")  # proc(5): the 22nd field, of which two went before


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
