"""Rows as the frozen part of a network sees them: a vector each, kept in the run while its head is trained on them."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.utils.data import Dataset


class Features(Dataset):
    """Items {the network's main input: (width,) floats, "labels": the row's label or its marks}.

    Args:
        name: what the network calls its main input, such as "input_ids" or "pixel_values".
        values: (rows, width).
        labels: class ids (rows,), or marks (rows, classes).
    """

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


def kept(file: Path, writes: bool, make: Callable[[], Features]) -> Features:
    """The features in a file, which is made where it is not there yet (by the process that `writes`)."""
    if file.is_file():
        with safe_open(file, "pt") as stored:
            return Features(
                stored.metadata()["input"], *(stored.get_tensor(name).clone() for name in ("values", "labels"))
            )
    found = make()
    if writes:
        file.parent.mkdir(exist_ok=True)
        fresh = file.with_suffix(".new")
        save_file({"values": found.values, "labels": found.labels}, fresh, metadata={"input": found.name})
        fresh.replace(file)
    return found
