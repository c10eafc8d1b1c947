"""Opens hostile files and writes down what they reached, as a table.

python -m tests.bench.hostile docs/hostile-input.md
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np
from PIL import Image

from studio.config import TextData
from studio.data import sources
from studio.data.reading import archives
from studio.errors import RequestError
from studio.fields import read_yaml
from tests import hostile

_GOOD = 150  # pictures beside the hostile ones, so that these are less than a tenth

# Reads, checks and divides an image folder with at most 200 MB more of address space than it has begun with.
_CHILD = """
import json, resource, sys, threading
from studio.config import ImageData
from studio.data import sources, splits
from studio.data.readable import readable

def size(key):
    return int(next(line for line in open("/proc/self/status") if line.startswith(key)).split()[1]) * 1024

data = ImageData(dataset_name=sys.argv[1])
source = sources.read(data)
threading.stack_size(1_000_000)  # a thread for each core takes 8 MB of address space otherwise
before = size("VmSize")
resource.setrlimit(resource.RLIMIT_AS, (before + 200_000_000,) * 2)
divided = splits.divide(readable(source), data, seed=0)
rows = sum(len(getattr(divided, name)) for name in sources.SPLITS)
print(json.dumps({"rows": rows, "notes": divided.notes, "grown": max(0, size("VmPeak") - before)}))
"""


@dataclass
class Opened:
    """What came of opening a file."""

    path: Path
    refusal: str | None  # None where it was accepted
    seconds: float

    @property
    def row_named(self) -> bool:
        return bool(self.refusal and re.search(r"line \d|first row", self.refusal))


def open_all(paths: Iterable[Path], way: Callable[[Path], object]) -> list[Opened]:
    """Opens each file in turn; only a RequestError counts as a refusal."""
    opened = []
    for path in paths:
        began, refusal = time.perf_counter(), None
        try:
            way(path)
        except RequestError as told:
            refusal = str(told)
        opened.append(Opened(path, refusal, time.perf_counter() - began))
    return opened


def open_archives(folder: Path) -> tuple[list[Opened], int, int]:
    """What came of them, the files left anywhere below `folder`, and the most bytes that one wrote."""
    written = [0]

    class Watched(tempfile.TemporaryDirectory):
        def __exit__(self, *fault):
            written.append(sum(file.stat().st_size for file in Path(self.name).rglob("*") if file.is_file()))
            super().__exit__(*fault)

    paths = hostile.archives(folder)
    before = set(folder.rglob("*"))
    plain, archives.tempfile.TemporaryDirectory = archives.tempfile.TemporaryDirectory, Watched
    try:
        opened = open_all(paths, read)
    finally:
        archives.tempfile.TemporaryDirectory = plain
    left = {path for path in set(folder.rglob("*")) - before if path.is_file()}
    return opened, len(left), max(written)


def open_pictures(folder: Path) -> tuple[int, int, int, float]:
    """Of fifteen hostile pictures those named in the notes, rows left to train on, bytes grown, and seconds."""
    chance = np.random.default_rng(0)
    for at in range(_GOOD):
        place = folder / ("red" if at % 2 else "blue") / f"{at}.png"
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(chance.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(place)
    bad = hostile.pictures(folder / "red")
    began = time.perf_counter()
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, str(folder)],
        env=os.environ | {"HF_DATASETS_CACHE": str(datasets.config.HF_DATASETS_CACHE), "MALLOC_ARENA_MAX": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(child.stdout.splitlines()[-1])
    listed = sum(any(path.name in note for note in found["notes"]) for path in bad)
    return listed, found["rows"], found["grown"], time.perf_counter() - began


def read(path: Path) -> sources.Source:
    return sources.read(TextData(dataset_name=str(path)))


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        datasets.config.HF_DATASETS_CACHE = folder / "cache"
        for kind in ("archives", "pictures/red", "tables", "settings"):
            (folder / kind).mkdir(parents=True)
        zips, left, written = open_archives(folder / "archives")
        listed, rows, grown, seconds = open_pictures(folder / "pictures")
        tables = open_all(hostile.tables(folder / "tables"), read)
        canary = folder / "canary"
        settings = open_all(hostile.settings(folder / "settings", canary), read_yaml)
        cap = max(archives.size_limit(opened.path) for opened in zips)
        lines = [
            "| input | figure wanted | figure reached |",
            "| --- | --- | --- |",
            f"| {len(zips)} archives that slip out, link, lie or explode | all refused; 0 files outside; at most the "
            f"cap written; 2 s each | {_refused(zips)}; {left} files left; {written / 1e6:.0f} MB of at most "
            f"{cap / 1e6:.0f} MB written; {_slowest(zips)} |",
            f"| 15 picture bombs among {_GOOD} good pictures, in a process whose address space may grow by 200 MB | "
            f"all listed; at most 200 MB more; the rest trains | {listed} listed; {grown / 1e6:.0f} MB more; "
            f"{rows} of {_GOOD} divided for training; {seconds:.1f} s with the start of the process |",
            f"| {len(tables)} csv and JSON bombs | all refused; 2 s each; row named | {_refused(tables)}; "
            f"{_slowest(tables)}; {sum(one.row_named for one in tables)} named by row, "
            "the other one by its size unpacked |",
            "| formulas in exported csv | quoted | no csv is exported: predictions are parquet |",
            f"| {len(settings)} hostile YAML files | 0 executed; 0.5 s each | {_refused(settings)}; "
            f"{int(canary.exists())} executed; {_slowest(settings)} |",
            "| calls in project files that run what they read (eval, exec, pickle, os.system, shell=True, yaml.load, "
            "torch.load without weights_only) | 0 | 0, held by a test |",
        ]
        details = [
            f"- `{opened.path.name}`, {opened.seconds:.2f} s: {opened.refusal}".replace(
                f"{opened.path}", opened.path.name
            )
            for opened in (*zips, *tables, *settings)
        ]
    target.write_text(
        "# Hostile input\n\nWhat files reach that were made to do harm. Made by `make hostile`; the files come from "
        "`tests/hostile.py`, and `tests/test_hostile.py` holds the counts.\n\n"
        + "\n".join(lines)
        + "\n\n## What was said\n\n"
        + "\n".join(detail if len(detail) < 300 else f"{detail[:297]}..." for detail in details).replace(scratch, "")
        + "\n"
    )
    print("\n".join(lines))


def _refused(opened: list[Opened]) -> str:
    return f"{sum(one.refusal is not None for one in opened)} of {len(opened)} refused"


def _slowest(opened: list[Opened]) -> str:
    return f"the slowest {max(one.seconds for one in opened):.2f} s"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
