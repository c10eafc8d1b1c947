"""From a person's data to rows divided for training, without torch: mistakes in the data show within seconds."""

from studio import launch
from studio.config import Data, ImageData, TextData
from studio.data import sources, splits
from studio.data.readable import readable
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
    """The labelled rows as they were given, without pictures that cannot be read.

    Raises:
        RequestError: the data cannot be read, or too many pictures are unreadable.
    """
    with launch.rank_zero_first():
        source = sources.read(data)
    return readable(source) if isinstance(data, ImageData) else source
