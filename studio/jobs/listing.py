"""The runs below a run root: their names, true states, progress and best scores, as tables show them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio import events
from studio.errors import RequestError
from studio.jobs.standing import standing
from studio.runs import Run

_LATEST = 50  # points of the training loss that a row keeps, to draw and to reckon the time left by


def run_folders(root: Path) -> list[Path]:
    """The run folders below a run root, the newest first; a broken one is among them.

    A run that is kept elsewhere and was queued here is linked to from the root.
    """
    found = {file.parent for name in ("run.json", "status.json") for file in root.resolve().glob(f"*/{name}")}
    folders = {folder.resolve() if folder.is_symlink() else folder for folder in found}
    return sorted(folders, key=_changed, reverse=True)


def _changed(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:  # removed in this moment
        return 0.0


def run_folder(root: Path, name: str) -> Path:
    """A run by its folder, its name or the beginning of its name.

    Raises:
        RequestError: there is none, or more than one.
    """
    for folder in (Path(name), root / name):
        if (folder / "run.json").exists():
            return folder.resolve()
    found = [folder for folder in run_folders(root) if folder.name.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise RequestError(f"several runs begin with {name!r}: {', '.join(folder.name for folder in found[:5])}")
    raise RequestError(f"there is no run {name!r} in {root} (`python -m studio runs` lists them)")


@dataclass
class _Progress:
    """What the event stream of one run has told so far; only what is new in it is read again."""

    offset: int = 0
    total: int | None = None
    scores: list[tuple[int, float]] = field(default_factory=list)  # (step, value of the metric that picks the best)
    losses: list[tuple[int, float, float]] = field(default_factory=list)  # (step, time, training loss)
    tested: tuple[float, float | None] = (0.0, None)  # when the report was written, the score on the test rows

    def read_on(self, file: Path, metric: str) -> None:
        found, self.offset = events.read(file, self.offset)
        for event in found:
            data = event.data
            if event.kind == "metric":
                if isinstance(score := data.get(metric), int | float):
                    self.scores.append((event.step, score))
                if isinstance(loss := data.get("loss"), int | float):
                    self.losses.append((event.step, event.time, loss))
            elif isinstance(at := data.get("resumed_from"), int):
                self.scores = [point for point in self.scores if point[0] <= at]
                self.losses = []  # the time between two starts says nothing about a step
            self.total = data.get("max_steps", self.total)
        self.losses = self.losses[-_LATEST:]

    def read_report(self, file: Path, metric: str) -> None:
        try:
            written = file.stat().st_mtime
            if written != self.tested[0]:
                score = json.loads(file.read_text())["splits"]["test"].get(metric)
                self.tested = (written, round(score, 4) if isinstance(score, int | float) else None)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # not scored yet, or damaged
            self.tested = (0.0, None)

    @property
    def step(self) -> int:
        return max((step for step, *_ in (*self.scores[-1:], *self.losses[-1:])), default=0)

    def left_s(self) -> float | None:
        """Seconds until the last step, at the pace of the latest ones."""
        if not self.total or len(self.losses) < 2 or self.losses[-1][0] == self.losses[0][0]:
            return None
        (first, began, _), (last, now, _) = self.losses[0], self.losses[-1]
        return round((now - began) / (last - first) * (self.total - last), 1)


class Listing:
    """The runs of a run root as rows; to be kept by whoever asks for them again and again."""

    def __init__(self, root: Path):
        self.root = root
        self._progress: dict[Path, _Progress] = {}
        self._records: dict[Path, dict[str, Any]] = {}

    def rows(self) -> list[dict[str, Any]]:
        """A row for each run, the newest first."""
        folders = run_folders(self.root)
        for gone in self._progress.keys() - folders:
            del self._progress[gone], self._records[gone]
        return [self._row(folder) for folder in folders]

    def _row(self, folder: Path) -> dict[str, Any]:
        now, progress = standing(folder), self._progress.setdefault(folder, _Progress())
        record = self._records.setdefault(folder, {}) or self._read_record(folder)
        metric = record.get("metric", "f1_macro")
        progress.read_on(folder / "events.jsonl", f"eval_{metric}")
        progress.read_report(folder / "report" / "metrics.json", metric)
        best = min if metric == "loss" else max
        return {
            "run": folder.name,
            "folder": str(folder),
            "recipe": record.get("recipe"),
            "task": record.get("task"),
            "created": record.get("created"),
            "state": now.state,
            "step": progress.step,
            "steps": progress.total,
            "left_s": progress.left_s() if now.going else None,
            "metric": metric,
            "best": round(best(value for _, value in progress.scores), 4) if progress.scores else None,
            "test": progress.tested[1],
            "losses": [loss for _, _, loss in progress.losses],
            "reason": now.reason,
        }

    def _read_record(self, folder: Path) -> dict[str, Any]:
        try:
            record = Run(folder).record()
            known = record if "metric_for_best_model" in record else Run(folder).settings()  # of an older studio
            record["metric"] = known.get("metric_for_best_model", "f1_macro")
        except (RequestError, OSError, ValueError, AttributeError, TypeError):  # a broken folder is listed as broken
            return {}
        self._records[folder] = record
        return record
