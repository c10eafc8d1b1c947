"""Varied texts lose words and swap them, as often as promised, and their tokens stay those of whole words."""

import random

import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Value
from transformers import BertTokenizer

from studio.config import TextAugmentation
from studio.data import text
from studio.data.splits import Splits
from studio.data.words import VariedTexts, vary
from tests.training.scaling import WORDS

TOKENIZER = BertTokenizer(vocab={word: at for at, word in enumerate([*WORDS, "##a", "##b"])})
TEXTS = ["a b c d ab ba e f g h", "a", "h g ab f", "c c d d"]
BOTH = TextAugmentation(word_deletion=0.3, word_swap=0.3)


def tokens(settings: TextAugmentation | None, seed: int = 1, pairs: list[str] | None = None) -> Dataset | VariedTexts:
    columns = {"text": TEXTS, "label": [0, 1, 0, 1], "row_id": list("wxyz")}
    features = {"text": Value("string"), "label": ClassLabel(names=["n", "p"]), "row_id": Value("string")}
    if pairs:
        columns["text_pair"], features["text_pair"] = pairs, Value("string")
    rows = Dataset.from_dict(columns, features=Features(features))
    divided = Splits(train=rows, validation=rows, test=rows, labels=["n", "p"], notes=[], origin="")
    return text.tokenise(divided, TOKENIZER, 64, settings, seed)["train"]


def seen(rows: VariedTexts, epoch: int = 0) -> list[str]:
    rows.set_epoch(epoch)
    return [TOKENIZER.decode(rows[at]["input_ids"]) for at in range(len(rows))]


def test_words_are_left_out_and_swapped_as_often_as_is_said():
    words = list(range(40))
    lost = [40 - len(vary(words, TextAugmentation(word_deletion=0.1), random.Random(i))) for i in range(300)]
    assert 3.5 < sum(lost) / 300 < 4.5
    moved = [vary(words, TextAugmentation(word_swap=0.2), random.Random(i)) for i in range(300)]
    assert all(sorted(one) == words for one in moved)
    assert 6 < sum(at != word for one in moved for at, word in enumerate(one)) / 300 < 9


def test_a_text_never_loses_its_last_word():
    settings = TextAugmentation(word_deletion=0.9, word_swap=0.9)
    for row in range(100):
        assert vary(["one"], settings, random.Random(row)) == ["one"]
        assert vary(["one", "two", "three"], settings, random.Random(row))


def test_without_variation_texts_are_tokens_as_ever():
    assert isinstance(tokens(None), Dataset) and isinstance(tokens(TextAugmentation(rdrop_alpha=1.0)), Dataset)
    assert "words" not in tokens(None).column_names


def test_texts_follow_from_seed_epoch_and_row_and_differ_between_epochs():
    rows = tokens(BOTH)
    before = torch.get_rng_state()
    epochs = [seen(rows, epoch) for epoch in range(6)]
    assert torch.equal(torch.get_rng_state(), before)
    assert seen(rows, 3) == epochs[3] == seen(tokens(BOTH), 3)
    assert len({epoch[0] for epoch in epochs}) > 3
    assert [seen(tokens(BOTH, seed=2), epoch) for epoch in range(6)] != epochs


def test_the_marks_stay_in_place_and_words_stay_whole():
    rows = tokens(BOTH)
    for epoch in range(20):
        for told, whole in zip(seen(rows, epoch), TEXTS, strict=True):
            first, *inside, last = told.split()
            assert (first, last) == ("[CLS]", "[SEP]")
            assert inside and set(inside) <= set(whole.split())


def test_words_of_a_pair_stay_in_their_own_text():
    rows = tokens(BOTH, pairs=["i j i j"] * 4)
    for epoch in range(10):
        rows.set_epoch(epoch)
        for at in range(4):
            item = rows[at]
            first, second, rest = TOKENIZER.decode(item["input_ids"]).split("[SEP]")
            assert not set(first.split()) & {"i", "j"} and set(second.split()) <= {"i", "j"} and not rest
            kinds = item["token_type_ids"]
            assert len(kinds) == len(item["input_ids"]) == len(item["attention_mask"]) and kinds == sorted(kinds)


def test_labels_lengths_and_plain_tokens_are_those_of_the_texts_as_they_are():
    rows = tokens(BOTH)
    assert rows.labels == [0, 1, 0, 1] and rows.lengths == [14, 3, 7, 6]
    assert [item["labels"] for item in rows.__getitems__([3, 0])] == [1, 0]
    assert rows.plain()[:] == tokens(None)[:]


@pytest.mark.parametrize("name", ["word_deletion", "word_swap"])
def test_a_tokenizer_that_knows_no_words_is_refused(name, monkeypatch):
    from studio.errors import RequestError

    monkeypatch.setattr(type(TOKENIZER), "is_fast", False)
    with pytest.raises(RequestError, match="--word_deletion and --word_swap need a tokenizer"):
        tokens(TextAugmentation(**{name: 0.1}))
