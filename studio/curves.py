"""The curves of a run as they grow: each byte of its event stream is read once, each curve stays thin."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio import events
from studio.advice import Advice

_BUCKETS = 500  # of two points each


class Curve:
    """(step, value) points, at most 1,000 of them: of each bucket of steps the lowest and the highest value."""

    def __init__(self) -> None:
        self.width = 1  # points that make a bucket
        self.buckets: list[list[tuple[int, float]]] = []
        self._filled = 0  # points in the last bucket

    def add(self, step: int, value: float) -> None:
        """Adds the next point."""
        if self.buckets and self._filled < self.width:
            self.buckets[-1] = _extremes([*self.buckets[-1], (step, value)])
            self._filled += 1
            return
        if len(self.buckets) == 2 * _BUCKETS:
            pairs = zip(self.buckets[::2], self.buckets[1::2], strict=True)
            self.buckets = [_extremes([*left, *right]) for left, right in pairs]
            self.width *= 2
        self.buckets.append([(step, value)])
        self._filled = 1

    def cut(self, step: int) -> None:
        """Drops the points beyond a step."""
        self.buckets = [kept for bucket in self.buckets if (kept := [p for p in bucket if p[0] <= step])]
        self._filled = self.width

    def points(self) -> list[tuple[int, float]]:
        """What is there to draw."""
        return events.thin([point for bucket in self.buckets for point in bucket], 2 * _BUCKETS)


def _extremes(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    if len(points) < 3:
        return points
    return sorted({min(points, key=lambda p: p[1]), max(points, key=lambda p: p[1])})


@dataclass
class Stream:
    """What the events of one run have told so far."""

    folder: Path
    offset: int = 0
    curves: dict[str, Curve] = field(default_factory=dict)
    alerts: list[Advice] = field(default_factory=list)  # but for those that the curves themselves give rise to
    facts: dict[str, Any] = field(default_factory=dict)  # rows, labels, notes, max_steps, precision
    began: float | None = None

    def read_on(self) -> bool:
        """Reads what is new; whether there was anything."""
        found, offset = events.read(self.folder / "events.jsonl", self.offset)
        for event in found:
            self._take(event)
        new, self.offset = offset != self.offset, offset
        return new

    def _take(self, event: events.Event) -> None:
        self.began = self.began or event.time
        if isinstance(at := event.data.get("resumed_from"), int):
            for curve in self.curves.values():
                curve.cut(at)
        if event.kind in ("metric", "system"):
            for name, value in event.data.items():
                if isinstance(value, int | float):
                    self.curves.setdefault(name, Curve()).add(event.step, value)
        elif event.kind == "status":
            self.facts |= {name: value for name, value in event.data.items() if name not in ("state", "reason")}
        elif event.kind == "alert" and isinstance(event.data.get("message"), str) and "of_curves" not in event.data:
            told = (str(event.data.get(name, "")) for name in ("about", "message", "remedy"))
            self.alerts.append(Advice(*told))

    def points(self, name: str) -> list[tuple[int, float]]:
        """The points of one curve, such as "loss" or "eval_f1_macro"."""
        return self.curves[name].points() if name in self.curves else []
