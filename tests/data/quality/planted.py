"""Data with faults that the tests have planted, and what a check finds in them."""

import csv
import random
from pathlib import Path

import numpy as np
from PIL import Image

from studio.config import ImageData, TextData
from studio.data import load
from studio.data.progress import progress
from studio.data.quality.items import Finding, Items, gather
from studio.data.quality.report import Report, check

_WORDS = [
    f"{a}{b}{c}" for a in ("ba", "ke", "lo", "mu") for b in ("ri", "so", "ta", "ven") for c in ("d", "k", "n", "x")
]


def sentences(count: int, seed: int = 0) -> list[str]:
    """Sentences that no check minds: different, of about one length, in no language."""
    chance = random.Random(seed)
    return [" ".join(chance.sample(_WORDS, chance.randint(7, 9))) for _ in range(count)]


def good(count: int = 60, seed: int = 0) -> list[tuple[str, str]]:
    return [(text, "ab"[at % 2]) for at, text in enumerate(sentences(count, seed))]


def table(path: Path, rows: list[tuple], header: tuple[str, ...] = ("text", "label")) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def photo(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Sharp coloured blotches of all levels."""
    noise = np.random.default_rng(seed)
    coarse = noise.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    fine = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), int)
    return Image.fromarray(np.clip(fine + noise.integers(-40, 40, fine.shape), 0, 255).astype(np.uint8))


def photos(folder: Path, count: int = 40, size: tuple[int, int] = (96, 64)) -> Path:
    """A class folder each for cats and dogs."""
    for at in range(count):
        put(photo(at, size), folder / ("cat" if at % 2 else "dog") / f"{at}.png")
    return folder


def put(picture: Image.Image, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)
    return file


def items(place: Path, *, quick: bool = False, **settings) -> tuple[Items, Report]:
    """What stands at a place, and the report about it."""
    kind, task = (ImageData, "image-classification") if place.is_dir() else (TextData, "text-classification")
    data = kind(dataset_name=str(place), **settings)
    source = load.curated(data)
    rows = gather(source)
    return rows, check(rows, source, data, task, progress(), quick)


def found(place: Path, **settings) -> dict[str, Finding]:
    """The findings by their kinds."""
    return {finding.kind: finding for finding in items(place, **settings)[1].findings}


def excerpts(finding: Finding) -> list[str]:
    return [example.excerpt for example in finding.examples]
