"""Starts queued runs one after the other on the devices there are: a detached process of its own, one per run root.

    python -m studio.jobs.engine ROOT

It is started on demand and leaves when nothing is left to do. What it knows it reads from the queue and the run
folders, so that another one goes on where it was killed. Jobs run in its environment, which is that of the terminal
it was started from, each in the folder it was queued in.
"""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any, TextIO

import psutil
from sqlalchemy.exc import SQLAlchemyError

from studio import launch, processes
from studio.errors import RequestError, redacted
from studio.jobs import devices
from studio.jobs.queue import Queue
from studio.jobs.standing import GOING, standing
from studio.jobs.supervise import SUPERVISOR
from studio.recipe_files import file_of
from studio.runs import Run
from studio.store import Job

LOG = "engine.log"
_LOCK = "engine.lock"
_LOOKS_S = 0.3  # between two looks at the queue
_LEAVES_S = 5  # after so long with nothing to do
_BEGINS_S = 20  # a job of another engine of which nothing has been seen after so long was never started
_STARTS = 3  # how often a job is started whose supervisor does not come to be
_TROUBLE_S = 5  # between two looks when the database does not answer
_OF_A_JOB = ("STUDIO_SUPERVISED", "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class Engine:
    """The engine of one run root."""

    def __init__(self, root: Path):
        self.root = root
        self.queue = Queue(root)
        self._started: dict[int, subprocess.Popen] = {}
        self._starts: dict[int, int] = {}  # how often each job was started
        self._told: dict[object, str] = {}  # what stands in the log already

    def serve(self) -> None:
        """Starts what is queued until nothing is queued or running any more."""
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < _LEAVES_S and (self.root / _LOCK).exists():
            try:
                if self.look():
                    idle_since = time.monotonic()
            except (SQLAlchemyError, RequestError, OSError) as error:  # such as a full disk: the queue waits for better
                self._tell(self, error)
                idle_since = time.monotonic()
                time.sleep(_TROUBLE_S)
            time.sleep(_LOOKS_S)

    def look(self) -> bool:
        """One round: notices what has ended, starts what there is a device for; whether anything waits or runs."""
        found = devices.devices()
        jobs = self.queue.jobs()
        taken: set[str] = set()
        waiting: list[Job] = []
        for job in jobs:
            try:
                if job.started and self._runs(job):
                    taken |= set((job.device or "").split(","))
                elif not job.started and self._waits(job):
                    waiting.append(job)
            except (OSError, ValueError, KeyError, TypeError) as error:  # it stops no other
                self._tell(job.id, error)
        if waiting and self.queue.holder():
            waiting = []
        busy = bool(taken or waiting)
        if waiting and len(taken) < len(found):
            taken |= self._taken_by_hand(found, {self.queue.folder(job) for job in jobs if job.started})
        free = [device for device in found if device.name not in taken]
        for job in waiting:
            try:
                wanted = max(1, min(Run(self.queue.folder(job)).start().get("processes", 1), len(found)))
                if len(free) < wanted:
                    break  # the order is kept: nothing smaller overtakes
                if self._start(job, free[:wanted]):
                    free = free[wanted:]
            except OSError as error:  # it is tried again
                self._tell(job.id, error)
            except (ValueError, KeyError, TypeError) as error:
                self._tell(job.id, error)
                self._give_up(job, str(error))
        return busy

    def _waits(self, job: Job) -> bool:
        folder = self.queue.folder(job)
        state = standing(folder).state
        if state not in ("queued", "broken") or not folder.exists():
            self.queue.drop(job)  # cancelled, or started by a person meanwhile
        return state == "queued"

    def _runs(self, job: Job) -> bool:
        """Whether a job that was started has its device still; it is forgotten, or waits again, when it has not."""
        folder = self.queue.folder(job)
        now = standing(folder)
        if now.going or _supervised(folder):  # a finished one may still be publishing its model
            return True
        if now.state == "queued":
            process = self._started.get(job.id)
            begins = process.poll() is None if process else time.time() - job.started < _BEGINS_S
            if begins:
                return True
            if self._starts.get(job.id, 0) >= _STARTS:
                self._give_up(job, f"it could not be started in {_STARTS} attempts: {self._last_words()}")
            else:
                self.queue.put_back(job)
            return False
        if process := self._started.pop(job.id, None):
            process.poll()
        if not self.queue.holds(job):
            self.queue.drop(job)
        return False

    def _taken_by_hand(self, among: list[devices.Device], known: set[Path]) -> set[str]:
        """The devices of jobs below the run root that this queue has not started."""
        taken: set[str] = set()
        for file in self.root.glob("*/status.json"):
            status = Run(file.parent).status()
            if status["state"] not in GOING or file.parent.resolve() in known:
                continue
            with contextlib.suppress(psutil.Error, KeyError, TypeError, OverflowError, OSError):
                if processes.alive(status):
                    taken |= devices.in_use(psutil.Process(status["pid"]).environ(), among)
        return taken

    def _start(self, job: Job, on: list[devices.Device]) -> bool:
        folder = self.queue.folder(job)
        command = start_command(folder, job)
        if not self.queue.begin(job, ",".join(device.name for device in on), time.time()):
            return False  # cancelled since it was looked at
        if standing(folder).state != "queued":
            self.queue.drop(job)
            return False
        self._starts[job.id] = self._starts.get(job.id, 0) + 1
        with _log(self.root) as log:
            self._started[job.id] = subprocess.Popen(
                [sys.executable, "-m", "studio.jobs.supervise", str(folder), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=job.cwd if Path(job.cwd).is_dir() else self.root,
                env=os.environ | devices.environment(on),
            )
        return True

    def _give_up(self, job: Job, reason: str) -> None:
        with contextlib.suppress(OSError):
            if standing(self.queue.folder(job)).state == "queued":
                Run(self.queue.folder(job)).set_state("failed", reason)
        if not self.queue.holds(job):
            self.queue.drop(job)

    def _last_words(self) -> str:
        lines = (self.root / LOG).read_text(errors="replace").strip().splitlines()
        return f"{lines[-1] if lines else 'it said nothing'} ({self.root / LOG})"

    def _tell(self, of: object, error: Exception) -> None:
        """Writes to the log what went wrong, once for each time that something else does."""
        if self._told.get(of) != repr(error):
            self._told[of] = repr(error)
            with _log(self.root) as log:
                log.write(redacted("".join(traceback.format_exception(error))))


def start_command(folder: Path, job: Job) -> list[str]:
    """What carries a queued run out: the recipe it was started with, told to go on with the folder.

    Raises:
        RequestError: there is no such recipe.
    """
    run = Run(folder)
    start = run.start()
    recipe = file_of(start.get("recipe") or run.record()["recipe"], Path(job.cwd))
    goes_on = [str(recipe), "--output_dir", str(folder), "--resume_from_checkpoint"]
    command = launch.command(start.get("processes", 1), here=True)
    return [*command, *goes_on, *start.get("arguments", []), *job.flags]


def take_lock(root: Path, *, to_look: bool = False) -> TextIO | None:
    """The lock of the engine of a run root, held as long as the file is open; None while another process holds it.

    Those that only look do not stand in each other's way.

    Raises:
        RequestError: the file system has no locks.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.fdopen(os.open(root / _LOCK, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    try:
        fcntl.flock(lock, (fcntl.LOCK_SH if to_look else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    except OSError as error:
        lock.close()
        raise RequestError(
            f"{root / _LOCK} cannot be locked ({error.strerror}): keep runs on a disk that has locks (STUDIO_RUNS)"
        ) from error
    return lock


def owner(root: Path) -> int | None:
    """The pid of the engine that serves a run root, if one does."""
    lock = take_lock(root, to_look=True)
    if lock:
        lock.close()
        return None
    return int((root / _LOCK).read_text().strip() or 0) or None


def ensure(root: Path) -> None:
    """Starts the engine of a run root unless it runs; it outlives the process that started it."""
    if owner(root):
        return
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in (*_OF_A_JOB, processes.MARK) and not name.startswith(("ACCELERATE_", "TORCHELASTIC_"))
    }
    with _log(root) as log:
        subprocess.Popen(
            [sys.executable, "-m", "studio.jobs.engine", str(root)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=inherited,
        )


def wake(root: Path) -> None:
    """Starts the engine of a run root if something waits for it, as after it was killed."""
    if not owner(root) and Queue(root).may_start():
        ensure(root)


def main(root: Path) -> None:
    os.umask(0o077)
    engine = Engine(root)
    while lock := _take_lock_patiently(root):  # None when somebody else was faster
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        engine.serve()
        lock.close()
        if (
            not engine.queue.may_start()
        ):  # looked at without the lock: who queues from now on finds no engine and starts one
            return


def _take_lock_patiently(root: Path) -> TextIO | None:
    """The lock, also when somebody just looks at it."""
    for _ in range(5):
        if lock := take_lock(root):
            return lock
        time.sleep(0.05)
    return None


def _supervised(folder: Path) -> bool:
    try:
        return bool(processes.alive(json.loads((folder / SUPERVISOR).read_text())))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _log(root: Path) -> Any:
    return os.fdopen(os.open(root / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
