"""Texts become tokens: tokenise once, pad each batch to its own longest text."""

import os
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import BatchEncoding, DataCollatorWithPadding, PreTrainedTokenizerBase

from studio import launch
from studio.config import TextAugmentation
from studio.data import splits
from studio.data.marks import targets
from studio.data.words import MARK, VariedTexts
from studio.errors import RequestError


def tokenise(
    divided: splits.Splits,
    tokenizer: PreTrainedTokenizerBase,
    max_seq_length: int,
    augmentation: TextAugmentation | None = None,
    seed: int = 0,
) -> dict[str, Dataset | VariedTexts]:
    """Token ids of each split, with the columns row_id, labels, length (in tokens) and what the model takes.

    Texts that come in pairs are read one after the other. Labels are class ids, or a float of 0 or 1 for each class
    where rows have several.

    Validation and test are sorted by length: padding each batch to its longest text then costs next to nothing,
    and the row ids travel along.

    Raises:
        RequestError: the words of training texts are to be varied, and the tokenizer does not tell them apart.
    """
    varied = augmentation is not None and bool(augmentation.word_deletion or augmentation.word_swap)
    if varied and not tokenizer.is_fast:
        raise RequestError(
            "--word_deletion and --word_swap need a tokenizer that says which word a token is of, and the model's "
            "(--model_name_or_path) does not: leave them out"
        )
    longest = min(max_seq_length, tokenizer.model_max_length)
    tokenizer.model_max_length = longest  # saved with the model, which then cuts texts as it did in training

    feature = divided.train.features["label"]  # alone, since the functions given to `map` are hashed with their world

    def encode(rows: dict[str, list[Any]], with_words: bool) -> dict[str, list[Any]]:
        encoded = tokenizer(rows["text"], rows.get("text_pair"), truncation=True, max_length=longest)
        words = {"words": [_words(encoded, row) for row in range(len(rows["text"]))]} if with_words else {}
        labels = targets(rows["label"], feature)
        return dict(encoded) | words | {"labels": labels, "length": [len(ids) for ids in encoded["input_ids"]]}

    def tokens(rows: Dataset, with_words: bool = False) -> Dataset:
        # the tokenizer's own threads and forked workers do not mix, and the threads are fast enough
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        kept = [name for name in rows.column_names if name != "row_id"]
        how = {"batched": True, "remove_columns": kept, "fn_kwargs": {"with_words": with_words}}
        return rows.map(encode, desc="tokenising", **how)

    train = tokens(divided.train, with_words=varied)
    cut = int((np.asarray(train["length"]) >= longest).sum())
    if cut and launch.rank() == 0:
        print(f"  {cut:,} of {len(train):,} training texts fill {longest} tokens; what is beyond is not read", end="")
        print(" (--max_seq_length)" if longest == max_seq_length else " (the model takes no more)")
    return {
        "train": VariedTexts(train, augmentation, seed) if varied else train,
        "validation": by_length(tokens(divided.validation)),
        "test": by_length(tokens(divided.test)),
    }


def _words(encoded: BatchEncoding, row: int) -> list[int]:
    """For each token the number of its word, even in a text and odd in the second one of a pair."""
    numbers = zip(encoded.word_ids(row), encoded.sequence_ids(row), strict=True)
    return [MARK if word is None else 2 * word + text for word, text in numbers]


def by_length(rows: Dataset) -> Dataset:
    """The rows from the shortest to the longest."""
    return rows.select(np.argsort(rows["length"][:], kind="stable"))


def collator(tokenizer: PreTrainedTokenizerBase) -> DataCollatorWithPadding:
    """Pads a batch to its longest text, on a multiple of 8 as matrix units like it: (batch, tokens)."""
    return DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8)
