"""Measures the anonymous memory that reading takes for each added row: synthetic rows, then 10 and 100 times as many.

python -m tests.bench.memory docs/memory.md
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

_TIMES = (1, 10, 100)
_ROWS = {"csv": 10_000, "csv with --group_column_name": 10_000, "image folder": 500}
_WANTED = 200  # bytes for each added row

# Reads and divides one set after the other in one process, so that what is taken once is taken for the smallest.
_CHILD = """
import ctypes, gc, json, sys, threading, time
import pyarrow
from studio.config import ImageData, TextData
from studio.data import sources, splits
from studio.data.readable import readable

def anonymous():
    return int(next(line for line in open("/proc/self/status") if line.startswith("RssAnon")).split()[1]) * 1024

def watch():
    while True:
        peak[0] = max(peak[0], anonymous())
        time.sleep(0.005)

peak = [0]
threading.Thread(target=watch, daemon=True).start()
kind, group, *paths = sys.argv[1:]
for path in paths:
    peak[0], began = 0, time.perf_counter()
    data = (ImageData if kind == "image" else TextData)(dataset_name=path, group_column_name=group or None)
    source = sources.read(data)
    divided = splits.divide(readable(source) if kind == "image" else source, data, seed=0)
    seconds, highest = time.perf_counter() - began, peak[0]
    rows = sum(len(getattr(divided, name)) for name in sources.SPLITS)
    gc.collect()
    pyarrow.default_memory_pool().release_unused()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what is free goes back to the system
    print(json.dumps({"rows": rows, "kept": anonymous(), "peak": highest, "seconds": seconds}))
"""


def main(target: Path) -> None:
    lines = [
        "| data | rows | seconds | kept, MB | peak, MB | bytes kept for each added row | at the peak |",
        "| --- " * 7 + "|",
    ]
    for name in _ROWS:
        first, *larger = found = _measured(name)
        added = [("", ""), *((_slope(first, one, "kept"), _slope(first, one, "peak")) for one in larger)]
        for one, slopes in zip(found, added, strict=True):
            figures = f"{one['rows']:,} | {one['seconds']:.1f} | {one['kept'] / 1e6:.0f} | {one['peak'] / 1e6:.0f}"
            lines.append(f"| {name} | {figures} | {' | '.join(slopes)} |")
            print(lines[-1], flush=True)
    target.write_text(
        "# Memory\n\nAnonymous memory of a process that reads and divides synthetic rows; what is mapped from the disk "
        f"is not counted. At most {_WANTED} bytes for each row added to the smallest set are wanted. Made by "
        "`make bench-memory`.\n\nKept is what the process holds when the rows are divided; the peak, seen every 5 ms "
        "on the way, includes memory that is free again but not given back yet.\n\n" + "\n".join(lines) + "\n"
    )


def _measured(name: str) -> list[dict[str, float]]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make, kind = (_photos, "image") if name.startswith("image") else (_table, "text")
        paths = [make(folder / f"{times}.csv", _ROWS[name] * times) for times in _TIMES]
        child = subprocess.run(
            [sys.executable, "-c", _CHILD, kind, "author" if "group" in name else "", *map(str, paths)],
            env=os.environ | {"HF_DATASETS_CACHE": str(folder / "cache")},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return [json.loads(line) for line in child.stdout.splitlines() if line.startswith("{")]


def _slope(first: dict[str, float], one: dict[str, float], key: str) -> str:
    return f"{(one[key] - first[key]) / (one['rows'] - first['rows']):.0f}"


def _table(path: Path, rows: int) -> Path:
    with path.open("w") as file:
        file.write("text,label,author\n")
        file.writelines(
            f"a sentence of ordinary length that somebody wrote with the number {at} in it,kind {at % 3},{at // 20}\n"
            for at in range(rows)
        )
    return path


def _photos(path: Path, rows: int) -> Path:
    folder = path.with_suffix("")
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    for at in range(rows):
        place = folder / ("red" if at % 2 else "blue") / f"{at}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        pixels[0, 0] = at % 256, at // 256 % 256, at // 65536
        Image.fromarray(pixels).save(place, compress_level=1)
    return folder


if __name__ == "__main__":
    main(Path(sys.argv[1]))
