"""The rows of an epoch and their order, which follow from (seed, epoch) alone.

So a resumed run sees the same batches, and every process agrees on them.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices


class Deal:
    """Rows of which every class has the same number in each epoch: dealt from a pack of its rows that is shuffled.

    A pack is dealt to its end before it is shuffled anew, over the epochs as well, so that no row of a class ever comes
    twice more than another.

    Args:
        classes: the class id of each row.
        sampling: how many rows of a class an epoch has: "balanced", so that all of them are about as many as there are;
            "oversample", those of the largest class; "undersample", those of the smallest.
    """

    def __init__(self, classes: Sequence[int], sampling: str, seed: int):
        classes = np.asarray(classes)
        self.packs = [np.flatnonzero(classes == one) for one in np.unique(classes)]
        self.seed = seed
        sizes = [len(pack) for pack in self.packs]
        balanced = -(-len(classes) // len(sizes))
        self.each = {"balanced": balanced, "oversample": max(sizes), "undersample": min(sizes)}[sampling]
        self.apart = len(sizes) * min(sizes)  # rows among which the same one is met once on average, or less often

    def __len__(self) -> int:
        return self.each * len(self.packs)

    def rows(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows of an epoch, class by class, and numbers that tell repetitions of a row apart: (len,), (len,)."""
        dealt = [self._of_class(number, epoch) for number in range(len(self.packs))]
        rows, times = zip(*dealt, strict=True)
        return np.concatenate(rows), np.concatenate(times)

    def _of_class(self, number: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        pack = self.packs[number]
        first, at = divmod(epoch * self.each, len(pack))
        shuffles = range(first, first + -(-(at + self.each) // len(pack)))
        rows = [np.random.default_rng([self.seed, number, shuffle]).permutation(pack) for shuffle in shuffles]
        times = np.repeat(np.arange(len(shuffles)), len(pack))
        part = slice(at, at + self.each)
        return np.concatenate(rows)[part], times[part]


class Shuffled(Sampler[int]):
    """Dealt rows, mixed. Each repetition of a row is named by its number plus `count`; with 0 they are all alike."""

    def __init__(self, deal: Deal, count: int, seed: int):
        self.deal = deal
        self.count = count
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called at the start of each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.deal)

    def __iter__(self) -> Iterator[int]:
        rows, times = self.deal.rows(self.epoch)
        order = torch.randperm(len(rows), generator=_generator(self.seed, self.epoch)).numpy()
        return iter((rows + self.count * times)[order].tolist())


class LengthGrouped(Sampler[int]):
    """Random batches of texts of about the same length, which need little padding.

    Dealt texts are sorted in shorter stretches where they repeat: the copies of a text have one length, and would stand
    side by side.

    Args:
        lengths: of all rows.
        batch_size: rows in a step, over all processes.
        deal: the rows of each epoch; each once when None.
    """

    def __init__(self, lengths: list[int], batch_size: int, seed: int, deal: Deal | None = None):
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.deal = deal
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called at the start of each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths if self.deal is None else self.deal)

    def __iter__(self) -> Iterator[int]:
        generator = _generator(self.seed, self.epoch)
        if self.deal is None:
            return iter(get_length_grouped_indices(self.lengths, self.batch_size, generator=generator))
        rows = self.deal.rows(self.epoch)[0].tolist()
        lengths = [self.lengths[row] for row in rows]
        batches = max(1, min(50, len(rows) // (4 * self.batch_size), self.deal.apart // self.batch_size))
        order = get_length_grouped_indices(lengths, self.batch_size, mega_batch_mult=batches, generator=generator)
        return iter([rows[at] for at in order])


def _generator(seed: int, epoch: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed * 1_000_003 + epoch)
