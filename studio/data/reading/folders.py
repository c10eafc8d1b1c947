"""What a folder of data holds: splits, tables, folders named after classes."""

import re
from pathlib import Path

from studio.data.reading import formats, pictures
from studio.data.reading.entries import visible
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


def layout(folder: Path, kind: Kind) -> tuple[dict[str, list[Path]], list[str]]:
    """Per split, the tables with its rows or the folder with its classes; "train" is always there. And notes.

    Raises:
        RequestError: there is nothing of the kind, or several tables and none is called train.
    """
    folder = _unwrapped(folder)
    tables = _tables(folder)
    splits = _by_split(tables)
    if "train" in splits:
        return splits, []
    inner = _inner(folder, kind)
    names = ", ".join(table.name for table in tables[:10])
    if inner and _astray(tables, folder, inner, kind):
        return inner, [f"{names} beside the folders of {folder.name}: not read"] if tables else []
    if len(tables) > 1:
        raise RequestError(
            f"{folder} holds several tables ({names}) and none is called "
            "train: call them train, validation and test, or use --train_file, --validation_file and --test_file"
        )
    if tables:
        return {"train": tables}, []
    if kind == "text" and _inner(folder, "image"):
        raise RequestError(
            f"{folder} holds folders and no table: pictures are classified by recipes/resnet_image_classification.py "
            "or recipes/vit_image_classification.py, texts stand in tables such as train.csv and test.csv"
        )
    wanted = "a folder of pictures for each class, or a table of file names and labels beside them"
    raise RequestError(
        f"{folder} holds no data: expected {'' if kind == 'text' else wanted + ', or '}"
        f"tables such as train.csv and test.csv ({formats.NAMES})"
    )


def _inner(folder: Path, kind: Kind) -> dict[str, list[Path]]:
    """What folders inside a folder hold: splits, or classes; nothing where they hold neither."""
    splits = {split: _parts(found, kind) for split, found in _by_split(_folders(folder)).items()}
    if splits.get("train"):
        return {split: parts for split, parts in splits.items() if parts}
    return {"train": [folder]} if kind == "image" and _folders(folder) else {}


def _astray(tables: list[Path], folder: Path, inner: dict[str, list[Path]], kind: Kind) -> bool:
    """Whether tables beside folders of pictures are not what tells the labels."""
    if not tables:
        return True
    divided = inner["train"] != [folder] or len(_folders(folder)) > 1  # one folder alone is where a table has pictures
    return kind == "image" and divided and (len(tables) > 1 or not pictures.named_in(tables[0]))


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
