"""Saved data sets: what a person has looked at and named, to train on again and again.

Each is a folder `<run root>/data/<id>/` with dataset.json, the files that were uploaded, and thumbnails of pictures.
The page knows it by its id alone.
"""

import contextlib
import json
import re
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.config import Data, ImageData, TextData
from studio.errors import RequestError
from studio.fields import specs
from studio.jobs.listing import run_folders
from studio.jobs.standing import standing
from studio.runs import Run, write_whole
from studio.ui.security import UPLOAD_BYTES

_NAME_LIMIT = 80  # characters
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PLACES = {spec.name for spec in specs(Data) if spec.path}
_OF_A_RUN = {"max_seq_length", "image_size"}
_OF_A_RUN |= {"max_train_samples", "max_eval_samples", "max_predict_samples"}
_FILES = "files"
_THUMBNAILS = "thumbnails"
_SPLITS = "splits"


@dataclass(frozen=True)
class DataSet:
    """`settings` are a recipe's flags by name; `preview` is what `python -m studio preview` told, or empty."""

    id: str
    name: str
    task: str
    settings: dict[str, Any]
    created: float  # seconds since the epoch
    preview: dict[str, Any]
    files: dict[str, Path] = field(default_factory=dict)  # uploads, by the settings that name them
    folder: Path | None = None
    of: str | None = None  # the data set that it is a version of, with other decisions

    @property
    def thumbnails(self) -> dict[str, bytes]:
        """Small pictures by the names that the preview gives them."""
        files = (self.folder / _THUMBNAILS).glob("*.webp") if self.folder else ()
        return {file.name: file.read_bytes() for file in sorted(files)}


_DEFAULTS = {  # of the settings that belong to a data set: where it is, how it is read and divided
    spec.name: spec.default for group in (TextData, ImageData) for spec in specs(group) if spec.name not in _OF_A_RUN
}
SAMPLES = {
    sample.id: sample
    for sample in (
        DataSet("sample-tweets", "Tweets (sample)", "text-classification", {"dataset_name": "sample:tweets"}, 0.0, {}),
        DataSet("sample-mnist", "Digits (sample)", "image-classification", {"dataset_name": "sample:mnist"}, 0.0, {}),
    )
}


def listed(root: Path) -> list[DataSet]:
    """The data sets there are to train on: the saved ones, the newest first, then the samples."""
    return [*saved(root), *SAMPLES.values()]


def saved(root: Path) -> list[DataSet]:
    """The saved data sets of a run root, the newest first; a damaged one is passed over."""
    found = []
    for file in (root / "data").glob("*/dataset.json"):
        with contextlib.suppress(RequestError):
            found.append(read(root, file.parent.name))
    return sorted(found, key=lambda dataset: dataset.created, reverse=True)


def versions(root: Path, name: str) -> list[DataSet]:
    """A data set and those with the same data and other decisions, the newest first; of whichever is named.

    Raises:
        RequestError: there is none of that id.
    """
    first = read(root, name).of or name
    return [dataset for dataset in listed(root) if first in (dataset.id, dataset.of)]


def read(root: Path, name: str) -> DataSet:
    """A data set by its id.

    Raises:
        RequestError: there is none of that id.
    """
    if name in SAMPLES:
        return SAMPLES[name]
    folder = root / "data" / name
    try:
        if not _ID.fullmatch(name):
            raise ValueError(name)
        told = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        files = {setting: folder / _FILES / file for setting, file in told["files"].items()}
        settings = told["settings"] | {setting: str(file) for setting, file in files.items()}
        settings |= {"splits_from": str(folder)} if (folder / _SPLITS).is_dir() else {}
        return DataSet(**told | {"id": name, "settings": settings, "files": files, "folder": folder})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RequestError(f"there is no data set {name[:_NAME_LIMIT]!r}: it may have been removed") from error


