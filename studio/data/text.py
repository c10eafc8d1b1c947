"""Texts become tokens: tokenise once, pad each batch to its own longest text."""

import os
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import DataCollatorWithPadding, PreTrainedTokenizerBase

from studio import launch
from studio.data import splits
from studio.data.marks import targets


def tokenise(divided: splits.Splits, tokenizer: PreTrainedTokenizerBase, max_seq_length: int) -> dict[str, Dataset]:
    """Token ids of each split, with the columns row_id, labels, length (in tokens) and what the model takes.

    Texts that come in pairs are read one after the other. Labels are class ids, or a float of 0 or 1 for each class
    where rows have several.

    Validation and test are sorted by length: padding each batch to its longest text then costs next to nothing,
    and the row ids travel along.
    """
    longest = min(max_seq_length, tokenizer.model_max_length)
    tokenizer.model_max_length = longest  # saved with the model, which then cuts texts as it did in training

    feature = divided.train.features["label"]  # alone, since the functions given to `map` are hashed with their world

    def encode(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        encoded = dict(tokenizer(rows["text"], rows.get("text_pair"), truncation=True, max_length=longest))
        labels = targets(rows["label"], feature)
        return encoded | {"labels": labels, "length": [len(ids) for ids in encoded["input_ids"]]}

    def tokens(rows: Dataset) -> Dataset:
        # the tokenizer's own threads and forked workers do not mix, and the threads are fast enough
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        kept = [name for name in rows.column_names if name != "row_id"]
        return rows.map(encode, batched=True, remove_columns=kept, desc="tokenising")

    train = tokens(divided.train)
    cut = int((np.asarray(train["length"]) >= longest).sum())
    if cut and launch.rank() == 0:
        print(f"  {cut:,} of {len(train):,} training texts fill {longest} tokens; what is beyond is not read", end="")
        print(" (--max_seq_length)" if longest == max_seq_length else " (the model takes no more)")
    return {
        "train": train,
        "validation": by_length(tokens(divided.validation)),
        "test": by_length(tokens(divided.test)),
    }


def by_length(rows: Dataset) -> Dataset:
    """The rows from the shortest to the longest."""
    return rows.select(np.argsort(rows["length"][:], kind="stable"))


def collator(tokenizer: PreTrainedTokenizerBase) -> DataCollatorWithPadding:
    """Pads a batch to its longest text, on a multiple of 8 as matrix units like it: (batch, tokens)."""
    return DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8)
