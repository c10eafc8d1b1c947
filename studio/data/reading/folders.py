"""What a folder of data holds: splits, tables, folders named after classes."""

import re
from pathlib import Path

from studio.data.reading import formats
from studio.data.reading.rows import Kind
from studio.errors import RequestError

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_SYSTEM = {"__macosx", "thumbs.db", "desktop.ini"}
_ABOUT = {"readme", "license", "licence", "notice", "citation"}


def layout(folder: Path, kind: Kind) -> dict[str, list[Path]]:
    """Per split, the tables with its rows or the folder with its classes; "train" is always there.

    Raises:
        RequestError: there is nothing of the kind, or several tables and none is called train.
    """
    folder = _unwrapped(folder)
    tables = _tables(folder)
    splits = _by_split(tables)
    if "train" in splits:
        return splits
    if len(tables) > 1:
        raise RequestError(
            f"{folder} holds several tables ({', '.join(table.name for table in tables[:10])}) and none is called "
            "train: call them train, validation and test, or use --train_file, --validation_file and --test_file"
        )
    if tables:
        return {"train": tables}
    splits = {split: _parts(found, kind) for split, found in _by_split(_folders(folder)).items()}
    if splits.get("train"):
        return {split: parts for split, parts in splits.items() if parts}
    if kind == "image" and _folders(folder):
        return {"train": [folder]}
    wanted = "a folder of pictures for each class, or a table of file names and labels beside them"
    raise RequestError(
        f"{folder} holds no data: expected {'' if kind == 'text' else wanted + ', or '}"
        f"tables such as train.csv and test.csv ({formats.NAMES})"
    )


def visible(folder: Path) -> list[Path]:
    """The entries of a folder by name, without what systems and people leave beside the data."""
    entries = (entry for entry in folder.iterdir() if not hidden(entry.name))
    return sorted(entry for entry in entries if not (entry.stem.casefold() in _ABOUT and entry.is_file()))


def hidden(name: str) -> bool:
    """Whether this is the name of a file or folder that systems leave beside the data."""
    return name.startswith(".") or name.casefold() in _SYSTEM


def _unwrapped(folder: Path) -> Path:
    """Sees through folders that hold nothing but one more folder of data."""
    while (
        len(entries := visible(folder)) == 1 and entries[0].is_dir() and (_tables(entries[0]) or _folders(entries[0]))
    ):
        folder = entries[0]
    return folder


def _by_split(entries: list[Path]) -> dict[str, list[Path]]:
    splits: dict[str, list[Path]] = {}
    for entry in entries:
        name = _SHARD.sub("", entry.name.casefold().split(".")[0])
        if name in SPLITS:
            splits.setdefault(SPLITS[name], []).append(entry)
    return splits


def _parts(splits: list[Path], kind: Kind) -> list[Path]:
    """Tables or class folders in split folders; one with neither is a class that happens to be called train or test."""
    tables = [table for folder in splits for table in _tables(folder)]
    return tables or [folder for folder in splits if kind == "image" and _folders(folder)]


def _tables(folder: Path) -> list[Path]:
    return [entry for entry in visible(folder) if formats.is_table(entry)]


def _folders(folder: Path) -> list[Path]:
    return [entry for entry in visible(folder) if entry.is_dir()]
