"""Commands of `python -m studio` as child processes: a bad file hurts only the child, and nothing loads torch here."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from studio.errors import RequestError, RunError

_LOOKS_S = 1.0


def ask(root: Path, *arguments: str, timeout_s: float = 120.0) -> Any:
    """What `python -m studio ARGUMENTS --json` answers.

    Raises:
        RequestError: it refuses the request; the message is its own.
        RunError: it fails or takes too long.
    """
    return _answer(["-m", "studio", *arguments, "--json"], os.environ | {"STUDIO_RUNS": str(root)}, timeout_s)


def rehearse(recipe: Path, flags: list[str], timeout_s: float = 900.0) -> dict[str, Any]:
    """The figures of a recipe's `--dry_run`: seconds, bytes and steps, by studio.dry_run.

    Raises:
        RequestError: the recipe refuses the settings or the data.
        RunError: a step, the evaluation or the checkpoint fails.
    """
    return _answer([str(recipe), *flags, "--dry_run", "--json"], dict(os.environ), timeout_s)


def follow(root: Path, *arguments: str) -> Iterator[tuple[str, Any]]:
    """The same of what takes long: the last line it has said so far, each second, and with the last one its answer.

    Who stops listening ends the child, with everything that it has started.

    Raises:
        RequestError: it refuses the request; the message is its own.
        RunError: it fails.
    """
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            [sys.executable, "-m", "studio", *arguments, "--json"],
            env=os.environ | {"STUDIO_RUNS": str(root), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=said,
            start_new_session=True,
        )
        try:
            while child.poll() is None:
                lines = _content(said).splitlines()
                yield lines[-1].strip() if lines else "", None
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(_LOOKS_S)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        yield "", _told(child.returncode, _content(printed), _content(said))


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
    return _told(done.returncode, done.stdout, done.stderr)


def _told(code: int, printed: str, said: str) -> Any:
    """The JSON in the last line of what a child has printed, or the error that it has ended with."""
    if code == 0:
        return json.loads(printed.strip().splitlines()[-1])
    told = [line for line in said.splitlines() if line.strip()]
    message = next((line.removeprefix("error: ") for line in reversed(told) if line.startswith("error: ")), "")
    if code == 2 and message:
        raise RequestError(message)
    raise RunError(message or (told[-1] if told else f"it ended with code {code}"))


def _content(file: IO[bytes]) -> str:
    """What a child has written so far; its place in the file, which it shares, stays where it is."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")
