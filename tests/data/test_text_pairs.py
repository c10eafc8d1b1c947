"""Texts that come in pairs are read, told apart and tokenised as pairs."""

import csv
from pathlib import Path

import datasets
import pytest
from datasets import Dataset, DatasetDict
from huggingface_hub import HfApi
from transformers import AutoTokenizer

from studio.config import TextData
from studio.data import sources, splits, text
from studio.errors import RequestError

ROWS = [
    ("a film", "a song", "no"),
    ("a film", "a good film", "yes"),
    ("a song", "the song", "yes"),
    ("", "a day", "no"),
]
ROWS += [("a day", " ", "no"), ("a song", "a day", "no")]
KEPT = [(one, other) for one, other, _ in ROWS if one.strip() and other.strip()]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


def table(path: Path, rows=ROWS, header=("premise", "hypothesis", "label")) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read(path: Path, **settings) -> sources.Source:
    return sources.read(TextData(dataset_name=str(path), text_pair_column_name="hypothesis", **settings))


def pairs(rows: Dataset) -> list[tuple[str, str]]:
    return list(zip(rows["text"], rows["text_pair"], strict=True))


def test_both_texts_are_read_and_rows_that_lack_one_are_left_out(tmp_path):
    source = read(table(tmp_path / "a.csv"))
    assert pairs(source.splits["train"]) == KEPT
    assert any("column 'premise' is the text, column 'hypothesis' its pair" in note for note in source.notes)
    assert any("2 of 6 rows have no text and were left out" in note for note in source.notes)


def test_the_hub_gives_the_same_pairs_with_the_same_ids(tmp_path, monkeypatch):
    rows = {name: [row[at] for row in ROWS] for at, name in enumerate(("premise", "hypothesis", "label"))}
    monkeypatch.setattr(HfApi, "dataset_info", lambda self, name, **_: None)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: DatasetDict(train=Dataset.from_dict(rows)))
    hub, file = (read(name).splits["train"] for name in ("someone/pairs", table(tmp_path / "a.csv")))
    assert pairs(hub) == pairs(file) and list(hub["row_id"]) == list(file["row_id"])


def test_ids_depend_on_both_texts(tmp_path):
    ids = list(read(table(tmp_path / "a.csv")).splits["train"]["row_id"])
    assert len({row_id.split("-")[0] for row_id in ids}) == len(KEPT)
    other = table(tmp_path / "b.csv", [(one, f"{two}!", label) for one, two, label in ROWS])
    assert not set(ids) & set(read(other).splits["train"]["row_id"])


def test_a_column_called_text_may_be_the_second_one(tmp_path):
    path = table(tmp_path / "a.csv", header=("question", "text", "label"))
    source = sources.read(TextData(dataset_name=str(path), text_pair_column_name="text"))
    assert pairs(source.splits["train"]) == KEPT


def test_a_second_column_that_is_missing_or_taken_is_refused(tmp_path):
    with pytest.raises(RequestError, match="has no column 'hypothesis'"):
        read(table(tmp_path / "a.csv", header=("premise", "hypotesis", "label")))
    with pytest.raises(RequestError, match="--text_pair_column_name one is named as the text or the label too"):
        TextData(text_pair_column_name="one", label_column_name="one")


def test_only_pairs_of_which_both_are_alike_are_kept_in_one_split(tmp_path):
    rows = [
        (f"Text {at // 2 % 20}" if at % 2 else f"text  {at // 2 % 20}", f"pair {at // 2}", at // 2 % 2)
        for at in range(200)
    ]
    divided = splits.divide(read(table(tmp_path / "a.csv", rows)), TextData(), 0)
    assert any("100 training rows repeat the content of another one" in note for note in divided.notes)
    parts = [set(part["text_pair"]) for part in (divided.train, divided.validation, divided.test)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])


def test_near_duplicates_are_near_in_both_texts(tmp_path):
    rows = [("the same", " ".join(f"word{at}{letter}" for letter in "abcdefgh"), at % 2) for at in range(40)]
    rows += [(f"{one},", f"{two}!", label) for one, two, label in rows]
    divided = splits.divide(read(table(tmp_path / "a.csv", rows)), TextData(near_duplicates=True), 0)
    assert any("make 40 sets of rows" in note for note in divided.notes)


def test_the_tokenizer_gets_pairs_and_cuts_the_longer_text(tmp_path, tiny_bert):
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    rows = [(f"a good film {at}", "the song " * 20 + str(at), at % 2) for at in range(40)]
    divided = splits.divide(read(table(tmp_path / "a.csv", rows)), TextData(), 0)
    found = text.tokenise(divided, tokenizer, 16)["train"]
    expected = tokenizer("a good film 1", "the song " * 20, truncation=True, max_length=16)
    assert found[0]["input_ids"] == expected["input_ids"] and found[0]["token_type_ids"] == expected["token_type_ids"]
    assert set(found["length"]) == {16} and 1 in found[0]["token_type_ids"]
