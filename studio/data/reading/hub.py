"""Data sets on the Hugging Face Hub, with its ways of saying no told in one paragraph each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets import Dataset, DatasetDict
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx

from studio.config import Data, ImageData, TextData
from studio.data.reading import cells, columns
from studio.data.reading.folders import SPLITS
from studio.data.reading.rows import FEATURES, Kind, Rows, hash_picture, hash_text
from studio.data.reading.table import Table, batch_size
from studio.errors import RequestError

_PATIENCE_S = 5  # for the first answer of the Hub
_INSTEAD = "give the path of a file or folder instead, or a sample (sample:tweets, sample:mnist)"


def read(data: TextData | ImageData, kind: Kind) -> tuple[dict[str, Rows], list[str], list[str] | None, columns.Chosen]:
    """The rows of each split; notes; the names of the classes by their ids, where they are declared; and the columns.

    Raises:
        RequestError: the data set or its columns cannot be found, or the Hub is out of reach.
    """
    splits, notes = _splits(data)
    train = splits["train"]
    chosen = columns.choose(_table(train, data.dataset_name), kind, data)
    notes.append(f"{data.dataset_name}: {chosen.told(kind)}")
    for part in splits.values():
        for name in filter(None, (chosen.text_pair, chosen.group)):
            columns.position(_table(part, data.dataset_name), name)
    declared = train.features[chosen.label]
    classes = declared.feature if isinstance(declared, datasets.List) else declared
    names = classes.names if isinstance(classes, datasets.ClassLabel) else None
    return {split: _rows(part, data.dataset_name, kind, chosen) for split, part in splits.items()}, notes, names, chosen


def training_table(data: Data) -> Table:
    """The training rows of a data set as a table.

    Raises:
        RequestError: the data set cannot be found, or the Hub is out of reach.
    """
    return _table(_splits(data)[0]["train"], data.dataset_name)


def _splits(data: Data) -> tuple[dict[str, Dataset], list[str]]:
    """The splits that there are, "train" among them; and notes."""
    loaded, notes = _load(data.dataset_name, data.dataset_config_name, data.dataset_revision)
    splits = {SPLITS[name]: part for name, part in loaded.items() if name in SPLITS}
    if "train" not in splits:
        raise RequestError(f"the data set {data.dataset_name} has no training rows, only {', '.join(loaded)}")
    return splits, notes


def _load(name: str, config: str | None, revision: str | None) -> tuple[DatasetDict, list[str]]:
    """The splits of a data set on the Hub, or of its copy on this machine when the Hub is out of reach; and notes."""
    reachable = _reachable(name, revision)
    try:
        with nullcontext() if reachable else _offline():
            found = datasets.load_dataset(name, config, revision=revision)
    except ConnectionError as fault:
        raise RequestError(
            f"the data set {name} cannot be had: the Hugging Face Hub is out of reach "
            f"and there is no copy of it on this machine; {_INSTEAD}"
        ) from fault
    except (datasets.exceptions.DatasetsError, ValueError, RuntimeError, OSError) as fault:
        raise RequestError(
            f"the data set {name} on the Hub cannot be read: {' '.join(str(fault).split())} "
            f"(--dataset_config_name {config}, --dataset_revision {revision})"
        ) from fault
    if reachable:
        return found, []
    unsure = f", which may not be revision {revision}" if revision else ""
    return found, [f"the Hub is out of reach: the copy of {name} from an earlier download was used{unsure}"]


def _reachable(name: str, revision: str | None) -> bool:
    """Whether the Hub answers, asked once and briefly: `datasets` itself would try for half a minute."""
    try:
        HfApi().dataset_info(name, revision=revision, timeout=_PATIENCE_S)
    except GatedRepoError as fault:
        raise RequestError(
            f"the data set {name} is open only to people its owners have let in: ask for access on "
            f"https://huggingface.co/datasets/{name} and sign in with `hf auth login` or HF_TOKEN"
        ) from fault
    except RepositoryNotFoundError as fault:
        raise RequestError(
            f"there is no data set {name} on the Hugging Face Hub, or it is private and HF_TOKEN gives no access to "
            f"it, nor is there a file or folder of that name here: check the spelling, or {_INSTEAD}"
        ) from fault
    except RevisionNotFoundError as fault:
        raise RequestError(f"the data set {name} has no revision {revision!r} (--dataset_revision)") from fault
    except HFValidationError as fault:
        raise RequestError(f"{name!r} is neither a file or folder here nor a name on the Hub: {_INSTEAD}") from fault
    except (OfflineModeIsEnabled, httpx.HTTPError):
        return False
    return True


@contextmanager
def _offline() -> Iterator[None]:
    before = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before


def _table(dataset: Dataset, name: str) -> Table:
    """The data set as a table, so that its columns are chosen like those of a file."""

    def rows(positions: Sequence[int]) -> Iterator[tuple[int, tuple]]:
        chosen = dataset.select_columns([dataset.column_names[at] for at in positions])
        batches = _batches(chosen.with_format("arrow"))  # as stored: pictures stay packed
        for at, row in enumerate((row for batch in batches for row in batch.to_pylist()), start=1):
            yield at, tuple(row.values())

    return Table(Path(name), dataset.column_names, rows)


def _rows(dataset: Dataset, name: str, kind: Kind, chosen: columns.Chosen) -> Rows:
    """The columns of a data set that matter, the content left where it is on the disk."""
    names = {chosen.content: kind} | ({chosen.text_pair: "text_pair"} if chosen.text_pair else {})
    contents = dataset.select_columns(list(names)).rename_columns(names)
    for column in names.values():
        if contents.features[column] != FEATURES[kind]:
            contents = contents.cast_column(column, FEATURES[kind])
    word = pa.string()
    reading = cells.labels(chosen.several, chosen.label_delimiter)
    labelled = _words(dataset, chosen.label, reading, pa.list_(word) if chosen.several else word)
    grouped = _words(dataset, chosen.group, cells.group, word)
    hashes = np.fromiter(_hashes(contents, name), np.uint64, len(contents))
    return Rows(contents, labelled, hashes, grouped, pa.chunked_array([pa.nulls(len(contents), word)]))


def _words(dataset: Dataset, column: str | None, read: Callable[[Any], Any], kind: pa.DataType) -> pa.ChunkedArray:
    """A column as strings, null where there is nothing; a public test set may lack that of the labels."""
    if column not in dataset.column_names:
        return pa.chunked_array([pa.nulls(len(dataset), kind)])
    feature = dataset.features[column]
    batches = _batches(dataset.select_columns([column]))
    return pa.chunked_array(
        [pa.array((read(cells.named(cell, feature)) for cell in batch[column]), kind) for batch in batches], kind
    )


def _batches(dataset: Dataset) -> Iterator[Any]:
    return dataset.iter(batch_size(dataset.features.arrow_schema.types))


def _hashes(contents: Dataset, name: str) -> Iterator[int]:
    found = (row for batch in _batches(contents) for row in zip(*batch.values(), strict=True))
    for at, row in enumerate(found, start=1):
        try:
            yield _hash(*row)
        except RequestError as fault:
            raise RequestError(f"{name}, row {at}: {fault}") from None


def _hash(content: str | dict | None, *pair: str | None) -> int:
    if isinstance(content, dict):
        return hash_picture(content["bytes"] or Path(content["path"]))
    return hash_text(cells.text(content), *(cells.text(text) or "" for text in pair))
