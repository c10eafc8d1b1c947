"""Putting runs into the queue: new ones by a recipe's flags, former ones by their folders."""

from pathlib import Path

from studio.errors import RequestError
from studio.jobs import control, engine
from studio.jobs.queue import Queue
from studio.jobs.standing import standing
from studio.recipe import by_name
from studio.runs import Run


def queue_run(root: Path, recipe: str, argv: list[str], processes: int = 1, holds_queue: bool = False) -> Path:
    """Makes the folder of a new run and queues it; returns the folder.

    Raises:
        RequestError: there is no such recipe, or its settings cannot be carried out.
    """
    found = by_name(recipe)
    run, arguments = found.queue(argv, processes)
    folder = run.folder.absolute()
    Queue(root).add(folder, found.path, arguments, processes, holds_queue)
    engine.ensure(root)
    return folder


def resume(root: Path, folder: Path, argv: list[str]) -> None:
    """Queues a run that has stopped, failed or been killed; it goes on from its last good checkpoint.

    Raises:
        RequestError: it runs or is finished.
    """
    control.settle(folder)
    now = standing(folder)
    if now.state not in ("stopped", "failed", "orphaned", "cancelled"):
        again = f": run it again by --config {folder / 'config.yaml'}" if now.state == "finished" else ""
        raise RequestError(f"{folder.name} is {now.state}, and only what has stopped or failed can be resumed{again}")
    run = Run(folder)
    record = run.record()
    recipe = by_name(record["start"]["recipe"] if Path(record["start"]["recipe"]).exists() else record["recipe"])
    run.forget("exit.json", "supervisor.json", "request.json")  # how the last start ended
    run.set_state("queued")
    Queue(root).add(folder, recipe.path, [*record["start"]["arguments"], *argv], record["start"]["processes"])
    engine.ensure(root)
