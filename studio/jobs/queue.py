"""The queue of runs: add, look at, put in another order, cancel. The engine takes from it."""

from pathlib import Path

from sqlalchemy import func, select

from studio import store
from studio.errors import RequestError
from studio.jobs.standing import standing
from studio.runs import Run
from studio.store import Job


class Queue:
    """The queue of one run root."""

    def __init__(self, root: Path):
        self.root = root
        self._session = store.connect(root)

    def add(
        self, folder: Path, recipe: Path, arguments: list[str], processes: int = 1, holds_queue: bool = False
    ) -> Job:
        """Puts a run that was created as queued (or is to be resumed) at the end."""
        with self._session.begin() as session:
            last = session.scalar(select(func.max(Job.position))) or 0.0
            job = session.scalar(select(Job).where(Job.folder == str(folder))) or Job(folder=str(folder))
            job.recipe, job.arguments, job.processes = str(recipe), arguments, processes
            job.position, job.state, job.holds_queue = last + 1, "queued", holds_queue
            job.device = job.started = None
            session.add(job)
        return job

    def jobs(self, *states: str) -> list[Job]:
        """The jobs in these states in the order of the queue."""
        with self._session() as session:
            return list(session.scalars(select(Job).where(Job.state.in_(states)).order_by(Job.position)))

    def move(self, folder: Path, place: int) -> None:
        """Puts a waiting run at a place in the queue, counted from 1.

        Raises:
            RequestError: the run does not wait in the queue.
        """
        with self._session.begin() as session:
            waiting = list(session.scalars(select(Job).where(Job.state == "queued").order_by(Job.position)))
            job = _of(waiting, folder)
            waiting.remove(job)
            waiting.insert(max(0, place - 1), job)
            positions = sorted(one.position for one in waiting)
            for one, position in zip(waiting, positions, strict=True):
                one.position = position

    def cancel(self, folder: Path) -> None:
        """Takes a waiting run out of the queue.

        Raises:
            RequestError: the run does not wait in the queue.
        """
        with self._session.begin() as session:
            job = _of(list(session.scalars(select(Job).where(Job.state == "queued"))), folder)
            job.state = "cancelled"
        Run(folder).set_state("cancelled", "taken out of the queue")

    def mark(self, job: Job, state: str, **changes: str | float | None) -> None:
        """Records what has become of a job."""
        with self._session.begin() as session:
            found = session.get(Job, job.id)
            found.state = state
            for name, value in changes.items():
                setattr(found, name, value)

    def restore(self) -> list[Path]:
        """Puts back what the folders say is queued and the database does not know; returns those runs."""
        known = {job.folder for job in self.jobs("queued", "running")}
        lost = []
        for record in sorted(self.root.glob("*/run.json"), key=lambda file: file.stat().st_mtime):
            folder = record.parent
            if str(folder) not in known and standing(folder).state == "queued":
                start = Run(folder).record()["start"]
                self.add(folder, Path(start["recipe"]), start["arguments"], start["processes"])
                lost.append(folder)
        return lost


def _of(jobs: list[Job], folder: Path) -> Job:
    for job in jobs:
        if job.folder == str(folder):
            return job
    raise RequestError(f"{folder.name} does not wait in the queue (`python -m studio queue` lists what does)")
