"""Rows of one content, group or near content are one unit, also along a chain, whatever their order."""

import io

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Image, Value
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from studio.data import alike

LONG = "the quick brown fox jumps over the lazy dog and runs away into the deep dark wood"


def texts(*contents: str, groups: list[str | None] | None = None) -> Dataset:
    columns = {"text": list(contents)} | ({"group": groups} if groups else {})
    features = Features({name: Value("string") for name in columns})
    return Dataset.from_dict(columns, features=features)


def units(rows: Dataset, near: bool = False) -> list[int]:
    """Small numbers that are equal where the units are."""
    found = alike.units({"train": rows}, {"train": alike.contents(rows)}, near)[0]["train"].tolist()
    return [found.index(unit) for unit in found]


def photo(seed: int, side: int = 64) -> Pillow.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    return Pillow.fromarray(noise).resize((side, side), Pillow.Resampling.BICUBIC)


def pictures(*images: tuple[Pillow.Image, str]) -> Dataset:
    packed = []
    for image, format in images:
        stream = io.BytesIO()
        image.save(stream, format)
        packed.append({"bytes": stream.getvalue(), "path": None})
    columns = {"image": packed, "row_id": [f"{at:016x}-0" for at in range(len(packed))]}
    return Dataset.from_dict(columns, features=Features(image=Image(decode=False), row_id=Value("string")))


def test_a_group_and_a_repeated_content_tie_rows_together_along_a_chain():
    rows = texts("one", "two", "TWO ", "three", "four", groups=["ann", "ann", "bob", "bob", "cy"])
    assert units(rows) == [0, 0, 0, 0, 4]


def test_rows_without_a_group_are_tied_to_none():
    assert units(texts("one", "two", "three", groups=[None, None, "ann"])) == [0, 1, 2]


def test_units_reach_over_splits_and_are_called_alike_in_any_order():
    one, other = texts("one", "two", groups=["ann", "bob"]), texts("three", "four", groups=["bob", "ann"])
    names = []
    for splits in ({"train": one, "test": other}, {"train": other, "test": one}):
        contents = {split: alike.contents(rows) for split, rows in splits.items()}
        found, _ = alike.units(splits, contents, near=False)
        assert found["train"][0] == found["test"][1] and found["train"][1] == found["test"][0]
        names.append(set(found["train"].tolist()))
    assert names[0] == names[1]


def test_texts_with_four_fifths_of_their_words_in_common_are_near_alike_and_only_if_asked():
    rows = texts(LONG, LONG.replace("lazy", "sleepy") + "!", LONG.replace("fox jumps over the lazy", "cow"), "a dog")
    assert units(rows) == [0, 1, 2, 3]
    assert units(rows, near=True) == [0, 0, 2, 3]


def test_chinese_and_japanese_texts_are_compared_by_their_characters():
    text = "机器学习是人工智能的一个重要分支并且发展非常迅速"
    assert units(texts(text, text.replace("迅", "快"), "今天天气很好"), near=True) == [0, 0, 2]


def test_texts_of_signs_alone_are_near_to_none():
    assert units(texts(":-)", "!!!", ":-("), near=True) == [0, 1, 2]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=10), min_size=2, max_size=12))
def test_no_near_pair_of_texts_is_missed_and_none_is_invented(contents):
    rows = texts(*map(" ".join, contents))
    part, whole = alike.NEAR_WORDS
    sets = [set(words) for words in contents]
    expected = list(range(len(sets)))
    for one in range(len(sets)):
        for other in range(one):
            if whole * len(sets[one] & sets[other]) >= part * len(sets[one] | sets[other]):
                old, new = sorted((expected[one], expected[other]))[::-1]
                expected = [new if unit == old else unit for unit in expected]
    assert units(rows, near=True) == [expected.index(unit) for unit in expected]


# 60 texts of nine words each, of which the rarest stands in six
SMALL_WORDS = [" ".join(f"{'abcdefghi'[size - 2]}{at % size}" for size in range(2, 11)) for at in range(60)]


def test_near_texts_of_common_words_are_found_by_two_of_them(monkeypatch):
    monkeypatch.setattr(alike, "_CROWD", 6)
    rows = texts(*SMALL_WORDS, *(f"{text} so" for text in SMALL_WORDS))
    found, notes = alike.units({"train": rows}, {"train": alike.contents(rows)}, near=True)
    assert (found["train"][:60] == found["train"][60:]).all() and not notes


def test_texts_of_words_that_even_two_by_two_are_common_are_counted(monkeypatch):
    monkeypatch.setattr(alike, "_CROWD", 1)
    rows = texts(*SMALL_WORDS, *(f"{text} so" for text in SMALL_WORDS), LONG)
    _, notes = alike.units({"train": rows}, {"train": alike.contents(rows)}, near=True)
    assert len(notes) == 1 and "common words so much that some near duplicates" in notes[0]
    assert 60 <= int(notes[0].split()[0]) <= 120


@pytest.mark.parametrize(
    "change",
    [
        lambda image: (image.resize((40, 40)), "PNG"),
        lambda image: (image, "JPEG"),
        lambda image: (image.convert("L"), "PNG"),
        lambda image: (image.point(lambda value: 20 + value * 0.8), "PNG"),
    ],
    ids=["smaller", "recompressed", "grey", "lighter"],
)
def test_a_changed_copy_of_a_picture_is_near_it_and_other_pictures_are_not(change):
    rows = pictures(*((photo(seed), "PNG") for seed in range(12)), change(photo(0)))
    assert units(rows) == list(range(13))
    assert units(rows, near=True) == [*range(12), 0]


def test_hashes_of_many_pictures_are_compared_block_by_block(monkeypatch):
    monkeypatch.setattr(alike, "_COMPARED", 18)
    hashes = np.array([0, 2**64 - 1, 0b1111, 7 << 60, 0b11111, 2**63 + 2**64 // 4], np.uint64)
    pairs = {(a, b) for a, b in alike.near_pictures(hashes).T.tolist() if a != b}
    expected = {
        (a, b) for a in range(6) for b in range(6) if a != b and (int(hashes[a]) ^ int(hashes[b])).bit_count() <= 4
    }
    assert {tuple(sorted(pair)) for pair in pairs} == {tuple(sorted(pair)) for pair in expected}


def test_features_of_class_labels_play_no_part():
    features = Features(text=Value("string"), label=ClassLabel(names=["a", "b"]))
    rows = Dataset.from_dict({"text": ["one", "one", "two"], "label": [0, 1, 0]}, features=features)
    assert units(rows) == [0, 0, 2]
