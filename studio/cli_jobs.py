"""The commands around jobs: run, again, queue, runs, stop, resume, discard, pack, unpack, logs, clean."""

import contextlib
import dataclasses
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from studio.errors import RequestError, RunError

app = typer.Typer()
queue_app = typer.Typer(invoke_without_command=True, help="List the queue, or put it in order.")
app.add_typer(queue_app, name="queue")

RunName = Annotated[str, typer.Argument(help="a run: its folder, or its name below the run root")]
Json = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
Follow = Annotated[bool, typer.Option("--follow", help="show what it prints until it ends")]
Wait = Annotated[bool, typer.Option("--wait", help="come back when it has ended")]


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def run(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="the name of a recipe, or its file")],
    num_processes: Annotated[int, typer.Option("--num_processes", min=1, help="how many processes share the job")] = 1,
    hold_queue: Annotated[bool, typer.Option("--hold_queue", help="start nothing more if this run fails")] = False,
    follow: Follow = False,
    as_json: Json = False,
) -> None:
    """Queue a job; it starts when a device is free and goes on when this terminal closes.

    Takes the recipe's flags as well: `python recipes/NAME.py --help` lists them. With --dry_run
    or --overfit_batch the trial is made here and now.
    """
    from studio.jobs import start
    from studio.recipe_files import by_name

    if (found := by_name(recipe)).parse(context.args)["output"].rehearsal:
        sys.exit(start.rehearsal(found, context.args, num_processes))
    _tell_queued(start.queue_run(_root(), recipe, context.args, num_processes, hold_queue), follow, as_json)


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def again(context: typer.Context, name: RunName, follow: Follow = False, as_json: Json = False) -> None:
    """Queue a new run with the recipe and settings of a former one, but for the flags that are given.

    Where it is kept and published is said anew.
    """
    from studio.jobs import start

    _tell_queued(start.queue_again(_root(), _folder(name), context.args), follow, as_json)


@queue_app.callback()
def queue(context: typer.Context, as_json: Json = False) -> None:
    """List what runs, what waits, in order, and what keeps it waiting."""
    if context.invoked_subcommand:
        return
    from studio.jobs import engine
    from studio.jobs.queue import Queue
    from studio.jobs.standing import standing

    waiting = Queue(_root())
    rows, place = [], 0
    for job in waiting.jobs():
        now, holds = standing(waiting.folder(job)), waiting.holds(job)
        waits = now.state == "queued" and not job.started
        place += waits
        if waits or holds or (job.started and (now.going or now.state == "queued")):
            row = {"place": place if waits else None, "run": waiting.folder(job).name, "state": now.state}
            rows.append(row | {"device": job.device, "holds": holds or None})
    rows.sort(key=lambda row: row["place"] or 0)
    _show(rows, "nothing is queued: `python -m studio run RECIPE` queues a job", as_json)
    _tell_holder()
    engine.wake(_root())


@queue_app.command()
def move(
    name: RunName, place: Annotated[int, typer.Argument(min=1, help="1 is the next to start")], as_json: Json = False
) -> None:
    """Put a waiting run at another place."""
    from studio.jobs.queue import Queue

    folder = _folder(name)
    Queue(_root()).move(folder, place)
    _tell(folder, {"place": place}, f"{folder.name} has place {place} among those that wait", as_json)


@queue_app.command()
def cancel(name: RunName, as_json: Json = False) -> None:
    """Take a waiting run out of the queue; its folder stays."""
    from studio.jobs.queue import Queue

    folder = _folder(name)
    Queue(_root()).cancel(folder)
    told = f"{folder.name} will not start; its folder stays (`discard` removes it)"
    _tell(folder, {"state": "cancelled"}, told, as_json)


@queue_app.command()
def release(as_json: Json = False) -> None:
    """Let the queue go on after a failed run that holds it (--hold_queue)."""
    from studio.jobs import engine
    from studio.jobs.queue import Queue

    rows = [{"run": folder.name} for folder in Queue(_root()).release()]
    _show(rows, "no failed run holds the queue", as_json)
    engine.wake(_root())


