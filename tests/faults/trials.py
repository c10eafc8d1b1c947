"""Trials: processes forked from this one, which has imported torch, so that each costs about a second."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COUNT, KILL, NO_SPACE, FULL = range(4)  # what the shim does at the Nth file operation


@dataclass(frozen=True)
class Result:
    """What came of a row's trials; `lacks` says what the row was meant to show and these trials do not."""

    trials: int
    outcome: str
    passed: bool
    lacks: str = ""


def result(complaints: list[str], outcome: str, lacks: str = "") -> Result:
    """Of trials that each give a complaint, empty where all went well."""
    bad = [complaint for complaint in complaints if complaint]
    told = f"{len(complaints) - len(bad)}/{len(complaints)} {outcome}" + (f"; first failure: {bad[0]}" if bad else "")
    return Result(len(complaints), told, bool(complaints) and not bad, lacks)


def fork(work: Callable[[], object], log: Path) -> int:
    """Does the work in a new process, whose output goes to `log`; returns its pid."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        work()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def join(pid: int, limit_s: float = 60.0) -> int:
    """The exit code of a forked process, negative for a signal; one that takes too long is killed."""
    deadline = time.monotonic() + limit_s
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def each(trial: Callable[[Any], str | None], cases: Iterable[Any], at_once: int = 2) -> list[str]:
    """The complaint of each trial, '' where it has none; assertions that fail are complaints."""
    cases = list(cases)
    with tempfile.TemporaryDirectory() as folder:

        def share(first: int) -> None:
            for at in range(first, len(cases), at_once):
                try:
                    complaint = trial(cases[at]) or ""
                except Exception as error:
                    traceback.print_exc()
                    complaint = f"{cases[at]}: {type(error).__name__} {error}"
                Path(folder, f"{at}.json").write_text(json.dumps(complaint[:300]))

        log = Path(os.environ["FAULTS_LOG"])
        for pid in [fork(lambda first=first: share(first), log) for first in range(at_once)]:
            join(pid, 3600)
        told = [Path(folder, f"{at}.json") for at in range(len(cases))]
        return [json.loads(file.read_text()) if file.exists() else "the trial ended itself" for file in told]


def arm(folder: Path, mode: int, nth: int = 0) -> None:
    """Has the shim count this process's operations on the files of a folder, and break the `nth`."""
    ctypes.CDLL(None).faults_arm(f"{folder}/".encode(), mode, ctypes.c_long(nth))


def done() -> int:
    """How many operations the shim has counted since it was armed."""
    return ctypes.CDLL(None).faults_done()


def preload(folder: Path, module: str, arguments: list[str]) -> None:
    """Starts this program again with the shim before all libraries, where there is a C compiler to make it."""
    library = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    once = {
        "LD_PRELOAD": str(library),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.getcwd(),  # recipes that a job starts by file import this studio, installed or not
        "TOKENIZERS_PARALLELISM": "false",
    }
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], os.environ | once | {"FAULTS": str(folder)})
