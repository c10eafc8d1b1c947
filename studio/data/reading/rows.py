"""Rows on their way into a data set: content, label as it was written, and a hash of the content, kept on disk."""

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import datasets
import numpy as np
import pyarrow as pa
from datasets import Dataset

from studio.errors import RequestError, RunError

Kind = Literal["text", "image"]
Picture = Path | bytes

_BATCH = 500  # rows
_BATCH_BYTES = 32_000_000  # of pictures
FEATURES = {"text": datasets.Value("string"), "image": datasets.Image(decode=False)}


class Row(NamedTuple):
    """What a table says of one text or picture; the rest of what stands there does not matter."""

    content: str | Picture | None
    label: str | list[str | None] | None
    group: str | None = None
    text_pair: str | None = None  # "" where texts come in pairs and there is none
    place: str | None = None  # file and line, where there are lines


@dataclass
class Rows:
    """One split as it was read, before its labels become ids. All five have one entry per row."""

    content: Dataset  # one column, "text" (str) or "image" ({"bytes", "path"}); or "text" and "text_pair"
    labels: pa.ChunkedArray  # strings (plain or dictionary encoded) or lists of them as written; null where none is
    hashes: np.ndarray  # uint64, of the content; 0 where there is no content
    groups: pa.ChunkedArray  # strings: to whom or what each row belongs; null where that is not known
    places: pa.ChunkedArray  # strings: the file and line of each row; null where it has none


def store(rows: Iterable[Row], kind: Kind, key: str, *, several: bool = False, pairs: bool = False) -> Rows:
    """Write rows into the cache on disk, or find them there.

    `rows` is consumed only when the cache has nothing under `key`, which must name everything the rows
    follow from. The rows are memory-mapped, so their number does not show in the memory of the process.

    several: labels are lists.
    pairs: texts come in pairs.
    """
    path = cache_folder() / f"{_digest(f'{kind} {key} {several} {_code()}'.encode()):016x}.arrow"
    word = datasets.Value("string")
    label = datasets.List(word) if several else word
    features = datasets.Features(
        {kind: FEATURES[kind], "label": label, "group": word, "text_pair": word, "place": word}
        | {"hash": datasets.Value("uint64")}
    )
    if not path.exists():
        _write(_batches(iter(rows), kind, features.arrow_schema), features.arrow_schema, path)
    stored = Dataset.from_file(str(path), info=datasets.DatasetInfo(features=features))
    columns = stored.data
    content = stored.select_columns([kind, "text_pair"] if pairs else [kind])
    return Rows(content, columns["label"], columns["hash"].to_numpy(), columns["group"], columns["place"])


def hash_text(text: str | None, pair: str | None = None) -> int:
    """64 bits that stand for a text, or for two that make a pair; 0 if one is missing or nothing but white space."""
    texts = [text] if pair is None else [text, pair]
    if not all(part and not part.isspace() for part in texts):
        return 0
    return _digest("\0".join(texts).encode("utf-8", "replace"))


def hash_picture(picture: Picture | None) -> int:
    """64 bits that stand for the bytes of a picture or picture file; 0 for none.

    Raises:
        RequestError: the file cannot be read.
    """
    if picture is None:
        return 0
    if isinstance(picture, bytes):
        return _digest(picture)
    try:
        with picture.open("rb") as file:
            return _number(hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).digest())
    except OSError as fault:
        raise RequestError(f"{picture} cannot be read: {fault.strerror}") from fault


def cache_folder() -> Path:
    """Where rows and unpacked archives are kept between runs: below the cache of `datasets` (HF_HOME moves it)."""
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "studio"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Around writing to the cache.

    Raises:
        RunError: the disk is full.
    """
    try:
        yield
    except OSError as failure:
        if failure.errno != errno.ENOSPC:
            raise
        raise RunError(
            f"no space left on the disk of {cache_folder()}, where data is kept between runs: "
            "make room, or let HF_HOME name a folder on a larger disk"
        ) from failure


def _batches(rows: Iterator[Row], kind: Kind, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    encode = _encode_text if kind == "text" else _encode_picture
    for batch in _batched(rows):
        contents, labels, groups, text_pairs, places = zip(*batch, strict=True)
        hashes = map(hash_text, contents, text_pairs) if kind == "text" else map(hash_picture, contents)
        columns = [map(encode, contents), labels, groups, map(_encode_text, text_pairs), places, hashes]
        yield pa.record_batch(
            [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
        )


def _batched(rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch, size_bytes = [], 0
    for row in rows:
        batch.append(row)
        size_bytes += len(row.content) if isinstance(row.content, bytes) else 0
        if len(batch) == _BATCH or size_bytes > _BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def _encode_text(text: str | None) -> bytes | None:
    return text and text.encode("utf-8", "replace")  # a lone surrogate from JSON becomes "?"


def _encode_picture(picture: Picture | None) -> dict | None:
    if isinstance(picture, bytes):
        return {"bytes": picture, "path": None}
    return picture and {"bytes": None, "path": str(picture)}


def _write(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}")
    try:
        with full_disk_told(), pa.OSFile(str(unfinished), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _digest(data: bytes) -> int:
    return _number(hashlib.blake2b(data, digest_size=8).digest())


def _number(digest: bytes) -> int:
    return int.from_bytes(digest, "big")


@cache
def _code() -> str:
    """Stands for the code that reads rows, so that rows read by older code are never found again."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.blake2b(b"".join(source.read_bytes() for source in sources)).hexdigest()
