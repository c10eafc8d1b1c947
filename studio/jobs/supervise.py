"""The parent of one job: starts it in a process group of its own, waits, and writes how it ended.

python -m studio.jobs.supervise RUN COMMAND...
"""

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from studio import processes
from studio.runs import Run, write_whole

SUPERVISOR, EXIT = "supervisor.json", "exit.json"
_TOLD_LINES, _TOLD_BYTES = 30, 8000  # of the log's end, in exit.json
_GRACE_S = 2  # for what a job has left behind


def main(folder: Path, command: list[str]) -> int:
    """Carries out the job of a run folder; returns its exit code."""
    lock = (folder / "supervisor.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print(f"{folder} has a supervisor already", file=sys.stderr)
        return 2
    (folder / EXIT).unlink(missing_ok=True)
    kills = _kills_for_memory()
    with (folder / "train.log").open("ab") as log:
        job = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=0,
            env=os.environ | {"STUDIO_SUPERVISED": "1", processes.MARK: str(folder)},
        )
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: _pass_on(job))
    write_whole(folder / SUPERVISOR, json.dumps(processes.myself() | {"group": job.pid, "command": command}))
    code = job.wait()
    processes.end(processes.of_run(folder), _GRACE_S)
    out_of_memory = _kills_for_memory() > kills
    write_whole(folder / EXIT, json.dumps(account(folder, code, out_of_memory), indent=1))
    return code


def account(folder: Path, code: int, out_of_memory: bool) -> dict:
    """What exit.json says: exit code or signal, the cause in a word, the end of the log, and when."""
    by_signal = -code if code < 0 else None
    return {
        "code": code if code >= 0 else None,
        "signal": signal.Signals(by_signal).name if by_signal else None,
        "cause": _cause(folder, code, out_of_memory),
        "log": _end_of_log(folder / "train.log") if code else "",
        "time": time.time(),
    }


def _cause(folder: Path, code: int, out_of_memory: bool) -> str:
    if code == 0:
        return "finished"
    status = Run(folder).status()
    if status["state"] == "stopped":
        return "stopped"
    if status["state"] == "failed":
        return status.get("cause") or "error"
    if out_of_memory:
        return "memory"
    return "killed" if code < 0 else "request" if code == 2 else "error"


def _pass_on(job: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(job.pid, signal.SIGTERM)


def _kills_for_memory() -> int:
    """How many processes of this control group the kernel has killed because memory ran out."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        group = Path("/proc/self/cgroup").read_text().strip().split("::")[1]
        told = Path(f"/sys/fs/cgroup{group}/memory.events").read_text()
        return int(re.search(r"^oom_kill (\d+)", told, re.MULTILINE)[1])
    return 0


def _end_of_log(file: Path) -> str:
    """The last lines, from the last traceback on if there is one among them."""
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - _TOLD_BYTES))
        text = stream.read().decode("utf-8", "replace")
    at = text.rfind("Traceback (most recent call last)")
    return "\n".join(text[max(at, 0) :].splitlines()[-_TOLD_LINES:])


if __name__ == "__main__":
    sys.exit(abs(main(Path(sys.argv[1]), sys.argv[2:])))
