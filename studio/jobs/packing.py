"""A run as one file, to go on with on another machine. What comes from elsewhere brings no command along."""

import contextlib
import json
import os
import re
import shutil
import tarfile
from pathlib import Path

from studio.errors import RequestError
from studio.jobs.standing import ENDED, standing
from studio.runs import Run, write_whole

_OWN = {"lock", "spare", "supervisor.lock", "supervisor.json", "request.json"}  # of processes that are not packed
_MOST_FILES = 100_000
_MOST_PROCESSES = 64


def pack(folder: Path, file: Path) -> None:
    """Writes a run that does not run into an archive that only its owner can read: it may hold training data.

    Raises:
        RequestError: it runs or waits, or the file cannot be written.
    """
    now = standing(folder)
    if now.going or now.state == "queued":
        verb = "queue cancel" if now.state == "queued" else "stop"
        raise RequestError(f"{folder.name} is {now.state}: {verb} it first (`python -m studio {verb} {folder.name}`)")
    if file.exists():
        raise RequestError(f"{file} exists: name another file")
    run, unfinished = Run(folder), file.with_name(f".{file.name}.unfinished")
    run.lock()  # nobody goes on with it meanwhile
    try:
        out = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(out, "wb") as stream, tarfile.open(fileobj=stream, mode="w", dereference=True) as archive:
            for entry in (folder, *sorted(folder.rglob("*"))):
                if entry.name not in _OWN and not entry.is_symlink():
                    name = Path(folder.name) / entry.relative_to(folder)
                    archive.add(entry, str(name), recursive=False, filter=_nobodys)
        unfinished.rename(file)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise RequestError(f"{file} cannot be written: {error.strerror or error}") from error
    finally:
        run.unlock()


def unpack(root: Path, file: Path) -> Path:
    """Takes a packed run into the run root, whole or not at all; returns its folder.

    It waits for nobody: whoever wants it to go on resumes it, with the recipe of that name that lies here. Where it
    was published from its former machine is not kept.

    Raises:
        RequestError: the file holds no packed run, or one that is here already.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = os.umask(0o077)
    unfinished = root / f".unpacking-{os.getpid()}"
    try:
        with tarfile.open(file, "r:") as archive:  # compressed ones could be a thousand times their size
            top, members = _members(archive, file)
            folder = root / top
            if folder.exists() or folder.is_symlink():
                raise RequestError(f"{folder} exists: remove or rename it first")
            unfinished.mkdir()
            for member in members:
                member.mode = 0o700 if member.isdir() else 0o600
                archive.extract(member, unfinished, filter="data")
        _disarm(Run(unfinished / top), file)
        (unfinished / top).rename(folder)
    except (OSError, tarfile.TarError, ValueError, TypeError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"{file} cannot be unpacked: {error}") from error
    finally:
        os.umask(before)
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _members(archive: tarfile.TarFile, file: Path) -> tuple[str, list[tarfile.TarInfo]]:
    """The name of the run in an archive and its files; nothing but plain ones and folders below that name."""
    members = []
    for member in archive:
        members.append(member)
        parts = member.name.split("/")
        plain = member.isdir() or (member.isreg() and not member.issparse())
        top = members[0].name.split("/")[0]
        if not plain or parts[0] != top or ".." in parts or len(members) > _MOST_FILES:
            raise RequestError(f"{file} holds {member.name!r}, which is no file of a packed run: nothing was unpacked")
    top = members[0].name.split("/")[0] if members else ""
    if not re.fullmatch(r"[\w][\w.+ -]*", top) or f"{top}/run.json" not in {member.name for member in members}:
        raise RequestError(f"{file} holds no packed run")
    return top, members


def _disarm(run: Run, file: Path) -> None:
    """Takes out of an unpacked run what would be carried out by itself: code by its path, flags, a place in a queue."""
    try:
        record = run.record()
    except RequestError:
        record = None
    if not isinstance(record, dict):
        raise RequestError(f"{file} holds no packed run: its run.json cannot be read")
    if not re.fullmatch(r"\w[\w-]*", str(record.get("recipe"))):
        raise RequestError(f"{file} names {record.get('recipe')!r} as its recipe, and that is no name")
    record["id"] = run.folder.name
    processes = run.start().get("processes")
    record["start"] = {"processes": processes if processes in range(1, _MOST_PROCESSES + 1) else 1}
    write_whole(run.folder / "run.json", json.dumps(record, indent=2))
    for name in _OWN:
        with contextlib.suppress(FileNotFoundError):
            (run.folder / name).unlink()
    if run.state() not in ENDED:
        run.set_state("stopped", "it comes from another machine, where it had not ended")


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """An entry without the names of people of this machine."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
