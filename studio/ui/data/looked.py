"""What a child process finds where data are, and keeping that as a data set."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.fields import to_flags
from studio.ui import children, datasets
from studio.ui.data.source import Place

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
