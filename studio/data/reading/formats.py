"""Opens a table file of any format that can be read."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from studio.data.reading import archives, cells, delimited, jsons
from studio.data.reading.table import COLUMN_LIMIT, Table, batch_size
from studio.errors import RequestError

_DELIMITED = {".csv", ".tsv", ".tab", ".txt"}
_JSON = {".json", ".jsonl", ".ndjson"}
SUFFIXES = _DELIMITED | _JSON | {".parquet"}
NAMES = "csv, tsv, json, jsonl, parquet (also .gz of each)"

_BUFFER_BYTES = 1 << 20  # read ahead of a column, which is otherwise in memory as a whole


def is_table(path: Path) -> bool:
    """Whether the name says that this is a table (a .txt, which may be anything, is one only if named by a person)."""
    return suffix(path) in SUFFIXES - {".txt"} and path.is_file()


def suffix(path: Path) -> str:
    """The ending that tells the format, in lower case, seen through .gz."""
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def open_table(path: Path, column_names: list[str], headerless: bool) -> Table:
    """The table in a file; the last two arguments concern files that may lack a header row (see `delimited`).

    Raises:
        RequestError: a format that is not read, or a fault in the file.
    """
    ending = suffix(path)
    if ending not in SUFFIXES:
        raise RequestError(f"{path} is of no format that is read here: save it as one of {NAMES}")
    if path.stat().st_size == 0:
        raise RequestError(f"{path} is empty: expected rows of labelled data")
    if ending in _DELIMITED:
        return delimited.open_table(path, column_names, headerless)
    if column_names:
        raise RequestError(f"--column_names is for files without a header row; {path} names its columns itself")
    return jsons.open_table(path) if ending in _JSON else _parquet(path)


def _parquet(path: Path) -> Table:
    file = archives.gunzipped(path) if path.suffix.lower() == ".gz" else path
    try:
        schema = pq.read_schema(file)
    except (pa.ArrowException, OSError) as fault:
        raise _damaged(path, fault) from fault
    if len(schema.names) > COLUMN_LIMIT:
        raise RequestError(f"{path} has {len(schema.names):,} columns, more than the {COLUMN_LIMIT:,} accepted")
    features = datasets.Features.from_arrow_schema(schema)  # knows class names where `datasets` wrote the file

    def read(batch: pa.RecordBatch, name: str) -> list[Any]:
        return [cells.named(cell, features[name]) for cell in batch.column(name).to_pylist()]

    def rows(positions: Sequence[int]) -> Iterator[tuple[int, tuple[Any, ...]]]:
        names = [schema.names[at] for at in positions]
        try:
            with pq.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER_BYTES) as parquet:
                size = batch_size(schema.field(at).type for at in positions)
                batches = parquet.iter_batches(size, columns=names)
                tuples = (zip(*(read(batch, name) for name in names), strict=True) for batch in batches)
                yield from enumerate(chain.from_iterable(tuples), start=1)
        except (pa.ArrowException, OSError) as fault:
            raise _damaged(path, fault) from fault

    return Table(path, schema.names, rows)


def _damaged(path: Path, fault: Exception) -> RequestError:
    return RequestError(f"{path} is no parquet file that can be read: {fault}")
