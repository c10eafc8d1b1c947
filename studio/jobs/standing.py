"""How a run really stands: what it wrote last, put right by what has become of its processes."""

import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio import events, heartbeat, processes, stopping
from studio.jobs.supervise import EXIT, SUPERVISOR
from studio.runs import Run

ENDED = {"finished", "failed", "stopped", "cancelled", "pruned"}
GOING = {"starting", "running", "stopping"}
_STALLED = 10  # times the median step
_LEAST_S = 60  # a step may always take this long
_TAIL_BYTES = 65_536  # of the event stream: some hundred steps
_SILENT_S = 300  # a process of another machine is gone when nothing in the folder has changed for so long


@dataclass(frozen=True)
class Standing:
    """`state` is a stored one, or orphaned (its process is gone without a word), stalled or broken."""

    state: str
    reason: str | None = None
    cause: str | None = None

    @property
    def going(self) -> bool:
        return self.state in GOING or self.state == "stalled"


def standing(folder: Path) -> Standing:
    """The true state of the run in a folder, by its files and processes alone."""
    try:
        return _standing(folder)
    except Exception as error:  # whatever is wrong with one folder, the others are to be seen
        return Standing("broken", f"the files of {folder} contradict what they are for ({type(error).__name__})")


def _standing(folder: Path) -> Standing:
    status, record = _read(folder / "status.json"), _read(folder / "run.json")
    if not isinstance(record, dict) or not isinstance(status, dict) or not isinstance(status.get("state"), str):
        return Standing("broken", f"{folder} holds no readable run.json and status.json")
    told = Standing(status["state"], status.get("reason"), status.get("cause"))
    if told.state == "finished" and not (folder / "model" / "config.json").exists():
        return Standing("broken", "the run is finished, and its model is gone")
    if told.state in ENDED:
        return told
    supervisor, ended = _read(folder / SUPERVISOR), _read(folder / EXIT)
    supervised = isinstance(supervisor, dict)
    if told.state == "queued" and not supervised and not isinstance(ended, dict):
        return told
    if told.state in GOING and _lives(folder, status):
        if told.state != "stopping" and stopping.asked(folder) == "stop":
            return Standing("stopping", "asked to save what it has come to and to stop: it does so after its next step")
        return _stalled(folder, told)
    supervising = supervised and _lives(folder, supervisor)
    if not supervising and stopping.asked(folder) == "force":
        return Standing("stopped", "stopped by force: it goes on from its last checkpoint", "stopped")
    if not supervising and (word := Run(folder).why_a_rank_failed()):  # rank zero may be killed while it waits for it
        return Standing("failed", str(word), word.cause)
    if isinstance(ended, dict):
        return Standing("failed", ended["reason"], ended["cause"])  # it could not say itself how it ended
    if supervising:
        return Standing("starting") if told.state == "queued" else told
    return Standing("orphaned", "its process is gone without a word: it can be resumed", "killed")


def _lives(folder: Path, process: dict[str, Any]) -> bool:
    """Whether a process runs; one of another machine does as long as the run's heart beats."""
    if (alive := processes.alive(process)) is not None:
        return alive
    signs = [file.stat().st_mtime for name in ("status.json", SUPERVISOR) if (file := folder / name).exists()]
    return time.time() - max(heartbeat.last(folder)[0], *signs) < _SILENT_S


def _stalled(folder: Path, told: Standing) -> Standing:
    """The state as told, or stalled when the next step has taken far longer than the steps before it."""
    moved = heartbeat.last(folder)[1]
    stream = folder / "events.jsonl"
    if told.state != "running" or time.time() - moved < _LEAST_S or not stream.is_file():
        return told
    found, _ = events.read(stream, max(0, stream.stat().st_size - _TAIL_BYTES))
    begun = max((place for place, e in enumerate(found) if e.kind == "status"), default=0)  # since the latest start
    times = [e.time for e in found[begun:] if e.kind == "metric"]
    if len(times) < 4:
        return told
    usual = statistics.median(b - a for a, b in zip(times, times[1:], strict=False))
    silent = time.time() - max(moved, found[-1].time)
    if silent < max(_LEAST_S, _STALLED * usual):
        return told
    return Standing("stalled", f"nothing has come for {silent:.0f} s; a step usually takes {usual:.1f} s")


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        return None
