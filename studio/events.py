"""The event stream of a run: one JSON object a line, appended by one writer, read by anyone from a byte offset."""

import contextlib
import json
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["status", "metric", "system", "alert", "artifact"]


@dataclass(frozen=True)
class Event:
    """`time` is in seconds since the epoch, `step` counts optimizer steps; numbers that are not finite are None."""

    time: float
    kind: Kind
    step: int
    data: dict[str, Any]


def append(path: Path, kind: Kind, step: int, data: dict[str, Any]) -> None:
    """Add one event; the line reaches the file in a single write, so a reader never sees half of a finished line."""
    line = json.dumps(asdict(Event(time.time(), kind, step, _finite(data))), allow_nan=False) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def read(path: Path, offset: int = 0) -> tuple[list[Event], int]:
    """The events written since byte `offset`, and the offset to go on from.

    A last line that is still being written is left for the next read; a damaged line is passed over.
    """
    if not path.is_file():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    found = []
    for row in _rows(whole.splitlines()):
        try:
            event = Event(**row)
        except TypeError:
            continue
        if isinstance(event.time, int | float) and isinstance(event.step, int) and isinstance(event.data, dict):
            found.append(event)
    return found, offset + len(whole)


def _rows(lines: list[bytes]) -> list[Any]:
    """What JSON lines say, without those that are damaged: all at once, which is faster, where none is."""
    with contextlib.suppress(ValueError, RecursionError):
        rows = json.loads(b"[" + b",".join(lines) + b"]")
        if len(rows) == len(lines):
            return rows
    rows = []
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            rows.append(json.loads(line))
    return rows


def without_replaced(events: list[Event]) -> list[Event]:
    """Drops the metrics that a resumed run went on to write again.

    Those are what lies beyond its `resumed_from` step, and at that step a validation that had been broken off.
    """
    kept: dict[Any, Event] = {}
    for place, event in enumerate(events):
        if isinstance(event.data.get("resumed_from"), int):
            kept = {k: e for k, e in kept.items() if e.kind != "metric" or e.step <= event.data["resumed_from"]}
        measured = (event.step, *event.data) if event.kind == "metric" else place
        kept.pop(measured, None)
        kept[measured] = event
    return list(kept.values())


def series(events: list[Event], name: str) -> list[tuple[int, float]]:
    """The (step, value) points of one metric, such as "loss" or "eval_f1_macro"."""
    return [(e.step, e.data[name]) for e in events if e.kind == "metric" and isinstance(e.data.get(name), int | float)]


def thin(points: list[tuple[int, float]], limit: int = 1000) -> list[tuple[int, float]]:
    """At most `limit` points that keep the extremes: of each bucket its lowest and its highest."""
    if len(points) <= limit:
        return points
    width = math.ceil(len(points) / (limit // 2))
    kept = []
    for start in range(0, len(points), width):
        bucket = points[start : start + width]
        extremes = {min(bucket, key=lambda p: p[1]), max(bucket, key=lambda p: p[1])}
        kept.extend(sorted(extremes))
    return kept


def _finite(value: Any) -> Any:
    """NaN and infinities become None, since JSON has no word for them."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
