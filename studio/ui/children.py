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
    try:
        done = subprocess.run(
            [sys.executable, "-m", "studio", *arguments, "--json"],
            env=os.environ | {"STUDIO_RUNS": str(root), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as late:
        raise RunError(f"no answer after {timeout_s:.0f} s: try less data at once") from late
    if done.returncode == 0:
        return json.loads(done.stdout)
    told = [line for line in done.stderr.splitlines() if line.strip()]
    message = next((line.removeprefix("error: ") for line in reversed(told) if line.startswith("error: ")), "")
    if done.returncode == 2 and message:
        raise RequestError(message)
    raise RunError(message or (told[-1] if told else f"it ended with code {done.returncode}"))
