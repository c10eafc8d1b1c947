"""Data-set versions: a run's data with a person's decisions about them, divided as the run has divided them.

A version is a saved data set like any other, `<run root>/data/<id>/`, with the decisions and the division inside; the
data themselves stay as they are, where they are.
"""

import tempfile
from pathlib import Path
from typing import Any

from studio.data import curation
from studio.data.curation import Curation
from studio.errors import RequestError
from studio.fields import to_flags
from studio.runs import Run
from studio.ui import children, datasets
from studio.ui.datasets import DataSet

_PATIENCE_S = 900.0  # all pictures of a large folder are read
_DIVIDING = {"group_column_name", "near_duplicates", "drop_overlap", "splits_from"}  # the run has divided already


def save(root: Path, run: Run, name: str, made: Curation) -> DataSet:
    """Keeps the run's data with these decisions, on top of those that the run was trained with, under a free name.

    Training on it tests on the rows of this run's test, as far as they are left, so that scores can be compared.

    Raises:
        RequestError: there are no decisions or no name, or they leave less than a classifier needs.
        RunError: the data cannot be read any more.
    """
    if not made:
        raise RequestError("nothing is marked: mark rows first, to leave out or to relabel")
    if not run.splits.is_dir():
        raise RequestError(f"{run.folder.name} does not say how its rows were divided, so that nothing can be compared")
    settings = {setting: value for setting, value in datasets.settings_of(run).items() if setting not in _DIVIDING}
    if before := settings.pop("curation_file", None):
        made = curation.read(Path(before)) | made
    with tempfile.TemporaryDirectory(prefix="studio-version-") as folder:
        file = Path(folder) / "decisions.json"
        curation.write(made, file)
        told = _tried(root, settings | {"curation_file": str(file), "splits_from": str(run.folder)}, run)
        files = {"curation_file": file}
        return datasets.save(root, name, run.record()["task"], settings, told, files, splits=run.splits)


def _tried(root: Path, settings: dict[str, Any], run: Run) -> dict[str, Any]:
    """What `python -m studio preview` tells of the data with the decisions: it reads and divides them."""
    asked = settings | {"task": run.record()["task"]}
    return children.ask(root, "preview", *to_flags(asked), timeout_s=_PATIENCE_S)
