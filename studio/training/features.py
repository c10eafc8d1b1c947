"""Features of training and validation rows: computed once by the frozen network, kept in the run, trained on."""

from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader, Dataset

from studio import launch
from studio.models.frozen import Frozen
from studio.runs import Run

_BATCH = 64


class Features(Dataset):
    """Items {the network's main input: (width,) floats, "labels"}: rows as the frozen part sees them."""

    def __init__(self, name: str, values: torch.Tensor, labels: torch.Tensor):
        self.name = name
        self.values = values
        self.labels = labels

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {self.name: self.values[index], "labels": self.labels[index]}


def collate(items: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """A batch: each entry stacked, (batch, ...)."""
    return {name: torch.stack([item[name] for item in items]) for name in items[0]}


def compute(frozen: Frozen, rows: Dataset, collator: Any, device: torch.device, views: int = 1) -> Features:
    """Features of rows in their order; of varied pictures `views` times, as they look in so many epochs."""
    loader = DataLoader(rows, _BATCH, collate_fn=collator)
    values, labels = [], []
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        disable=launch.rank() != 0,
    )  # fmt: skip
    with bar:
        task = bar.add_task("features, once", total=len(rows) * views)
        for view in range(views):
            if views > 1:
                rows.set_epoch(view)
            seen = []
            batches = (_inputs(batch, seen, device) for batch in loader)
            values.append(frozen.features(batches, lambda count: bar.advance(task, count)))
            labels += seen
    return Features(frozen.network.main_input_name, torch.cat(values), torch.cat(labels))


def kept(run: Run, split: str, make: Any) -> Features:
    """The features of a split as the run keeps them; those of a resumed run are there already."""
    file = run.folder / "features" / f"{split}.safetensors"
    if not _readable(file):
        found = make()
        if not run.writes:
            return found
        file.parent.mkdir(exist_ok=True)
        fresh = file.with_suffix(".new")
        save_file({"values": found.values, "labels": found.labels}, fresh, metadata={"input": found.name})
        fresh.replace(file)
        return found
    from safetensors import safe_open

    with safe_open(file, "pt") as stored:
        name = stored.metadata()["input"]
    tensors = load_file(file)
    return Features(name, tensors["values"], tensors["labels"])


def _readable(file: Path) -> bool:
    return file.is_file()


def _inputs(batch: dict[str, torch.Tensor], seen: list, device: torch.device) -> dict[str, torch.Tensor]:
    """A batch as the network takes it; its labels are put aside."""
    seen.append(batch["labels"])
    return {name: value.to(device) for name, value in batch.items() if name != "labels"}
