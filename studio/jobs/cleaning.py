"""What runs take of the disk, and removing what is asked for."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from studio.errors import RequestError
from studio.jobs.standing import standing
from studio.runs import Run, size_bytes

PARTS = ("checkpoints", "model", "report")


@dataclass(frozen=True)
class Use:
    """What one run takes, in bytes: of its parts by name, and in all."""

    folder: Path
    state: str
    parts: dict[str, int]
    all: int

    def removable(self, checkpoints: bool, failed: bool, stopped: bool, named: bool) -> Path | None:
        """What of it may go: the folder, its checkpoints, or nothing.

        Args:
            checkpoints: those of a finished run; of a run that is `named` also when it could go on from them.
            failed: a run that failed or was cancelled and has nothing to go on from.
            stopped: a run that was stopped or lost its process, with what it could go on from.
        """
        if failed and self.state in ("failed", "cancelled") and not self.parts["checkpoints"]:
            return self.folder
        if stopped and self.state in ("stopped", "orphaned"):
            return self.folder
        may_go = self.state == "finished" or (named and self.state in ("failed", "cancelled", "stopped", "orphaned"))
        return self.folder / "checkpoints" if checkpoints and may_go and self.parts["checkpoints"] else None


def use(folder: Path) -> Use:
    """What a run takes now."""
    parts = {name: size_bytes(folder / name) for name in PARTS}
    return Use(folder, standing(folder).state, parts, size_bytes(folder))


def remove(before: Use, target: Path) -> str | None:
    """Removes a run folder or a part of it, unless the run has gone on since it was looked at; then says so."""
    run = Run(before.folder)
    try:
        run.lock()  # nobody goes on with it meanwhile
    except RequestError as error:
        return str(error)
    try:
        now = standing(before.folder).state
        if now != before.state:
            return f"{before.folder.name} is {now} by now, and was kept"
        shutil.rmtree(target)
    finally:
        run.unlock()
    return None
