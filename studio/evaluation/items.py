"""The texts and pictures behind row ids, small enough for a report or a page."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset

from studio.data.alike import column
from studio.data.decode import UnreadablePicture, decode

CHARACTERS = 400  # of a text that is short
_LONGEST = 5000  # characters of one that is whole
_SIDE = 160  # pixels


@dataclass(frozen=True)
class Item:
    """A text (or two of a pair, one below the other), or a picture as a JPEG; a name where the picture has one.

    `texts` are the text, or the two, as they are; `text` is short.
    """

    text: str = ""
    jpeg: bytes | None = None
    texts: tuple[str, ...] = ()

    def as_json(self) -> dict[str, str | None]:
        """For programs; the picture in base64."""
        whole = "\n".join(_cut(text, _LONGEST) for text in self.texts) or self.text
        return {"text": whole, "jpeg": self.jpeg and base64.b64encode(self.jpeg).decode()}


def items(rows: Dataset, row_ids: list[str]) -> dict[str, Item]:
    """Those of the ids that are among the rows."""
    at = pc.drop_null(pc.index_in(pa.array(row_ids, pa.string()), column(rows, "row_id"))).to_numpy()
    return {row["row_id"]: _item(row) for row in rows.select(at)}


def asked(row: dict) -> str | tuple[str, str] | Path | bytes:
    """What a Predictor is asked about a row: its text, its pair of texts, or its picture."""
    if "image" in row:
        return Path(row["image"]["path"]) if row["image"]["bytes"] is None else row["image"]["bytes"]
    return (row["text"], row["text_pair"]) if "text_pair" in row else row["text"]


def _item(row: dict) -> Item:
    if "image" not in row:
        parts = tuple(filter(None, (row["text"], row.get("text_pair"))))
        return Item("\n".join(_cut(part, CHARACTERS) for part in parts), texts=parts)
    name = (row["image"]["path"] or "").rsplit("/", 1)[-1]
    try:
        small = decode(row["image"], _SIDE)
    except UnreadablePicture:
        return Item(name)
    small.thumbnail((_SIDE, _SIDE))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=80)
    return Item(name, content.getvalue())


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
