"""How far a long look at rows is: a bar for people, lines of JSON for programs that ask for them."""

import json
import time

from rich.console import Console
from rich.progress import Progress, TaskID

_PAUSE_S = 0.2  # between two lines at least


def progress(lines: bool = False) -> Progress:
    """A bar for people, which programs that read what is printed never see.

    With `lines`, it prints {"doing", "done", "total"} to the standard output instead; "total" is None where it is not
    known.
    """
    if lines:
        return _Lines(disable=True)
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


class _Lines(Progress):
    _last = 0.0

    def add_task(self, description: str, *args, **kwargs) -> TaskID:
        task = super().add_task(description, *args, **kwargs)
        self._tell(task)
        return task

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        super().advance(task_id, advance)
        if time.monotonic() - self._last > _PAUSE_S:
            self._tell(task_id)

    def _tell(self, task_id: TaskID) -> None:
        task = self.tasks[task_id]
        print(json.dumps({"doing": task.description, "done": task.completed, "total": task.total}), flush=True)
        self._last = time.monotonic()