def save(
    root: Path,
    name: str,
    task: str,
    settings: Mapping[str, Any],
    preview: Mapping[str, Any],
    files: Mapping[str, Path] | None = None,
    thumbnails: Mapping[str, bytes] | None = None,
    of: str | None = None,
    splits: Path | None = None,
) -> DataSet:
    """Keeps a data set. `files` are uploads by the settings that name them; they are copied, or shared with `of`.

    So are `splits`, a folder of row ids as a run has it: the data set is then divided in that way.

    Raises:
        RequestError: it has no name, or a file is gone or too large.
    """
    name = _free_name(root, " ".join(name.split())[:_NAME_LIMIT])
    files = files or {}
    for file in files.values():
        check_upload(file)
    slug = "-".join(re.findall(r"[a-z0-9]+", name.lower()))[:40].strip("-") or "data"
    identity = f"{slug}-{secrets.token_hex(3)}"
    (root / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = root / "data" / f".{identity}"
    try:
        for folder in (unfinished, unfinished / _FILES, unfinished / _THUMBNAILS):
            folder.mkdir(mode=0o700)
        kept = {setting: f"{setting}/{safe_name(file.name)}" for setting, file in files.items()}
        for setting, file in files.items():
            target = unfinished / _FILES / kept[setting]
            target.parent.mkdir(mode=0o700)
            if file.is_relative_to(root / "data"):  # of another version: it is never changed, and may be removed
                target.hardlink_to(file)
            else:
                shutil.copyfile(file, target)
            target.chmod(0o600)
        if splits:
            shutil.copytree(splits, unfinished / _SPLITS)
        for picture, content in (thumbnails or {}).items():
            write_whole(unfinished / _THUMBNAILS / safe_name(picture), content)
        told = {
            "id": identity,
            "name": name,
            "task": task,
            "settings": {setting: value for setting, value in settings.items() if setting not in files},
            "files": kept,
            "created": time.time(),
            "preview": dict(preview),
            "of": of,
        }
        write_whole(unfinished / "dataset.json", json.dumps(told, ensure_ascii=False, indent=1))
        unfinished.rename(root / "data" / identity)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return read(root, identity)


def remove(root: Path, name: str) -> None:
    """Takes a saved data set away, with the files that were uploaded for it.

    Raises:
        RequestError: there is none of that id, it is a sample, or a run that waits or goes on uses it.
    """
    dataset = read(root, name)
    if dataset.folder is None:
        raise RequestError(f"{dataset.name} is a sample that comes with the studio: it stays")
    for folder in run_folders(root):
        now = standing(folder)
        if (now.going or now.state == "queued") and _uses(folder, dataset):
            raise RequestError(
                f"{dataset.name} is used by the run {folder.name}, which is {now.state}: "
                "wait until it has ended, or stop it first"
            )
    for other in saved(root):
        if other.id != dataset.id and _lies_in(other, dataset.folder):
            raise RequestError(
                f"{other.name} is a version of {dataset.name} and reads its files: remove that one first"
            )
    dataset.folder.rename(gone := dataset.folder.with_name(f".{dataset.id}"))  # at once for whoever looks
    shutil.rmtree(gone)


def check_upload(file: Path) -> None:
    """Raises:
    RequestError: an uploaded file is gone or too large.
    """
    if not file.is_file():
        raise RequestError(f"the upload {safe_name(file.name)} is not there any more: upload it again")
    if file.stat().st_size > UPLOAD_BYTES:
        raise RequestError(
            f"{safe_name(file.name)} has {file.stat().st_size / 1e9:.1f} GB, and uploads may have "
            f"{UPLOAD_BYTES / 1e9:.0f} GB: choose 'On this machine' instead, which copies nothing"
        )


def safe_name(name: str) -> str:
    """A file name that means nothing to a shell, a browser or a path, with the ending it had."""
    plain = re.sub(r"[^\w.-]+", "_", Path(name).name).lstrip(".-") or "data"
    return plain[-_NAME_LIMIT:].lstrip(".-")


def of_run(root: Path, run: Run) -> DataSet:
    """The data set that a run was trained on; saved under the name of its rows if it is none of those there are.

    Raises:
        RequestError: it is no run, or names no data.
    """
    settings = settings_of(run)
    return known(root, settings) or save(root, stem(settings), run.record()["task"], settings, {})


def known(root: Path, settings: Mapping[str, Any]) -> DataSet | None:
    """The data set that these settings stand for, if there is one."""
    placed = _placed(settings)
    return next((dataset for dataset in listed(root) if _placed(dataset.settings) == placed), None)


def settings_of(run: Run) -> dict[str, Any]:
    """The settings of a run that say where its data are, how they are read and divided.

    Raises:
        RequestError: it is no run, or names no data.
    """
    settings = {name: value for name, value in run.settings().items() if name in _DEFAULTS and value != _DEFAULTS[name]}
    if not stem(settings):
        raise RequestError(f"{run.folder.name} names no data")
    return settings


def stem(settings: Mapping[str, Any]) -> str:
    """What data would be called if nobody named them."""
    return Path(settings.get("dataset_name") or settings.get("train_file") or "").stem


def _free_name(root: Path, name: str) -> str:
    """The name, numbered where there is a data set of that name already."""
    if not name:
        raise RequestError("give the data set a name")
    taken = {dataset.name for dataset in listed(root)}
    names = (name if at == 1 else f"{name} {at}" for at in range(1, len(taken) + 2))
    return next(free for free in names if free not in taken)


def _uses(folder: Path, dataset: DataSet) -> bool:
    """Whether a run reads the data set."""
    with contextlib.suppress(RequestError, OSError):
        used, own = _placed(Run(folder).settings()), _placed(dataset.settings)
        return all(used.get(name) == own.get(name) for name in ("dataset_name", "curation_file"))
    return False  # removed in this moment


def _lies_in(dataset: DataSet, folder: Path) -> bool:
    """Whether files that a data set reads lie in a folder."""
    places = (Path(dataset.settings.get(name) or "") for name in _PLACES)
    return any(place.is_absolute() and place.is_relative_to(folder.resolve()) for place in places)


def _placed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as config.yaml has them: what is on this machine is named from its root."""
    return {
        name: str(Path(value).resolve()) if name in _PLACES and value and Path(value).exists() else value
        for name, value in settings.items()
    }
