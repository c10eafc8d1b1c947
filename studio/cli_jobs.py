"""The commands around jobs: run, queue, runs, stop, resume, discard, pack, unpack, logs, clean."""

import dataclasses
import json
import shutil
import sys
import time
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
Wait = Annotated[bool, typer.Option("--wait", help="come back when it has ended")]


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def run(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="the name of a recipe, or its file")],
    num_processes: Annotated[int, typer.Option("--num_processes", min=1, help="how many processes share the job")] = 1,
    hold_queue: Annotated[bool, typer.Option("--hold_queue", help="start nothing more if this run fails")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="show what it prints until it ends")] = False,
    as_json: Json = False,
) -> None:
    """Queue a job; it starts when a device is free and goes on when this terminal closes.

    Takes the recipe's flags as well: `python recipes/NAME.py --help` lists them.
    """
    from studio.jobs.start import queue_run

    folder = queue_run(_root(), recipe, context.args, num_processes, hold_queue)
    _tell(folder, {}, f"queued  {folder}", as_json)
    if follow:
        _follow(folder)


@queue_app.callback()
def queue(context: typer.Context, as_json: Json = False) -> None:
    """List what waits and what runs, in order."""
    if context.invoked_subcommand:
        return
    from studio.jobs.queue import Queue

    running, waiting = (Queue(_root()).jobs(state) for state in ("running", "queued"))
    rows = [
        {"place": place or None, "run": Path(job.folder).name, "state": job.state, "device": job.device}
        for place, job in [*((0, job) for job in running), *enumerate(waiting, start=1)]
    ]
    _show(rows, "nothing is queued: `python -m studio run RECIPE` queues a job", as_json)


@queue_app.command()
def move(name: RunName, place: Annotated[int, typer.Argument(min=1, help="1 is the next to start")]) -> None:
    """Put a waiting run at another place."""
    from studio.jobs.queue import Queue

    Queue(_root()).move(_folder(name), place)
    print(f"{_folder(name).name} has place {place} among those that wait")


@queue_app.command()
def cancel(name: RunName) -> None:
    """Take a waiting run out of the queue; its folder stays."""
    from studio.jobs.queue import Queue

    Queue(_root()).cancel(_folder(name))
    print(f"{_folder(name).name} will not start; its folder stays (`discard` removes it)")


@queue_app.command()
def restore() -> None:
    """Put back the runs that wait according to their folders, when the database was lost."""
    from studio.jobs import engine
    from studio.jobs.queue import Queue

    for folder in Queue(_root()).restore():
        print(f"queued  {folder}")
    engine.ensure(_root())


@app.command()
def runs(as_json: Json = False) -> None:
    """List the runs of the run root with their true state, progress and best score."""
    from studio.jobs.listing import Listing

    rows = Listing(_root()).rows()
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
    follow: Annotated[bool, typer.Option("--follow", help="show what it prints until it ends")] = False,
    as_json: Json = False,
) -> None:
    """Queue a run that was stopped, has failed or was killed; it goes on from its last good checkpoint.

    Where its data has moved, say so: --dataset_name FOLDER.
    """
    from studio.jobs import start

    folder = _folder(name)
    start.resume(_root(), folder, context.args)
    _tell(folder, {}, f"queued  {folder}", as_json)
    if follow:
        _follow(folder)


@app.command()
def discard(
    name: RunName, yes: Annotated[bool, typer.Option("--yes", help="do not ask whether it is meant")] = False
) -> None:
    """End a run if it runs, and remove its folder."""
    from studio.jobs import control

    folder = _folder(name)
    if not yes and not typer.confirm(f"remove {folder} with all it holds?"):
        return
    control.discard(folder)
    print(f"removed {folder}")


@app.command()
def pack(name: RunName, file: Annotated[Path, typer.Argument(help="the archive to write, such as run.tar")]) -> None:
    """Put a run that has ended into one file, to go on with it on another machine."""
    import tarfile

    from studio.jobs.standing import standing

    folder = _folder(name)
    if standing(folder).going:
        raise RequestError(f"{folder.name} is running: stop it first (`python -m studio stop {folder.name}`)")
    if file.exists():
        raise RequestError(f"{file} exists: name another file")
    with tarfile.open(file, "x") as archive:
        archive.add(folder, folder.name, filter=lambda entry: None if entry.name.endswith("lock") else entry)
    print(f"packed  {file} ({_size(file.stat().st_size)})")


@app.command()
def unpack(file: Annotated[Path, typer.Argument(help="an archive that pack has written")]) -> None:
    """Take a packed run into the run root."""
    import tarfile

    root = _root()
    try:
        with tarfile.open(file) as archive:
            names = archive.getnames()
            top = names[0].split("/")[0] if names else ""
            if f"{top}/run.json" not in names:
                raise RequestError(f"{file} holds no packed run")
            if (root / top).exists():
                raise RequestError(f"{root / top} exists: remove or rename it first")
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            archive.extractall(root, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise RequestError(f"{file} cannot be unpacked: {error}") from error
    print(f"unpacked {root / top}")


@app.command()
def logs(name: RunName, follow: Annotated[bool, typer.Option("--follow", "-f")] = False) -> None:
    """Print what a run has printed."""
    folder = _folder(name)
    if follow:
        _follow(folder)
    elif (folder / "train.log").exists():
        print((folder / "train.log").read_text(errors="replace"), end="")
    else:
        print(f"{folder.name} has printed nothing yet", file=sys.stderr)


@app.command()
def clean(
    checkpoints: Annotated[bool, typer.Option("--checkpoints", help="those of finished runs")] = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="runs that failed or were cancelled and have nothing to go on from")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask whether it is meant")] = False,
    as_json: Json = False,
) -> None:
    """Show what takes the disk, and remove what is asked for."""
    from studio.jobs.listing import run_folders
    from studio.jobs.standing import standing
    from studio.runs import size_bytes

    targets: list[Path] = []
    rows = []
    for folder in run_folders(_root()):
        state = standing(folder).state
        sizes = {name: size_bytes(folder / name) for name in ("checkpoints", "model", "report")}
        rows.append({"run": folder.name, "state": state, **sizes, "all": size_bytes(folder)})
        if failed and state in ("failed", "cancelled") and not sizes["checkpoints"]:
            targets.append(folder)
        elif checkpoints and state == "finished":
            targets += [folder / "checkpoints"] if sizes["checkpoints"] else []
    _show(rows, f"no runs in {_root()}", as_json)
    freed = sum(map(size_bytes, targets))
    for target in targets:
        print(f"to be removed: {target.relative_to(_root())}", file=sys.stderr)
    if targets and (yes or typer.confirm(f"remove them? ({_size(freed)})", err=True)):
        for target in targets:
            shutil.rmtree(target)
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
    from studio.jobs.standing import standing

    log, offset = folder / "train.log", 0
    while True:
        now = standing(folder)
        if log.exists():
            with log.open("rb") as file:
                file.seek(offset)
                sys.stdout.write(file.read().decode("utf-8", "replace"))
                sys.stdout.flush()
                offset = file.tell()
        if not now.going and now.state != "queued":
            break
        time.sleep(0.3)
    if now.state not in ("finished", "stopped"):
        raise RunError(f"{folder.name} is {now.state}: {now.reason}")


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
