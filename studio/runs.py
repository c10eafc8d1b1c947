"""The run folder: what a job was asked, how it stands, what it wrote. Other programs rely on its layout.

    run.json  config.yaml  status.json  events.jsonl  train.log  splits/  checkpoints/  model/  report/

Only rank zero of a job writes; readers need nothing but the folder.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from studio import events, processes
from studio.errors import RequestError, RunError

MANIFEST = "manifest.json"
ASIDE = "aside-"  # before the name of a checkpoint while another of the same step is written
SPARE = "spare"  # room on the disk for a run's last words


class Run:
    """A run folder. `writes` is False on every rank but zero, where all writing methods do nothing."""

    def __init__(self, folder: Path | str, *, writes: bool = True):
        self.folder = Path(folder)
        self.writes = writes
        self.model = self.folder / "model"
        self.report = self.folder / "report"
        self.splits = self.folder / "splits"
        self.checkpoints = self.folder / "checkpoints"
        self.events = self.folder / "events.jsonl"
        self.config = self.folder / "config.yaml"
        self.step = 0  # the optimizer step that new events belong to
        self.moved = time.time()  # when the job last got on: said something, or went through a batch
        self.rehearsal: str | None = None  # the flag that has it thrown away at the end, with figures that mean nothing
        self.resumed = False  # whether this process goes on with what another has begun

    def create(
        self,
        *,
        recipe: str,
        task: str,
        command: list[str],
        settings: str,
        seed: int,
        state: str = "starting",
        **more: Any,
    ) -> None:
        """Makes the folder with its record and frozen settings (YAML text); `more` goes into the record.

        Raises:
            RequestError: the folder already holds a run or other files, or cannot be written.
        """
        if not self.writes:
            return
        if (self.folder / "run.json").exists():
            raise RequestError(
                f"--output_dir {self.folder} already holds a run: go on with it by --resume_from_checkpoint, "
                "or name another folder"
            )
        if self.folder.is_dir() and any(self.folder.iterdir()):
            raise RequestError(
                f"--output_dir {self.folder} is not empty: name a new folder, so that nothing is mixed up"
            )
        try:
            self._made_folder = not self.folder.exists()
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            self.lock()  # of two that come at once, one has the folder
            if (self.folder / "run.json").exists():
                raise RequestError(f"--output_dir {self.folder} already holds a run")
            write_whole(self.config, settings)
        except OSError as error:
            raise RequestError(
                f"--output_dir {self.folder} cannot be written ({error.strerror}): name another"
            ) from error
        record = {
            "id": self.folder.name,
            "recipe": recipe,
            "task": task,
            "created": time.time(),
            "command": command,
            "versions": _versions(),
            "hardware": _hardware(),
            "seed": seed,
            "git_commit": _git_commit(),
            "parent": None,
            **more,
        }
        write_whole(self.folder / "run.json", json.dumps(record, indent=2))
        self.set_state(state)

    def lock(self) -> None:
        """Makes this process the only one that trains in the folder, until it ends.

        Raises:
            RequestError: another process does.
        """
        if not self.writes:
            return
        self._lock = os.fdopen(os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            time.sleep(0.2)  # one that came at the same moment may not have said yet who it is
            raise RequestError(
                f"the run {self.folder} is being trained by process {self._lock.read().strip() or 'unknown'}: "
                "wait for it or stop it first"
            ) from error
        except OSError as error:
            raise RequestError(
                f"{self.folder / 'lock'} cannot be locked ({error.strerror}): keep runs on a disk that has locks"
            ) from error
        os.register_at_fork(after_in_child=self._lock.close)  # loader processes may outlive a killed trainer
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()}\n")
        self._lock.flush()
        with contextlib.suppress(OSError):
            write_whole(self.folder / SPARE, b"\0" * 16_384)

    def unlock(self) -> None:
        """Lets another process train in the folder."""
        if self.writes:
            self._lock.close()

    def discard(self) -> None:
        """Takes away what `create` and the reading of data have left, unless there is a checkpoint already."""
        if not self.writes or any(self.checkpoints.glob("checkpoint-*")):
            return
        for entry in self.folder.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        if self._made_folder:
            self.folder.rmdir()

    def record(self) -> dict[str, Any]:
        """What run.json says.

        Raises:
            RequestError: the folder is not a run.
        """
        try:
            return json.loads((self.folder / "run.json").read_text())
        except (OSError, ValueError, RecursionError) as error:
            raise RequestError(f"{self.folder} is not a run folder: it has no readable run.json") from error

    def start(self) -> dict[str, Any]:
        """How the run was first started, as far as its record says: recipe, arguments, processes, cwd ..."""
        start = self.record().get("start")
        return start if isinstance(start, dict) else {}

    def settings(self) -> dict[str, Any]:
        """The settings of the run as it was started."""
        self.record()
        return yaml.safe_load(self.config.read_text()) or {}

    def set_state(self, state: str, reason: str | None = None, cause: str | None = None) -> None:
        """Replaces status.json and tells the event stream; `cause` is the word of a RunError."""
        if not self.writes:
            return
        status = {
            "state": state,
            "reason": reason,
            "cause": cause,
            "time": time.time(),
            **processes.myself(),
        }
        write_whole(self.folder / "status.json", json.dumps(status, indent=2))
        self.log("status", {"state": state, "reason": reason})

    def tell_rank_zero(self, rank: int, failure: RunError, details: str) -> None:
        """Leaves word that another rank has failed: the one file that ranks other than zero write."""
        with contextlib.suppress(OSError):
            write_whole(self.folder / f"train.rank{rank}.log", f"{failure.cause}: {failure}\n\n{details}")

    def why_a_rank_failed(self) -> RunError | None:
        """The word that the first of the other ranks has left, if one has."""
        for file in sorted(self.folder.glob("train.rank*.log")):
            cause, _, reason = file.read_text().partition("\n")[0].partition(": ")
            if reason:  # else it was killed while it wrote
                return RunError(f"{file.name.split('.')[1]}: {reason}", cause)
        return None

    def forget(self, *patterns: str) -> None:
        """Takes away files that an earlier start of the run has left."""
        for file in (file for pattern in patterns for file in self.folder.glob(pattern)) if self.writes else ():
            file.unlink()

    def state(self) -> str:
        """The state last written; `unknown` when there is none."""
        return self.status()["state"]

    def status(self) -> dict[str, Any]:
        """What status.json says; the state is `unknown` when it says nothing."""
        try:
            return {"state": "unknown", **json.loads((self.folder / "status.json").read_text())}
        except (OSError, ValueError, TypeError, RecursionError):
            return {"state": "unknown"}

    def log(self, kind: events.Kind, data: dict[str, Any]) -> None:
        """Adds an event at the current step."""
        self.moved = time.time()
        if self.writes:
            events.append(self.events, kind, self.step, data)

    def checkpoint_folders(self) -> list[Path]:
        """What lies in checkpoints/, the newest first, sealed or not; after one of the same step what was put aside."""
        found = [c for c in self.checkpoints.glob("*checkpoint-*") if c.name.split("-")[-1].isdigit()]
        return sorted(found, key=lambda c: (step_of(c), c.name), reverse=True)

    def last_good_checkpoint(self) -> str | None:
        """The newest checkpoint whose files are all as they were written; None before the first one.

        Those that are refused are named by an alert event.
        """
        for checkpoint in self.checkpoint_folders():
            fault = manifest_fault(checkpoint)
            if fault is None:
                return str(checkpoint)
            self.log("alert", {"message": f"{checkpoint.name} is not used: {fault}"})
        return None

    def make_room(self) -> None:
        """Takes away what only takes room, so that a run can say on a full disk that it is full."""
        if self.writes:
            (self.folder / SPARE).unlink(missing_ok=True)
        unsealed = [c for c in self.checkpoint_folders() if not (c / MANIFEST).exists()]
        for folder in (*unsealed, self.folder / "model.unfinished") if self.writes else ():
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def writing_model(self) -> Iterator[Path]:
        """A folder to put the final model in; it becomes <run>/model when the block ends well, and not otherwise.

        Every rank enters, since all of them take part in saving a sharded model.
        """
        unfinished, former = self.folder / "model.unfinished", self.folder / "model.former"
        if self.writes:
            shutil.rmtree(unfinished, ignore_errors=True)  # of a run that was killed while it wrote
        yield unfinished
        if self.writes:
            for file in unfinished.iterdir():
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())
            if self.model.exists():  # from before a resume
                shutil.rmtree(former, ignore_errors=True)
                self.model.rename(former)
            unfinished.rename(self.model)
            shutil.rmtree(former, ignore_errors=True)
            self.log("artifact", {"path": "model"})


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was saved."""
    return int(checkpoint.name.split("-")[-1])


