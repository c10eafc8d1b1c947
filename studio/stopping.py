"""Being asked to stop: by SIGTERM, Ctrl-C or a request in the run folder. Training heeds it between two steps."""

import json
import os
import signal
from pathlib import Path
from typing import Any, Literal

from studio import launch
from studio.runs import write_whole

REQUEST = "request.json"


class Stopped(KeyboardInterrupt):
    """The job ends because it was asked to; `saved` says whether what it had come to is in a checkpoint."""

    def __init__(self, saved: bool = False):
        super().__init__("stopped")
        self.saved = saved


class Signals:
    """Takes SIGTERM and SIGINT: at once where nothing would be lost, else at the next step; the second one at once.

    Args:
        patient: whether a signal waits for the next step; training sets it while it runs.
    """

    def __init__(self):
        self.patient = False
        self.asked = False

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take)

    def _take(self, number: int, frame: Any) -> None:
        if self.asked or not self.patient:
            raise Stopped
        self.asked = True
        if launch.rank() == 0:
            os.write(2, b"\nstopping after this step, to save it; once more stops at once\n")


SIGNALS = Signals()


def ask(folder: Path, action: Literal["stop", "discard", "force"]) -> None:
    """Asks the job that trains in a run folder to stop."""
    write_whole(folder / REQUEST, json.dumps({"action": action}))


def asked(folder: Path) -> str | None:
    """What the job in a run folder is asked for, if anything."""
    try:
        return json.loads((folder / REQUEST).read_text())["action"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return "stop"  # somebody wants something, and stopping loses nothing
