"""Small pictures of the examples in a report, for those who cannot open the files."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from studio.data.alike import column
from studio.data.decode import UnreadablePicture
from studio.data.preview import thumbnail
from studio.data.quality.items import Items


def write(told: dict[str, Any], items: Items, folder: Path) -> None:
    """Writes the pictures of the examples to a folder and notes their file names as "thumbnail" in the report.

    told: a Report as JSON. Examples that are no pictures, or none that can be read, get no thumbnail.
    """
    examples = [one for finding in told["findings"] for one in finding["examples"] if one["row"]]
    at = pc.index_in(pa.array([one["row"] for one in examples], pa.string()), column(items.rows, "row_id"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number, (example, row) in enumerate(zip(examples, items.rows.select(at.to_numpy()), strict=True)):
        try:
            thumbnail(row["image"]).save(folder / f"{number:03}.webp")
        except UnreadablePicture:
            continue
        example["thumbnail"] = f"{number:03}.webp"
