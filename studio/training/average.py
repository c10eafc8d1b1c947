"""A moving average of a network's weights, which often does better than the weights of the last step."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_FILE = "not_averaged.safetensors"


class Average(TrainerCallback):
    """An exponential moving average of weights and buffers; integers (counts) are the latest ones.

    A step keeps the share `decay` of it, in the first steps less: (1 + step) / (10 + step), or a short run would
    average little but its beginning. A checkpoint's model is the averaged one, as it was validated; what is trained
    stands beside it.

    Args:
        network: without what wraps it for several processes.
        decay: below 1.
    """

    def __init__(self, network: nn.Module, decay: float):
        self.network = network
        self.decay = decay
        self.aside: dict[str, torch.Tensor] = {}  # the average; while that is in place, the weights of training

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        if not self.aside:
            self.aside = {name: tensor.clone() for name, tensor in self._tensors()}

    def on_optimizer_step(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        step = state.global_step + 1
        averaged, current = [], []
        for name, tensor in self._tensors():
            if tensor.is_floating_point():
                averaged.append(self.aside[name])
                current.append(tensor)
            else:
                self.aside[name].copy_(tensor)
        get_ema_multi_avg_fn(min(self.decay, (1 + step) / (10 + step)))(averaged, current, None)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The network has the averaged weights within the block."""
        self.swap()
        try:
            yield
        finally:
            self.swap()

    def swap(self) -> None:
        """Puts the averaged weights into the network and those of training aside, or the other way round."""
        for name, tensor in self._tensors():
            kept = tensor.clone()
            tensor.copy_(self.aside[name])
            self.aside[name].copy_(kept)

    def agree(self) -> None:
        """Gives all processes the averaged buffers of the first, whose they save: each saw other rows.

        Statistics of batches differ between processes until the next step; weights never do.
        """
        if torch.distributed.is_initialized():
            for name, _ in self.network.named_buffers():
                torch.distributed.broadcast(self.aside[name], src=0)

    def save(self, folder: Path) -> None:
        """Writes what is aside into a checkpoint; to be called while the average is in place."""
        save_file({name: tensor.contiguous() for name, tensor in self.aside.items()}, folder / _FILE)

    def load(self, folder: Path) -> None:
        """Goes on from a checkpoint whose model, the averaged one, is in the network already."""
        kept = load_file(folder / _FILE)
        self.aside = {name: torch.empty_like(tensor).copy_(kept[name]) for name, tensor in self._tensors()}
        self.swap()

    def _tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Parameters and buffers by name, each once, as what may be written to."""
        for tensors in (self.network.named_parameters(), self.network.named_buffers()):
            for name, tensor in tensors:
                yield name, tensor.detach()
