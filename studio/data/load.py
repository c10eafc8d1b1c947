"""From a person's data to rows divided for training, without torch: mistakes in the data show within seconds."""

import dataclasses
from pathlib import Path

from studio import launch
from studio.config import Data, ImageData, TextData
from studio.data import curation, sources, splits
from studio.data.curated import applied
from studio.data.readable import readable
from studio.data.task import TASKS
from studio.runs import Run


def load(data: Data, seed: int, run: Run) -> splits.Splits:
    """The labelled rows, divided into train, validation and test; the run keeps how, and the notes are printed.

    Pictures that cannot be read are left out and named in the notes. A resumed run keeps its division.

    Raises:
        RequestError: the data cannot be read or divided, or too many pictures are unreadable.
    """
    resumed = run.splits.is_dir()
    divided = splits.divide(read(data), data, seed, before=run.folder if resumed else None)
    if run.writes:
        if not resumed:
            splits.save(divided, run.splits)
        sizes = {name: len(getattr(divided, name)) for name in splits.SPLITS}
        told = ", ".join(f"{count:,} {name}" for name, count in sizes.items())
        print(f"{divided.origin}: {told} rows, {len(divided.labels)} classes")
        for note in divided.notes:
            print(f"  {note}")
        run.log("status", {"state": "running", "rows": sizes, "labels": divided.labels, "notes": divided.notes})
    return divided


def read(data: TextData | ImageData) -> sources.Source:
    """The labelled rows with a person's decisions about them, without pictures that cannot be read.

    Raises:
        RequestError: the data or the decisions cannot be read, or too many pictures are unreadable.
    """
    source = curated(data)
    return readable(source) if isinstance(data, ImageData) else source


def curated(data: TextData | ImageData) -> sources.Source:
    """The labelled rows as they were given, with the decisions of --curation_file.

    Raises:
        RequestError: the data or the decisions cannot be read.
    """
    decisions = curation.read(Path(data.curation_file)) if data.curation_file else None
    with launch.rank_zero_first():
        source = sources.read(data)
    return applied(source, decisions) if decisions else source


def settings_of(run: Run) -> TextData | ImageData:
    """Where the data of a run came from and how they were read.

    Raises:
        RequestError: the folder is no run.
    """
    group, settings = TASKS[run.record()["task"]], run.settings()
    known = {field.name for field in dataclasses.fields(group) if field.init} & settings.keys()
    return group(**{name: settings[name] for name in known})
