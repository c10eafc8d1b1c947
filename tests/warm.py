"""Runs programs in forks of one process that has imported torch already: each starts in 0.1 s instead of 6.

What a program may not find loaded (`import` times, who needs torch), or reads while it is being imported (the Hub's
address), needs an interpreter of its own.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import subprocess
import sys
import traceback
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parent.parent
HEAVY = ("studio.training.trainer", "studio.evaluation.report", "studio.data.load", "studio.models.build")
HEAVY += ("studio.export.finish", "studio.predictor", "studio.cli_jobs", "studio.jobs.start", "studio.dry_run")
HEAVY += ("studio.evaluation.plots",)


class Warm:
    """The process that forks, as its user holds it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, arguments: list[str], env: dict[str, str], out: IO, err: IO, cwd: Path, timeout: float) -> int:
        """The exit code of `python ARGUMENTS`, negative for a signal.

        Raises:
            subprocess.TimeoutExpired: it took too long, and was killed.
        """
        wish = {"arguments": arguments, "env": env, "out": out.name, "err": err.name, "cwd": str(cwd)}
        self.process.stdin.write(json.dumps(wish | {"timeout": timeout}) + "\n")
        self.process.stdin.flush()
        code = json.loads(self.process.stdout.readline())
        if code is None:
            raise subprocess.TimeoutExpired(arguments, timeout)
        return code

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def main() -> None:
    for name in HEAVY:
        importlib.import_module(name)
    gc.freeze()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        wish = json.loads(line)
        pid = os.fork()
        if pid == 0:
            answers.close()
            code = become(**wish)
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # tidying up all that was loaded would take longer than most programs
        answers.write(json.dumps(ended(pid, wish["timeout"])) + "\n")
        answers.flush()


def ended(pid: int, timeout: float) -> int | None:
    import psutil

    child = psutil.Process(pid)
    try:
        return child.wait(timeout)
    except psutil.TimeoutExpired:
        child.kill()
        child.wait()
        return None


def become(arguments: list[str], env: dict[str, str], out: str, err: str, cwd: str, timeout: float) -> int:
    """Turns this process into `python ARGUMENTS`; returns its exit code."""
    os.setsid()
    for number, (file, flags) in enumerate([(os.devnull, os.O_RDONLY), (out, os.O_WRONLY), (err, os.O_WRONLY)]):
        os.dup2(os.open(file, flags), number)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(os.dup(n), "wr"[n == 0], buffering=1) for n in range(3))
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    try:
        if arguments[0] == "-m":
            sys.argv, sys.path[0] = arguments[1:], cwd
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv, sys.path[0] = arguments, str(Path(arguments[0]).absolute().parent)
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main()
