"""The queue of runs: add, look at, put in another order, cancel. The engine takes from it.

How a run stands is asked of its folder; the database knows the order and what was started on which device.
"""

from pathlib import Path

from sqlalchemy import delete, func, select, update

from studio.errors import RequestError
from studio.jobs.standing import standing
from studio.runs import Run
from studio.store import Database, Job


class Queue:
    """The queue of one run root. A database that is new is filled with what the folders say is queued.

    Raises:
        RequestError: the database cannot be opened.
    """

    def __init__(self, root: Path):
        self.root = root.resolve()
        self._database = Database(self.root)
        self._own = Job.root == self._database.root
        if self._database.is_new:
            self.restore()

    def add(self, folder: Path, flags: list[str] | None = None, cwd: Path | None = None) -> None:
        """Puts a run whose folder says that it is queued at the end.

        Args:
            flags: what is said besides what the run was first started with.
            cwd: where it is to run; this process's working directory when not given.
        """
        name = self._name(folder)
        with self._database.writing() as session:
            last = session.scalar(select(func.max(Job.position)).where(self._own)) or 0.0
            session.execute(delete(Job).where(self._own, Job.folder == name))
            place = {"root": self._database.root, "folder": name, "position": last + 1}
            session.add(Job(**place, flags=flags or [], cwd=str(cwd or Path.cwd())))

    def jobs(self) -> list[Job]:
        """What waits or was started and not dropped yet, in the order of the queue."""
        with self._database.reading() as session:
            return list(session.scalars(select(Job).where(self._own).order_by(Job.position)))

    def folder(self, job: Job) -> Path:
        """The run folder of a job."""
        return self.root / job.folder

    def waiting(self) -> list[Job]:
        """Those that are to start, in order."""
        return [j for j in self.jobs() if j.started is None and standing(self.folder(j)).state == "queued"]

    def holder(self) -> Job | None:
        """The run that has failed and after which nothing is to start, if there is one."""
        return next((job for job in self.jobs() if self.holds(job)), None)

    def holds(self, job: Job) -> bool:
        """Whether a job was started by a person who wants nothing else to start when it fails, and has failed."""
        folder = self.folder(job)
        return bool(job.started and standing(folder).state == "failed" and Run(folder).start().get("holds_queue"))

    def may_start(self) -> bool:
        """Whether something waits and nothing holds it."""
        return bool(self.waiting()) and not self.holder()

    def release(self) -> list[Path]:
        """Lets the queue go on after failed runs that hold it; returns those."""
        holders = [job for job in self.jobs() if self.holds(job)]
        for job in holders:
            self.drop(job)
        return [self.folder(job) for job in holders]

    def move(self, folder: Path, place: int) -> None:
        """Puts a waiting run at a place in the queue, counted from 1.

        Raises:
            RequestError: the run does not wait in the queue.
        """
        with self._database.writing() as session:
            query = select(Job).where(self._own, Job.started.is_(None)).order_by(Job.position)
            waiting = [job for job in session.scalars(query) if standing(self.folder(job)).state == "queued"]
            job = next((job for job in waiting if job.folder == self._name(folder)), None)
            if job is None:
                raise _does_not_wait(folder)
            positions = [one.position for one in waiting]
            waiting.remove(job)
            waiting.insert(max(0, place - 1), job)
            for one, position in zip(waiting, positions, strict=True):
                one.position = position

    def cancel(self, folder: Path) -> None:
        """Takes a run that has not begun out of the queue, also one that the engine is just starting.

        Raises:
            RequestError: the run does not wait in the queue.
        """
        with self._database.writing() as session:  # the engine starts nothing meanwhile
            if standing(folder).state != "queued":
                raise _does_not_wait(folder)
            Run(folder).set_state("cancelled", "taken out of the queue")  # first: whoever dies now has cancelled it
            session.execute(delete(Job).where(self._own, Job.folder == self._name(folder)))

    def begin(self, job: Job, device: str, now: float) -> bool:
        """Records that a job is being started on a device; False when it no longer waits."""
        with self._database.writing() as session:
            waits = update(Job).where(Job.id == job.id, Job.started.is_(None))
            return session.execute(waits.values(device=device, started=now)).rowcount == 1

    def put_back(self, job: Job) -> None:
        """Has a job wait again that did not come to be."""
        with self._database.writing() as session:
            session.execute(update(Job).where(Job.id == job.id).values(device=None, started=None))

    def drop(self, job: Job) -> None:
        """Forgets a job; one that was added anew meanwhile has another id and stays."""
        with self._database.writing() as session:
            session.execute(delete(Job).where(Job.id == job.id))

    def restore(self) -> list[Path]:
        """Puts back what the folders say is queued and the database does not know; returns those runs."""
        known = {job.folder for job in self.jobs()}
        lost = []
        for record in sorted(self.root.glob("*/run.json"), key=lambda file: file.stat().st_mtime):
            folder = record.parent.resolve()
            if self._name(folder) not in known and standing(folder).state == "queued":
                self.add(folder, cwd=Path(Run(folder).start().get("cwd", self.root)))
                lost.append(folder)
        return lost

    def _name(self, folder: Path) -> str:
        """A folder as the database knows it: a run root that is moved takes its queue along."""
        folder = folder.resolve()
        return str(folder.relative_to(self.root) if folder.is_relative_to(self.root) else folder)


def _does_not_wait(folder: Path) -> RequestError:
    state = standing(folder).state
    going = state in ("starting", "running", "stopping", "stalled")
    remedy = f"`python -m studio stop {folder.name}` ends it" if going else "`python -m studio queue` lists what does"
    return RequestError(f"{folder.name} is {state} and does not wait in the queue: {remedy}")
