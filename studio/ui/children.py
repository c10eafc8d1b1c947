"""Commands of `python -m studio` as child processes: a bad file hurts only the child, and nothing loads torch here."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio.errors import RequestError, RunError

_PULSE_S = 1.0


def ask(root: Path, *arguments: str, timeout_s: float = 120.0) -> Any:
    """What `python -m studio ARGUMENTS --json` answers.

    Raises:
        RequestError: it refuses the request; the message is its own.
        RunError: it fails or takes too long.
    """
    return _answer(["-m", "studio", *arguments, "--json"], os.environ | {"STUDIO_RUNS": str(root)}, timeout_s)


def rehearse(recipe: Path, flags: list[str], trial: str, timeout_s: float = 900.0) -> dict[str, Any]:
    """The figures of a recipe's `dry_run` or `overfit_batch`, by the module of studio that is called so.

    Raises:
        RequestError: the recipe refuses the settings or the data.
        RunError: a step, the evaluation or the checkpoint fails, or the batch cannot be learnt.
    """
    return _answer([str(recipe), *flags, f"--{trial}", "--json"], dict(os.environ), timeout_s)


class Child:
    """A command with `--progress` under way. It ends when it is closed, whatever it is at."""

    def __init__(self, root: Path, *arguments: str):
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`; a pipe that nobody reads would fill up)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "studio", *arguments, "--progress", "--json"],
            env=os.environ | {"STUDIO_RUNS": str(root), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        self._last = ""

    def steps(self) -> Iterator[dict[str, Any] | None]:
        """How far it is, as studio.data.progress tells it, at least once a second until it ends; None at first."""
        step = None
        while True:
            try:
                line = self._lines.get(timeout=_PULSE_S)
            except queue.Empty:
                yield step
                continue
            if line is None:
                return
            told = json.loads(line)
            if "doing" in told:
                yield (step := told)
            else:
                self._last = line

    def answer(self) -> Any:
        """What it answers, when the steps have ended; also of one that was interrupted, if it has anything to tell.

        Raises:
            RequestError: it refuses the request; the message is its own.
            RunError: it fails, or was interrupted before it found anything.
        """
        code = self._process.wait()
        if self._last:
            return json.loads(self._last)
        self._errors.seek(0)
        raise _failure(code, self._errors.read().decode("utf-8", "replace"))

    def interrupt(self) -> None:
        """Asks it to end with what it has."""
        self._process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """Ends it at once if it has not ended yet."""
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def _read(self) -> None:
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)


def _answer(arguments: list[str], environment: dict[str, str], timeout_s: float) -> Any:
    """The JSON in the last line of what a child prints."""
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=environment | {"NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as late:
        raise RunError(f"no answer after {timeout_s:.0f} s: try less data at once") from late
    if done.returncode == 0:
        return json.loads(done.stdout.strip().splitlines()[-1])
    raise _failure(done.returncode, done.stderr)


def _failure(code: int, errors: str) -> RequestError | RunError:
    """What a child's exit code and its standard error say."""
    told = [line for line in errors.splitlines() if line.strip()]
    message = next((line.removeprefix("error: ") for line in reversed(told) if line.startswith("error: ")), "")
    if code == 2 and message:
        return RequestError(message)
    return RunError(message or (told[-1] if told else f"it ended with code {code}"))