def new_folder(recipe: str) -> Path:
    """A folder name that no other run has, under $STUDIO_RUNS or ./runs."""
    root = Path(os.environ.get("STUDIO_RUNS", "runs"))
    return root / f"{recipe}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


def size_bytes(folder: Path) -> int:
    """What the files of a folder take on the disk."""
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):  # a job at work may just have removed it
            total += file.stat().st_size if file.is_file() else 0
    return total


def write_whole(path: Path, content: str | bytes) -> None:
    """Replaces a file in one step, so that a reader sees the old or the new content and nothing between.

    Its folder is never made anew: it may have been removed while somebody still had a word to say in it.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def write_manifest(folder: Path) -> None:
    """Seals a folder: size and sha256 of each of its files, written last, so that its presence means complete.

    The files reach the disk before it does.
    """
    files = {
        str(file.relative_to(folder)): {"size_bytes": file.stat().st_size, "sha256": _sha256(file, sync=True)}
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != MANIFEST
    }
    write_whole(folder / MANIFEST, json.dumps(files, indent=1))


def manifest_fault(folder: Path) -> str | None:
    """Why a sealed folder must not be used, or None when every file is as it was written."""
    try:
        files = {
            folder / name: (expected["size_bytes"], expected["sha256"])
            for name, expected in json.loads((folder / MANIFEST).read_text()).items()
        }
    except OSError:
        return "it was not written to its end"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{MANIFEST} is damaged"
    for file, (size_bytes, sha256) in files.items():
        name = file.relative_to(folder)
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != size_bytes or _sha256(file) != sha256:
            return f"{name} is damaged"
    return None


def _sha256(file: Path, sync: bool = False) -> str:
    with file.open("rb") as stream:
        if sync:
            os.fsync(stream.fileno())
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    names = ("torch", "transformers", "datasets", "accelerate", "timm")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def _hardware() -> dict[str, Any]:
    import psutil

    return {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu_cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": _told_by("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader").splitlines(),
    }


def _git_commit() -> str | None:
    """The commit of the project that ran, when it runs from a clone."""
    return _told_by("git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD") or None


def _told_by(*command: str) -> str:
    """What a program prints; nothing where there is no such program."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
