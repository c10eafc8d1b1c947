"""Reads files that are bad in known ways and writes down what really comes out, as a table.

    python -m tests.bench.messy FOLDER docs/messy.md

FOLDER holds the files and MANIFEST.csv with the columns file, what_is_wrong, expected.
"""

import csv
import sys
import tempfile
import zipfile
from collections import Counter
from itertools import combinations
from pathlib import Path

import datasets
import numpy as np
from PIL import Image, ImageStat

from studio.config import ImageData, TextData
from studio.data import alike, load, preview, sources, splits
from studio.data.decode import UnreadablePicture, decode
from studio.data.progress import progress
from studio.data.quality.items import gather
from studio.data.quality.report import check
from studio.data.readable import readable
from studio.errors import RequestError

_GOOD = 24  # pictures of each of two classes beside the one on trial


def main(folder: Path, target: Path) -> None:
    with (folder / "MANIFEST.csv").open(newline="") as file:
        trials = list(csv.DictReader(file))
    lines = ["| file | what is wrong | expected | seen | `check` finds |", "| --- | --- | --- | --- | --- |"]
    for trial in trials:
        path = folder / trial["file"]
        with tempfile.TemporaryDirectory() as scratch:
            datasets.config.HF_DATASETS_CACHE = Path(scratch) / "cache"
            seen = _WAYS[path.parent.name](path, Path(scratch)).replace(f"{path}", path.name)
            checked = _checked(path, Path(scratch))
        cells = (trial["file"], trial["what_is_wrong"], trial["expected"], seen, checked)
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
        print(lines[-1], flush=True)
    target.write_text(
        "# Messy files\n\nWhat comes out when each of these files is read and divided for training, and what "
        "`python -m studio check` finds in it beforehand. "
        "Made by `make messy DATA=FOLDER`.\n\n"
        "Texts are read by `studio.data.sources` and divided by `studio.data.splits`. A picture stands as one of "
        f"{2 * _GOOD + 1} in a folder of two classes, the others being good; archives are read like any data.\n\n"
        + "\n".join(lines)
        + "\n"
    )


def _texts(path: Path, scratch: Path) -> str:
    try:
        source = sources.read(data := TextData(dataset_name=str(path)))
    except RequestError as refusal:
        return f"refused: {refusal}"
    read = f"{len(source.splits['train']):,} rows of {len(source.labels)} classes read"
    try:
        return f"{read}. {_divided(splits.divide(source, data, seed=0))}"
    except RequestError as refusal:
        return f"{read}; not divided: {refusal}. {'. '.join(source.notes)}"


def _divided(divided: splits.Splits) -> str:
    parts = {name: getattr(divided, name) for name in sources.SPLITS}
    shares = "; ".join(
        f"{name} {' + '.join(f'{count}' for _, count in sorted(Counter(rows['label'][:]).items()))}"
        for name, rows in parts.items()
    )
    contents = [set(alike.contents(rows).tolist()) for rows in parts.values()]
    crossing = sum(len(one & other) for one, other in combinations(contents, 2))
    notes = " ".join(f"{note.rstrip('.')}." for note in divided.notes)
    return f"Rows by class: {shares}; {crossing} contents in two splits. {notes}"


def _pictures(path: Path, scratch: Path) -> str:
    chance = np.random.default_rng(0)
    for at in range(2 * _GOOD):
        place = scratch / "photos" / ("red" if at % 2 else "blue") / f"{at}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chance.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(place)
    place = scratch / "photos" / "red" / path.name
    place.write_bytes(path.read_bytes())
    data = ImageData(dataset_name=str(scratch / "photos"))
    source = sources.read(data)
    checked = readable(source)
    divided = splits.divide(checked, data, seed=0)
    used = sum(len(getattr(divided, name)) for name in sources.SPLITS)
    notes = " ".join(note for note in checked.notes if path.name in note).replace(f"{place}", path.name)
    return f"{_decoded(path)}; {used} of {2 * _GOOD + 1} pictures divided. {notes}"


def _decoded(path: Path) -> str:
    try:
        picture = decode(path)
    except UnreadablePicture as reason:
        return f"left out: {reason}"
    colour = ", ".join(f"{mean:.0f}" for mean in ImageStat.Stat(picture).mean)
    white = np.mean(np.all(np.asarray(picture) == 255, axis=-1))
    upright = path.with_name("UPPER.JPG")
    like = ""
    if path.name.startswith("hopper") and upright.exists():  # the same photo, as taken
        other = decode(upright).resize(picture.size)
        distance = np.abs(np.asarray(picture, float) - np.asarray(other, float)).mean()
        like = f", {distance:.0f} grey levels from {upright.name}"
    return f"decoded: {picture.width} x {picture.height} {picture.mode}, mean {colour}, {white:.0%} white{like}"


def _archive(path: Path, scratch: Path) -> str:
    inside = scratch / "cache"
    before = {file for file in scratch.rglob("*") if inside not in file.parents}
    try:
        outcome = f"{len(sources.read(TextData(dataset_name=str(path))).splits['train'])} rows read"
    except RequestError as refusal:
        outcome = f"refused: {refusal}"
    with zipfile.ZipFile(path) as archive:
        absolute = [name for name in archive.namelist() if name.startswith("/")]
    after = {file for file in scratch.rglob("*") if inside not in file.parents} - before - {inside}
    outside = len(after) + sum(Path(name).exists() for name in absolute)
    return f"{outcome}. {outside} files outside, {sum(f.is_file() for f in inside.rglob('*'))} inside"


def _checked(path: Path, scratch: Path) -> str:
    """The findings of the data check by kind; of a picture, in the folder that it was put into."""
    place = scratch / "photos" if path.parent.name == "images" else path
    try:
        task, data = preview.settings([f"--dataset_name={place}"])
        source = load.curated(data)
    except RequestError:
        return "refused, as it is in training"
    report = check(gather(source), source, data, task, progress())
    return ", ".join(f"{finding.kind} ({finding.count:,})" for finding in report.findings) or "nothing"


_WAYS = {"text": _texts, "images": _pictures, "archives": _archive}


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
