"""What a child process finds where data are, and keeping that as a data set or as a version of one."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.data import curation
from studio.data.curation import Curation
from studio.errors import RequestError
from studio.fields import to_flags
from studio.ui import children, datasets
from studio.ui.data_source import Place

_PATIENCE_S = 900.0  # for reading: all pictures of a large folder are decoded


@dataclass(frozen=True)
class Looked:
    """What can be saved: where rows are, how they are read, and what was found. `id` is that of a data set there is."""

    place: Place
    reading: dict[str, Any]
    told: dict[str, Any]
    thumbnails: dict[str, bytes]
    id: str | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a recipe that stand for it."""
        return self.place.settings | self.reading


def look(root: Path, where: Place, reading: dict[str, Any], task: str | None) -> Looked:
    """What is at a place.

    Raises:
        RequestError: the data cannot be read or divided.
        RunError: the child fails or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="studio-look-") as folder:
        asked = where.settings | reading | {"task": task, "thumbnails": folder}
        told = children.ask(root, "preview", *to_flags(asked), timeout_s=_PATIENCE_S)
        thumbnails = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
    same = (one.id for one in datasets.listed(root) if one.settings == where.settings | reading)
    return Looked(where, reading, told, thumbnails, next(same, None))


def save(root: Path, seen: Looked, name: str) -> str:
    """The id of what is now a data set.

    Raises:
        RequestError: it has no name, or an upload is gone.
    """
    task, files = seen.told["task"], seen.place.files
    return datasets.save(root, name, task, seen.settings, seen.told, files, seen.thumbnails).id


def save_version(root: Path, seen: Looked, name: str, decisions: Curation) -> datasets.DataSet:
    """The data set with decisions beside those that it has already; what was looked at is saved before, if need be.

    Raises:
        RequestError: no name, or the decisions leave less than a classifier needs.
        RunError: the child fails or takes too long.
    """
    if not name.strip():
        raise RequestError("give the version a name")
    if before := seen.settings.get("curation_file"):
        decisions = curation.read(Path(before)) | decisions
    with tempfile.TemporaryDirectory(prefix="studio-version-") as folder:
        file = Path(folder) / "decisions.json"
        curation.write(decisions, file)
        place = Place(seen.place.name, seen.place.settings | {"curation_file": str(file)})
        found = look(root, place, seen.reading, seen.told["task"])  # refuses before anything is kept
        parent = datasets.read(root, seen.id or save(root, seen, seen.place.stem))
        files = parent.files | {"curation_file": file}
        settings = parent.settings | {"curation_file": str(file)}
        return datasets.save(
            root, name, seen.told["task"], settings, found.told, files, found.thumbnails, of=parent.of or parent.id
        )