@queue_app.command()
def restore(as_json: Json = False) -> None:
    """Put back the runs that wait according to their folders, when the database was lost or damaged."""
    from studio.jobs import engine
    from studio.jobs.queue import Queue
    from studio.store import set_aside

    if aside := set_aside(_root()):
        print(f"the damaged database is {aside} now", file=sys.stderr)
    found = Queue(_root())
    found.restore()
    rows = [{"run": found.folder(job).name} for job in found.waiting()]
    _show(rows, "no run waits according to its folder", as_json)
    engine.ensure(_root())


@app.command()
def runs(as_json: Json = False) -> None:
    """List the runs of the run root with their true state, progress and best score."""
    from studio.jobs.listing import Listing

    rows = Listing(_root()).rows()
    if any(row["state"] == "queued" for row in rows):
        from studio.jobs import engine

        engine.wake(_root())
    hidden = () if as_json else ("folder", "recipe", "task", "created", "metric", "losses")
    rows = [{name: value for name, value in row.items() if name not in hidden} for row in rows]
    _show(rows, f"no runs in {_root()}: `python -m studio run RECIPE` starts one", as_json)


@app.command()
def stop(
    name: RunName,
    force: Annotated[bool, typer.Option("--force", help="end it now; what was not saved is lost")] = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Have a run save what it has come to, and stop at its next step."""
    from studio.jobs import control

    folder = _folder(name)
    now = control.force_stop(folder) if force else control.stop(folder, wait_s=600.0 if wait else 0.0)
    told = "asked to stop" if now.going else now.state
    _tell(folder, dataclasses.asdict(now), f"{told}  {folder}", as_json)


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def resume(
    context: typer.Context,
    name: RunName,
    follow: Follow = False,
    as_json: Json = False,
) -> None:
    """Queue a run that was stopped, has failed or was killed; it goes on from its last good checkpoint.

    Where its data has moved, say so: --dataset_name FOLDER.
    """
    from studio.jobs import start

    folder = _folder(name)
    start.resume(_root(), folder, context.args)
    _tell_queued(folder, follow, as_json)


@app.command()
def discard(
    name: RunName,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask whether it is meant")] = False,
    as_json: Json = False,
) -> None:
    """End a run if it runs, and remove its folder."""
    from studio.jobs import control
    from studio.jobs.queue import Queue
    from studio.jobs.standing import standing

    folder = _folder(name)
    if not yes and not typer.confirm(f"remove {folder} with all it holds?", err=True):
        return
    if standing(folder).state == "queued":
        with contextlib.suppress(RequestError):  # it has just begun
            Queue(_root()).cancel(folder)
    control.discard(folder)
    _tell(folder, {"state": "removed"}, f"removed {folder}", as_json)


@app.command()
def pack(
    name: RunName,
    file: Annotated[Path, typer.Argument(help="the archive to write, such as run.tar")],
    as_json: Json = False,
) -> None:
    """Put a run that has ended into one file, to go on with it on another machine."""
    from studio.jobs import packing

    folder = _folder(name)
    packing.pack(folder, file)
    size = file.stat().st_size
    _tell(folder, {"file": str(file), "size_bytes": size}, f"packed  {file} ({_size(size)})", as_json)


@app.command()
def unpack(
    file: Annotated[Path, typer.Argument(help="an archive that pack has written")], as_json: Json = False
) -> None:
    """Take a packed run into the run root; `resume` goes on with it."""
    from studio.jobs import packing

    folder = packing.unpack(_root(), file)
    _tell(folder, {}, f"unpacked {folder}", as_json)


@app.command()
def logs(
    name: RunName,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on until it ends")] = False,
    as_json: Json = False,
) -> None:
    """Print what a run has printed."""
    folder = _folder(name)
    if follow and as_json:
        raise RequestError("--json prints one whole answer, and --follow never knows it whole: leave one of them out")
    if follow:
        _follow(folder)
        return
    log = folder / "train.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    if as_json:
        _tell(folder, {"log": text}, "", as_json)
    elif text:
        print(text, end="")
    else:
        print(f"{folder.name} has printed nothing yet", file=sys.stderr)


@app.command()
def clean(
    names: Annotated[list[str] | None, typer.Argument(help="only these runs; all when none is named")] = None,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="those of finished runs, and of any run that is named")
    ] = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="runs that failed or were cancelled and have nothing to go on from")
    ] = False,
    stopped: Annotated[
        bool, typer.Option("--stopped", help="runs that were stopped or lost their process, with their checkpoints")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask whether it is meant")] = False,
    as_json: Json = False,
) -> None:
    """Show what takes the disk, and remove what is asked for."""
    from studio.jobs import cleaning
    from studio.jobs.listing import run_folders
    from studio.runs import size_bytes

    uses = [cleaning.use(folder) for folder in (map(_folder, names) if names else run_folders(_root()))]
    rows = [{"run": use.folder.name, "state": use.state, **use.parts, "all": use.all} for use in uses]
    _show(rows, f"no runs in {_root()}", as_json)
    targets = [(use, use.removable(checkpoints, failed, stopped, bool(names))) for use in uses]
    targets = [(use, target) for use, target in targets if target]
    for use, target in targets:
        print(f"to be removed: {use.folder.parent.name}/{target.relative_to(use.folder.parent)}", file=sys.stderr)
    sizes = [size_bytes(target) for _, target in targets]
    if not targets or not (yes or typer.confirm(f"remove them? ({_size(sum(sizes))})", err=True)):
        return
    freed = 0
    for (use, target), size in zip(targets, sizes, strict=True):
        if complaint := cleaning.remove(use, target):
            print(complaint, file=sys.stderr)
        else:
            freed += size
    print(f"freed {_size(freed)}", file=sys.stderr)


def _root() -> Path:
    from studio.store import run_root

    return run_root()


def named(name: str) -> Path:
    """A folder as it is given, or the run of that name below the run root."""
    inside = _root() / name
    return inside if not Path(name).exists() and inside.exists() else Path(name)


def _folder(name: str) -> Path:
    """A run by its folder, its name or the beginning of its name."""
    from studio.jobs.listing import run_folder

    return run_folder(_root(), name)


def _follow(folder: Path) -> None:
    """Prints the log as it grows until the run has ended; a failed run becomes an error."""
    from studio.jobs.following import follow
    from studio.jobs.standing import standing

    for text in follow(folder):
        sys.stdout.write(text)
        sys.stdout.flush()
    now = standing(folder)
    if now.state not in ("finished", "stopped"):
        raise RunError(f"{folder.name} is {now.state}: {now.reason}")


def _tell_queued(folder: Path, follow: bool, as_json: bool) -> None:
    _tell(folder, {}, f"queued  {folder}", as_json)
    _tell_holder()
    if follow:
        _follow(folder)


def _tell_holder() -> None:
    """Names the run because of which nothing starts, if there is one."""
    from studio.jobs.queue import Queue

    found = Queue(_root())
    if holder := found.holder():
        told = f"nothing starts, since {found.folder(holder).name} has failed and holds the queue: "
        print(f"{told}`python -m studio queue release` lets it go on", file=sys.stderr)


def _tell(folder: Path, for_programs: dict[str, Any], for_people: str, as_json: bool) -> None:
    print(json.dumps({"run": str(folder), **for_programs}) if as_json else for_people)


def _show(rows: list[dict[str, Any]], when_none: str, as_json: bool) -> None:
    """Rows as JSON, or as a table without the columns that are empty in all of them."""
    if as_json:
        print(json.dumps(rows))
    elif not rows:
        print(when_none)
    else:
        names = [name for name in rows[0] if any(row[name] is not None for row in rows)]
        table = Table()
        for name in names:
            table.add_column(
                name.removesuffix("_s").replace("_", " "), no_wrap=name != "reason", min_width=20 * (name == "reason")
            )
        for row in rows:
            table.add_row(*(_told(name, row[name]) for name in names))
        Console(width=None if sys.stdout.isatty() else 200).print(table)


def _told(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name.endswith("_s"):
        return str(timedelta(seconds=round(value)))
    if name in ("checkpoints", "model", "report", "all"):
        return _size(value)
    return escape(str(value))


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
