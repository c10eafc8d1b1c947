"""The texts and pictures behind row ids, small enough for a report or a page."""

import base64
import io
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset

from studio.data.alike import column
from studio.data.decode import UnreadablePicture, decode

_CHARACTERS = 5000
_SIDE = 160  # pixels


@dataclass(frozen=True)
class Item:
    """A text (or two of a pair, one below the other), or a picture as a JPEG; a name where the picture has one."""

    text: str = ""
    jpeg: bytes | None = None

    def as_json(self) -> dict[str, str | None]:
        """For programs; the picture in base64."""
        return {"text": self.text, "jpeg": self.jpeg and base64.b64encode(self.jpeg).decode()}


def items(rows: Dataset, row_ids: list[str]) -> dict[str, Item]:
    """Those of the ids that are among the rows."""
    at = pc.drop_null(pc.index_in(pa.array(row_ids, pa.string()), column(rows, "row_id"))).to_numpy()
    return {row["row_id"]: _item(row) for row in rows.select(at)}


def _item(row: dict) -> Item:
    if "image" not in row:
        parts = (row["text"], row.get("text_pair"))
        return Item("\n".join(part if len(part) <= _CHARACTERS else f"{part[:_CHARACTERS]}…" for part in parts if part))
    name = (row["image"]["path"] or "").rsplit("/", 1)[-1]
    try:
        small = decode(row["image"], _SIDE)
    except UnreadablePicture:
        return Item(name)
    small.thumbnail((_SIDE, _SIDE))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=80)
    return Item(name, content.getvalue())
