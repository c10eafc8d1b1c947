"""Vary training texts: words are left out and change places, drawn from (seed, epoch, row id) alone."""

import random
from collections.abc import Sequence
from typing import TypeVar

import torch
from datasets import Dataset

from studio.config import TextAugmentation

Word = TypeVar("Word")
MARK = -1  # the word of a token that the tokenizer adds of itself


def vary(words: Sequence[Word], settings: TextAugmentation, draw: random.Random) -> list[Word]:
    """The words with some pairs swapped and some left out, but never all.

    The two of EDA's four ways that need no dictionary (Wei and Zou 2019, https://arxiv.org/abs/1901.11196).
    """
    varied = list(words)
    if len(varied) < 2:
        return varied
    for _ in range(int(settings.word_swap * len(varied) / 2 + draw.random())):  # of 0.4 pairs, one now and then
        one, other = draw.sample(range(len(varied)), 2)
        varied[one], varied[other] = varied[other], varied[one]
    kept = [word for word in varied if draw.random() >= settings.word_deletion]
    return kept or [draw.choice(varied)]


class VariedTexts(torch.utils.data.Dataset):
    """Tokenised training texts that differ from epoch to epoch; `lengths` are those of the texts as they are.

    Args:
        rows: tokens with the columns row_id, labels, length and words, which says of each token whose word it is: an
            even number in a text, an odd one in the second text of a pair.
    """

    def __init__(self, rows: Dataset, settings: TextAugmentation, seed: int):
        self._rows = rows
        self.labels = rows["labels"][:]
        self.lengths = rows["length"][:]
        self._settings = settings
        self._seed = seed
        self._by_token = [name for name in rows.column_names if name not in ("row_id", "labels", "length", "words")]
        # In shared memory, so that loader processes that outlive an epoch see it change.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def plain(self) -> Dataset:
        """The tokens of the texts as they are."""
        return self._rows.remove_columns("words")

    def set_epoch(self, epoch: int) -> None:
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: list[int]) -> list[dict]:
        """What torch's loader calls for a batch."""
        rows, epoch = self._rows[indices], int(self._epoch)
        items = []
        for at, (row_id, words) in enumerate(zip(rows["row_id"], rows["words"], strict=True)):
            order = self._order(words, random.Random(f"{self._seed}/{epoch}/{row_id}"))
            tokens = {name: [rows[name][at][place] for place in order] for name in self._by_token}
            items.append(tokens | {"labels": rows["labels"][at]})
        return items

    def _order(self, words: list[int], draw: random.Random) -> list[int]:
        """The places of the tokens that stay, in their new order; those that are no word's stay where they are."""
        tokens: dict[int, list[int]] = {}
        for at, word in enumerate(words):
            tokens.setdefault(word, []).append(at)
        texts = {
            text: [at for word in vary([w for w in tokens if w != MARK and w % 2 == text], self._settings, draw)
                   for at in tokens[word]]
            for text in (0, 1)
        }  # fmt: skip
        order: list[int] = []
        for at, word in enumerate(words):
            order += [at] if word == MARK else texts.pop(word % 2, [])  # a whole text where its first token was
        return order
