"""Child processes that never outlive the one that started them, however that one ends."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from typing import IO

from studio.errors import RequestError, RunError

_GRACE_S = 3
_LAST_WORDS_BYTES = 4000


class Tied:
    """A module that runs as a child in a session of its own, and has to call `end_with_parent` first of all.

    It lives as long as its stdin is open, which nobody but this process holds. What it writes to stdout is read
    line by line; its stderr is kept for `fault`.
    """

    def __init__(self, module: str, *arguments: str, **environment: str):
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (it is closed with this object)
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
            env=os.environ | {"NO_COLOR": "1"} | environment,
        )

    @property
    def lines(self) -> IO[bytes]:
        """What it writes to stdout."""
        return self.process.stdout

    def alive(self) -> bool:
        return self.process.poll() is None

    def fault(self) -> RequestError | RunError:
        """Why it ended, once it has: a RequestError where it refused what it was asked, in its own words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_GRACE_S)
        self.end()
        code = self.process.returncode
        size = os.fstat(self._log.fileno()).st_size
        told = os.pread(self._log.fileno(), _LAST_WORDS_BYTES, max(0, size - _LAST_WORDS_BYTES))
        lines = [line.strip() for line in told.decode(errors="replace").splitlines() if line.strip()]
        message = next((line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), "")
        if code == 2 and message:
            return RequestError(message)
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return RunError(message or f"the process of the model was {how}" + "".join(f": {last}" for last in lines[-1:]))

    def end(self) -> None:
        """Ends it, by force if it does not leave at once."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def end_with_parent() -> None:
    """Called by the child: ends this process as soon as the one that started it is gone or lets go of it."""
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)  # nothing here is worth saving, and threads that load weights would keep the process for seconds
