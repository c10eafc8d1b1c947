"""Data-set versions: data with a person's decisions about them.

A version is a saved data set like any other, `<run root>/data/<id>/`, with the decisions inside; the data themselves
stay as they are, where they are.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from studio.data import curation
from studio.data.curation import Curation
from studio.errors import RequestError
from studio.runs import Run
from studio.ui import datasets
from studio.ui.data.looked import Looked, look, save
from studio.ui.data.source import Place
from studio.ui.datasets import DataSet

_DIVIDING = {"group_column_name", "near_duplicates", "drop_overlap", "splits_from"}  # a run has divided already


def of_data(root: Path, seen: Looked, name: str, made: Curation) -> DataSet:
    """Keeps what was looked at with these decisions, on top of those it has; itself before, if it is not yet saved.

    Raises:
        RequestError: there are no decisions or no name, or they leave less than a classifier needs.
        RunError: the data cannot be read any more.
    """
    with _with(root, seen.settings, seen.told["task"], name, made) as (file, found):
        parent = datasets.read(root, seen.id or save(root, seen, seen.place.stem))
        files = parent.files | {"curation_file": file}
        settings = parent.settings | {"curation_file": str(file)}
        task, first = seen.told["task"], parent.of or parent.id
        return datasets.save(root, name, task, settings, found.told, files, found.thumbnails, of=first)


def of_run(root: Path, run: Run, name: str, made: Curation) -> DataSet:
    """Keeps a run's data with these decisions, on top of those it was trained with, divided as the run has divided.

    Training on it tests on the rows of this run's test, as far as they are left, so that scores can be compared.

    Raises:
        RequestError: there are no decisions or no name, or they leave less than a classifier needs.
        RunError: the data cannot be read any more.
    """
    if not run.splits.is_dir():
        raise RequestError(f"{run.folder.name} does not say how its rows were divided, so that nothing can be compared")
    given, task = datasets.settings_of(run), run.record()["task"]
    parent = datasets.known(root, given)
    settings = {setting: value for setting, value in given.items() if setting not in _DIVIDING}
    with _with(root, settings | {"splits_from": str(run.folder)}, task, name, made) as (file, found):
        first = parent and (parent.of or parent.id)
        files = {"curation_file": file}
        return datasets.save(
            root, name, task, settings, found.told, files, found.thumbnails, of=first, splits=run.splits
        )


@contextmanager
def _with(root: Path, settings: dict[str, Any], task: str, name: str, made: Curation) -> Iterator[tuple[Path, Looked]]:
    """A file of these decisions on top of those there are, and what is found in the data with it."""
    if not made:
        raise RequestError("nothing is decided yet: say of some rows what to do with them, then save")
    if not name.strip():
        raise RequestError("give the version a name")
    if before := settings.get("curation_file"):
        made = curation.read(Path(before)) | made
    with tempfile.TemporaryDirectory(prefix="studio-version-") as folder:
        file = Path(folder) / "decisions.json"
        curation.write(made, file)
        yield file, look(root, Place(name, settings | {"curation_file": str(file)}), {}, task)
