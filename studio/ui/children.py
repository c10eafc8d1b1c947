"""Commands of `python -m studio` as child processes: a bad file hurts only the child, and nothing loads torch here."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from studio.errors import RequestError, RunError


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
    told = [line for line in done.stderr.splitlines() if line.strip()]
    message = next((line.removeprefix("error: ") for line in reversed(told) if line.startswith("error: ")), "")
    if done.returncode == 2 and message:
        raise RequestError(message)
    raise RunError(message or (told[-1] if told else f"it ended with code {done.returncode}"))
