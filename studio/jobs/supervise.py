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

from studio import failures, processes
from studio.runs import SPARE, Run, write_whole

SUPERVISOR, EXIT = "supervisor.json", "exit.json"
_TOLD_LINES, _TOLD_BYTES = 30, 8000  # of the log's end, in exit.json
_GRACE_S = 2  # for what a job has left behind
_LAUNCHER_WAITS_S = 300  # for its ranks to save, when it was asked to stop; torch's 30 s kill them while they do


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
    try:
        write_whole(folder / SUPERVISOR, json.dumps(processes.myself() | {"command": command}))
        job = _start(folder, command)
    except OSError as error:
        (folder / SPARE).unlink(missing_ok=True)  # room for these words, where the disk is full
        failure = failures.failure(error)
        reason = f"the job could not be started: {failure}"
        _write(folder, code=None, signal=None, cause=failure.cause, reason=reason, log="")
        return 1
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: job.send_signal(signal.SIGTERM))  # a launcher passes it on to its ranks
    code = job.wait()
    processes.end(processes.of_run(folder), _GRACE_S)
    _write(folder, **account(folder, code, _kills_for_memory() > kills))
    return code


def account(folder: Path, code: int, out_of_memory: bool) -> dict:
    """How a job has ended: exit code or signal, the cause in a word, the reason for a person, the end of the log."""
    by_signal = signal.Signals(-code).name if code < 0 else None
    log = _end_of_log(folder / "train.log") if code else ""
    cause, reason = _why(Run(folder).status(), code, by_signal, out_of_memory, log)
    return {"code": None if by_signal else code, "signal": by_signal, "cause": cause, "reason": reason, "log": log}


def _why(status: dict, code: int, by_signal: str | None, out_of_memory: bool, log: str) -> tuple[str, str | None]:
    """Cause and reason: the job's own where it could still say them."""
    if status["state"] == "stopped":
        return "stopped", status.get("reason")
    if status["state"] == "failed":
        return status.get("cause") or "error", status.get("reason")
    if out_of_memory:
        return "memory", f"{failures.OUT_OF_MEMORY} (the system killed a process of the job)"
    if by_signal:
        return "killed", f"ended by {by_signal}"
    last = "".join(f": {line}" for line in log.strip().splitlines()[-1:])
    return {0: "finished", 2: "request"}.get(code, "error"), f"ended with exit code {code}{last}"


def _start(folder: Path, command: list[str]) -> subprocess.Popen:
    marks = {
        "STUDIO_SUPERVISED": "1",
        processes.MARK: processes.mark(folder),
        "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(_LAUNCHER_WAITS_S),
    }
    with (folder / "train.log").open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0, env=os.environ | marks
        )


def _write(folder: Path, **ended: str | int | None) -> None:
    with contextlib.suppress(FileNotFoundError):  # the run was removed
        write_whole(folder / EXIT, json.dumps(ended | {"time": time.time()}, indent=1))


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
