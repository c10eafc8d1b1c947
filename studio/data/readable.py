"""Leave out the pictures that cannot be decoded, by decoding all of them before anything is trained."""

import dataclasses
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from datasets import Dataset
from tqdm import tqdm

from studio.data.decode import UnreadablePicture, decode
from studio.data.sources import Source
from studio.errors import RequestError

CHECKED_AT = 32  # pixels: a large JPEG is read from its first byte to its last also when it is decoded small


def readable(source: Source) -> Source:
    """The source without its unreadable pictures, which are counted and named in its notes.

    Raises:
        RequestError: more than three pictures and more than a tenth of all are unreadable, or all are.
    """
    kept, complaints = {}, []
    total = sum(len(rows) for rows in source.splits.values())
    with tqdm(total=total, desc="Checking pictures", unit=" pictures", delay=1, leave=False, disable=None) as bar:
        for name, rows in source.splits.items():
            good = []
            for index, complaint in enumerate(_complaints(rows)):
                bar.update()
                if complaint is None:
                    good.append(index)
                else:
                    complaints.append(complaint)
            kept[name] = rows.select(good)
    if not complaints:
        return source
    listed = "; ".join(complaints[:5]) + ("; ..." if len(complaints) > 5 else "")
    if len(complaints) == total or len(complaints) > max(3, total // 10):
        raise RequestError(
            f"{source.origin}: {len(complaints)} of {total} pictures cannot be read ({listed}). Up to a tenth would be "
            "left out; with so many, repair or remove these files first"
        )
    note = f"{len(complaints)} of {total} pictures cannot be read and are left out: {listed}."
    return dataclasses.replace(source, splits=kept, notes=[*source.notes, note])


def _complaints(rows: Dataset) -> Iterator[str | None]:
    """For each row in order, None or what is wrong with its picture; Pillow decodes on all cores at once."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch in rows.select_columns(["image", "row_id"]).iter(batch_size=64):
            yield from pool.map(_complaint, batch["image"], batch["row_id"])


def _complaint(image: dict, row_id: str) -> str | None:
    try:
        decode(image, CHECKED_AT)
    except UnreadablePicture as error:
        return f"{image['path'] or f'the picture of row {row_id}'} {error}"
    return None
