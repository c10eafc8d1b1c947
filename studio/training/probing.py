"""What the frozen part of a network says of rows, and the linear classifier on it that a head can start from."""

from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedModel

from studio import launch
from studio.data import text
from studio.data.images import Pictures
from studio.models import layers, probe
from studio.models.frozen import Frozen
from studio.training.batches import collator
from studio.training.features import Features

_BATCH = 64


def parted(network: PreTrainedModel, rows: Dataset, processor: Any) -> Frozen | None:
    """The network in two parts, tried on a few rows; None where it cannot be parted."""
    few = _plain(rows, range(min(4, len(rows))))
    batch = dict(collator(rows, processor)([few[at] for at in range(len(few))]))
    batch.pop("labels")
    try:
        return Frozen(network, batch)
    except ValueError:
        return None


def features(frozen: Frozen, rows: Dataset, processor: Any) -> Features:
    """What the frozen part says of each row; pictures are not varied, texts come in the order of their length."""
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
    frozen.network.to(device)
    inputs = _plain(rows if isinstance(rows, Pictures) else text.by_length(rows))
    labels = []

    def batches():
        for batch in DataLoader(inputs, _BATCH, collate_fn=collator(rows, processor)):
            labels.append(batch["labels"])
            yield {name: value.to(device) for name, value in batch.items() if name != "labels"}

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=launch.rank() != 0) as bar:
        task = bar.add_task("features, once", total=len(rows))
        values = frozen.features(batches(), lambda count: bar.advance(task, count))
    return Features(frozen.network.main_input_name, values, torch.cat(labels))


def probed(network: PreTrainedModel, rows: Dataset, processor: Any, most: int, seed: int) -> probe.Probe | None:
    """A linear classifier for the network's last layer, from at most so many rows.

    None where that layer is not linear, or looks at more than one vector of each row.
    """
    last = layers.last_linear(network)
    some = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:most].sort().values
    rows = rows.plain(some.tolist()) if isinstance(rows, Pictures) else rows.select(some.numpy())
    if last is None or not (frozen := parted(network, rows, processor)):
        return None
    seen = features(frozen, rows, processor)
    inputs = []
    hook = last.register_forward_pre_hook(lambda _, given: inputs.append(given[0].flatten(1)))
    try:
        with frozen.head() as head, torch.inference_mode():
            head.eval()
            head(**{seen.name: seen.values.to(last.weight.device)})
    finally:
        hook.remove()
    return probe.fit(inputs[0].cpu().clone(), seen.labels, network.config.num_labels, seed)


def _plain(rows: Dataset, indices: Any = None) -> Dataset:
    """Rows, or those at `indices`, with what a network takes and their labels alone; pictures as they are."""
    if isinstance(rows, Pictures):
        return rows.plain(indices)
    rows = rows if indices is None else rows.select(indices)
    return rows.remove_columns([name for name in ("row_id", "length") if name in rows.column_names])
