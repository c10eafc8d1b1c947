"""What rows are like besides their label: how long a text is, how large a picture, where it lay."""

from pathlib import PurePath

from datasets import Dataset

from studio.data.alike import column
from studio.data.decode import UnreadablePicture, header


def traits(rows: Dataset) -> dict[str, list]:
    """By name, a value for each row, or None: "characters", or "shorter_side" (pixels), "file_type" and "folder".

    And "group", where the rows have groups.
    """
    found = _of_pictures(rows) if "image" in rows.column_names else {"characters": _lengths(rows)}
    if "group" in rows.column_names:
        found["group"] = column(rows, "group").to_pylist()
    return found


def _lengths(rows: Dataset) -> list[int]:
    texts = (column(rows, name).to_pylist() for name in ("text", "text_pair") if name in rows.column_names)
    return [sum(map(len, parts)) for parts in zip(*texts, strict=True)]


def _of_pictures(rows: Dataset) -> dict[str, list]:
    found: dict[str, list] = {"shorter_side": [], "file_type": [], "folder": []}
    for image in (image for batch in rows.select_columns(["image"]).iter(batch_size=64) for image in batch["image"]):
        path = PurePath(image["path"] or "")
        found["shorter_side"].append(_shorter_side(image))
        found["file_type"].append(path.suffix.lower().lstrip(".") or None)
        found["folder"].append(path.parent.name or None)
    return found


def _shorter_side(image: dict) -> int | None:
    try:
        stated = header(image)
    except UnreadablePicture:
        return None
    return min(stated.width, stated.height)
