"""Starts queued runs one after the other on the devices there are: a detached process of its own, one per run root.

    python -m studio.jobs.engine ROOT

It is started on demand and leaves when nothing is left to do. What it knows it reads from the queue and the run
folders, so that another one goes on where it was killed.
"""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

from studio.jobs.devices import devices
from studio.jobs.queue import Queue
from studio.jobs.standing import standing
from studio.store import Job

_LOCK = "engine.lock"
_LOOKS_S = 0.3  # between two looks at the queue
_LEAVES_S = 5  # after so long with nothing to do
_BEGINS_S = 20  # a job of which nothing has been seen after so long was never started


class Engine:
    """The engine of one run root."""

    def __init__(self, root: Path):
        self.root = root
        self.queue = Queue(root)

    def serve(self) -> None:
        """Starts what is queued until nothing is queued or running any more."""
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < _LEAVES_S:
            if self.look():
                idle_since = time.monotonic()
            time.sleep(_LOOKS_S)

    def look(self) -> bool:
        """One round: notices what has ended, starts what there is a device for; whether anything waits or runs."""
        running = [job for job in self.queue.jobs("running") if self._still_runs(job)]
        taken = {name for job in running for name in (job.device or "").split(",")}
        free = [device for device in devices() if device.name not in taken]
        waiting = self.queue.jobs("queued")
        for job in waiting:
            wanted = max(1, min(job.processes, len(devices())))
            if self._held() or len(free) < wanted:
                break  # the order is kept: nothing smaller overtakes
            self._start(job, free[:wanted])
            free = free[wanted:]
        return bool(running) or self.has_work()

    def has_work(self) -> bool:
        """Whether something waits that may start."""
        return bool(self.queue.jobs("queued")) and not self._held()

    def _still_runs(self, job: Job) -> bool:
        now = standing(Path(job.folder))
        if now.going:
            return True
        if now.state == "queued":  # the engine was killed before it could start it, or the supervisor is just starting
            if time.time() - (job.started or 0) < _BEGINS_S:
                return True
            self.queue.mark(job, "queued", device=None)
            return False
        self.queue.mark(job, "done", device=None)
        return False

    def _held(self) -> bool:
        """Whether a run has failed after which nothing is to start."""
        return any(job.holds_queue and standing(Path(job.folder)).state == "failed" for job in self.queue.jobs("done"))

    def _start(self, job: Job, on: list) -> None:
        self.queue.mark(job, "running", device=",".join(device.name for device in on), started=time.time())
        environment = dict(os.environ)
        visible = [device.environment()["CUDA_VISIBLE_DEVICES"] for device in on]
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(filter(None, visible))
        folder = Path(job.folder)
        launcher = [sys.executable]
        if job.processes > 1:
            launcher = [str(Path(sys.executable).with_name("accelerate")), "launch"]
            launcher += ["--multi_gpu", "--num_processes", str(job.processes), "--main_process_port", "0"]
        subprocess.Popen(
            [
                *(sys.executable, "-m", "studio.jobs.supervise", str(folder)),
                *(*launcher, job.recipe, "--output_dir", str(folder), "--resume_from_checkpoint", *job.arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,
        )


def take_lock(root: Path) -> TextIO | None:
    """The lock of the engine of a run root, held as long as the file is open; None while another process holds it."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.fdopen(os.open(root / _LOCK, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def owner(root: Path) -> int | None:
    """The pid of the engine that serves a run root, if one does."""
    lock = take_lock(root)
    if lock:
        lock.close()
        return None
    return int((root / _LOCK).read_text().strip() or 0) or None


def ensure(root: Path) -> None:
    """Starts the engine of a run root unless it runs; it outlives the process that started it."""
    if owner(root):
        return
    log = os.open(root / "engine.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    subprocess.Popen(
        [sys.executable, "-m", "studio.jobs.engine", str(root)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    os.close(log)


def main(root: Path) -> None:
    os.umask(0o077)
    engine = Engine(root)
    while lock := take_lock(root):  # None when somebody else was faster
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        engine.serve()
        lock.close()
        if not engine.has_work():  # looked at without the lock: who queues from now on finds no engine and starts one
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
