"""Texts that a run was tested on, to try its model with."""

from itertools import zip_longest
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from datasets import concatenate_datasets

from studio.data import load
from studio.errors import RequestError
from studio.runs import Run

_LONGEST = 240  # characters that one still reads at a glance
_LOOKED_AT = 500  # rows


def test_texts(folder: Path, count: int) -> list[dict[str, str | None]]:
    """Short texts of the test rows with their labels, of all classes in turn: "text", "text_pair", "label".

    Raises:
        RequestError: the run is none on texts, or its data cannot be read any more.
    """
    run = Run(folder)
    if run.record()["task"] != "text-classification":
        raise RequestError(f"{folder.name} is no run on texts")
    source = load.curated(load.settings_of(run))
    try:
        wanted = (run.splits / "test.txt").read_text().split()[:_LOOKED_AT]
    except OSError as error:
        raise RequestError(f"{folder.name} does not say which rows it was tested on") from error
    rows = concatenate_datasets(list(source.splits.values()))
    at = pc.drop_null(pc.index_in(pa.array(wanted, pa.string()), rows.data["row_id"]))
    by_label: dict[str, list[dict[str, str | None]]] = {}
    for row in rows.select(at.to_numpy()):
        ids = row["label"] if isinstance(row["label"], list) else [row["label"]]
        label = ", ".join(source.labels[number] for number in ids)
        if len(row["text"]) + len(row.get("text_pair") or "") <= _LONGEST:
            by_label.setdefault(label, []).append(
                {"text": row["text"], "text_pair": row.get("text_pair"), "label": label}
            )
    turns = zip_longest(*(by_label[label] for label in sorted(by_label)))
    return [row for turn in turns for row in turn if row][:count]
