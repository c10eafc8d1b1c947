"""Putting runs into the queue: new ones by a recipe's flags, former ones by their folders."""

import contextlib
import subprocess
from pathlib import Path

from studio import launch
from studio.errors import RequestError
from studio.jobs import control, engine
from studio.jobs.devices import check_processes
from studio.jobs.queue import Queue
from studio.jobs.standing import standing
from studio.recipe import Recipe
from studio.recipe_files import by_name
from studio.runs import Run


def queue_run(
    root: Path,
    recipe: str,
    argv: list[str],
    processes: int = 1,
    holds_queue: bool = False,
    parent: str | None = None,
) -> Path:
    """Makes the folder of a new run and queues it; returns the folder.

    Raises:
        RequestError: there is no such recipe, its settings cannot be carried out, or the database cannot be opened.
    """
    root = root.resolve()
    found = by_name(recipe)
    check_processes(processes)
    queue = Queue(root)  # before there is a folder that would say it is queued
    engine.ensure(root)  # it comes up while the settings are checked
    folder = found.queue(argv, processes, holds_queue, parent).folder.resolve()
    if folder.parent != root:
        with contextlib.suppress(FileExistsError):
            (root / folder.name).symlink_to(folder)  # so that it is listed, and found by its name
    queue.add(folder)
    engine.ensure(root)  # it may have left again
    return folder


def queue_again(root: Path, folder: Path, argv: list[str]) -> Path:
    """Queues a new run with the recipe, settings and processes of another one, but for what `argv` changes.

    Raises:
        RequestError: as queue_run does.
    """
    run = Run(folder)
    start = run.start()
    flags = ["--config", str(run.config), *argv]
    processes, holds_queue = start.get("processes", 1), start.get("holds_queue", False)
    return queue_run(root, _recipe(run), flags, processes, holds_queue, parent=run.record()["id"])


def rehearsal(recipe: Recipe, argv: list[str], processes: int) -> int:
    """Carries out a trial in the foreground; returns its exit code."""
    return subprocess.call([*launch.command(processes, here=True), str(recipe.path), *argv])


def resume(root: Path, folder: Path, argv: list[str]) -> None:
    """Queues a run that has stopped, failed or been killed; it goes on from its last good checkpoint.

    Raises:
        RequestError: it runs or is finished, or the flags ask for other settings.
    """
    control.settle(folder)
    _check_resumable(folder)
    run = Run(folder)
    by_name(_recipe(run)).check_resume(run, argv)
    check_processes(run.start().get("processes", 1))
    queue = Queue(root)
    run.lock()  # of two that resume it, one does
    try:
        _check_resumable(folder)
        run.forget("exit.json", "supervisor.json", "request.json")  # how the last start ended
        run.set_state("queued")
        queue.add(folder, argv)
    finally:
        run.unlock()
    engine.ensure(root)


def _check_resumable(folder: Path) -> None:
    now = standing(folder)
    if now.state not in ("stopped", "failed", "orphaned", "cancelled"):
        again = f": do it again by `python -m studio again {folder.name}`" if now.state == "finished" else ""
        raise RequestError(f"{folder.name} is {now.state}, and only what has stopped or failed can be resumed{again}")


def _recipe(run: Run) -> str:
    """The recipe of a run: its file where it still lies, else its name."""
    file = run.start().get("recipe")
    return file if file and Path(file).exists() else run.record()["recipe"]
