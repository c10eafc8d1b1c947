"""Being asked to stop: by a signal or a request in the run folder. Training heeds it between two steps."""

import contextlib
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
    """Takes SIGTERM, SIGHUP and SIGINT: at once where nothing would be lost, else at the next step.

    Only a second Ctrl-C is meant as haste. Service managers, schedulers and launchers send SIGTERM to all processes,
    and the launcher once more to its ranks; SIGHUP says that the terminal was closed.

    Args:
        patient: whether a signal waits for the next step; training sets it while it runs.
        deaf: whether signals are passed over, because what the job has to say at its end is being written.
    """

    def __init__(self):
        self.patient = self.asked = self.deaf = False

    def listen(self) -> None:
        """Takes signals from now on, as if none had come before."""
        self.patient = self.asked = self.deaf = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # which is what nohup sets
                signal.signal(number, self._take)

    def _take(self, number: int, frame: Any) -> None:
        if self.deaf:
            return
        hasty = self.asked and number == signal.SIGINT
        if hasty or not self.patient:
            self.deaf = True
            raise Stopped
        if not self.asked and launch.rank() == 0:
            with contextlib.suppress(OSError):  # the terminal is gone
                os.write(2, b"\nstopping after this step, to save it; Ctrl-C once more stops at once\n")
        self.asked = True


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
    except (OSError, ValueError, KeyError, TypeError):
        return "stop"  # somebody wants something, and stopping loses nothing
