"""Rows that have several labels or none are read from lists and joined strings, and divided label by label."""

import csv
import json
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pytest
import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value
from huggingface_hub import HfApi
from PIL import Image
from transformers import ViTImageProcessor

from studio.config import ImageData, TextData
from studio.data import sources, splits
from studio.data.images import Pictures, collate
from studio.data.marks import codes, labels_of, lists, pairs, targets
from studio.errors import RequestError

ROWS = [("a film with songs", ["music", "film"]), ("a song", ["music"]), ("a day", []), ("another film", ["film"])]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


def jsonl(path: Path, rows) -> Path:
    path.write_text("\n".join(json.dumps({"text": text, "labels": labels}) for text, labels in rows))
    return path


def table(path: Path, rows) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "labels"), *rows])
    return path


def read(path: Path, **settings) -> sources.Source:
    return sources.read(TextData(dataset_name=str(path), **settings))


def named(source: sources.Source, split: str = "train") -> list[tuple[str, set[str]]]:
    return [(row["text"], {source.labels[at] for at in row["label"]}) for row in source.splits[split]]


EXPECTED = [(text, set(labels)) for text, labels in ROWS]


def test_lists_of_json_need_no_flag(tmp_path):
    source = read(jsonl(tmp_path / "a.jsonl", ROWS))
    assert source.labels == ["film", "music"] and named(source) == EXPECTED
    assert source.splits["train"].features["label"] == List(ClassLabel(names=["film", "music"]))


def test_joined_strings_are_divided_and_a_lone_delimiter_means_no_label(tmp_path):
    rows = [(text, "; ".join(labels) or ";") for text, labels in ROWS]
    assert named(read(table(tmp_path / "a.csv", rows), label_delimiter=";")) == EXPECTED


@pytest.mark.parametrize(
    "write",
    [str, json.dumps, lambda labels: str(np.array(labels, dtype=str))],
    ids=["pandas", "json", "pandas of numpy arrays"],
)
def test_lists_that_were_written_as_strings_are_lists(tmp_path, write):
    rows = [(text, write(labels)) for text, labels in ROWS] + [("who knows", "")]
    assert named(read(table(tmp_path / "a.csv", rows))) == EXPECTED


def test_quotes_accents_and_gaps_in_a_list_that_was_written_as_a_string_survive(tmp_path):
    rows = [("one", ["it's", "a, b"]), ("two", ["caf\u00e9", None]), ("three", [1.0, 2])]
    written = [(text, json.dumps(labels) if text == "two" else str(labels)) for text, labels in rows]
    assert named(read(table(tmp_path / "a.csv", written * 4))) == [
        ("one", {"it's", "a, b"}), ("two", {"café"}), ("three", {"1.0", "2"})
    ] * 4  # fmt: skip


def test_a_word_in_brackets_is_a_label_like_any_other(tmp_path):
    rows = [("one", "[spam]"), ("two", "[ham]")] * 3
    assert read(table(tmp_path / "a.csv", rows)).labels == ["[ham]", "[spam]"]


def test_a_list_in_a_string_that_cannot_be_read_is_refused_by_line(tmp_path):
    with pytest.raises(RequestError, match=r"line 3: the label '\\x' in a list has a backslash"):
        read(table(tmp_path / "a.csv", [("one", "['x']"), ("two", r"['\x']")]))
    with pytest.raises(RequestError, match="--label_delimiter is for labels in one string, found the list"):
        read(table(tmp_path / "b.csv", [("one", "['x']"), ("two", "['y']")]), label_delimiter=",")


@pytest.mark.parametrize("delimiter", [";", "|", ","])
def test_labels_joined_in_one_string_come_with_the_remedy(tmp_path, delimiter):
    rows = [("one", "music"), ("two", "film"), ("three", f"music{delimiter} film"), ("four", "dance")] * 3
    source = read(table(tmp_path / "a.csv", rows))
    assert any(f'--label_delimiter "{delimiter}" reads them so' in note for note in source.notes)
    few = [("one", "music"), ("two", "film"), ("three", f"film{delimiter}music")]
    with pytest.raises(RequestError, match="no classes.*--label_delimiter"):
        read(table(tmp_path / "b.csv", few))


def test_labels_with_a_comma_in_their_name_are_left_alone(tmp_path):
    rows = [("one", "music, live"), ("two", "film"), ("three", "arts, crafts")] * 3
    assert not any("--label_delimiter" in note for note in read(table(tmp_path / "a.csv", rows)).notes)


def test_class_names_inside_a_parquet_file_are_used_in_lists_too(tmp_path):
    features = Features(text=Value("string"), labels=List(ClassLabel(names=["music", "film"])))
    rows = {"text": [text for text, _ in ROWS], "labels": [[0, 1], [0], [], [1]]}
    Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "a.parquet")
    assert named(read(tmp_path / "a.parquet")) == EXPECTED


@pytest.mark.parametrize("declared", [True, False])
def test_lists_on_the_hub_are_read_by_their_declared_classes_or_as_words(monkeypatch, declared):
    kind = ClassLabel(names=["music", "film"]) if declared else Value("string")
    rows = {
        "text": [text for text, _ in ROWS],
        "labels": [[0, 1], [0], [], [1]] if declared else [labels for _, labels in ROWS],
    }
    part = Dataset.from_dict(rows, features=Features(text=Value("string"), labels=List(kind)))
    hidden = Dataset.from_dict({"text": ["new"], "labels": [[]]}, features=part.features)
    monkeypatch.setattr(HfApi, "dataset_info", lambda self, name, **_: None)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: DatasetDict(train=part, test=hidden))
    source = read("someone/films")
    assert source.labels == (["music", "film"] if declared else ["film", "music"])
    assert named(source) == EXPECTED and list(source.splits) == ["train"]


def test_an_empty_list_is_an_answer_and_a_missing_one_is_left_out(tmp_path):
    rows = [*ROWS, ("who knows", None), ("nor here", ["?"]), ("half known", ["film", None, ""])]
    source = read(jsonl(tmp_path / "a.jsonl", rows))
    assert named(source) == [*EXPECTED, ("half known", {"film"})]
    assert any("2 of 7 rows have no label" in note for note in source.notes)


def test_an_empty_cell_is_left_out(tmp_path):
    rows = [("a film", "film"), ("a song", "music;film"), ("who knows", ""), ("a day", ";")]
    assert [text for text, _ in named(read(table(tmp_path / "a.csv", rows), label_delimiter=";"))] == [
        "a film", "a song", "a day"
    ]  # fmt: skip


def test_spaces_repeats_and_whole_floats_in_a_list_are_cleaned(tmp_path):
    rows = [("one", [1.0, 1, " 1"]), ("two", [2, 1]), ("ten", [10.0])] * 2
    source = read(jsonl(tmp_path / "a.jsonl", rows))
    assert source.labels == ["1", "2", "10"]
    assert [row["label"] for row in source.splits["train"]] == [[0], [0, 1], [2]] * 2


def test_spellings_are_merged_in_lists_too(tmp_path):
    rows = [("one", ["Film", "music"]), ("two", ["film"]), ("three", ["film"])]
    assert read(jsonl(tmp_path / "a.jsonl", rows), merge_label_spellings=True).labels == ["film", "music"]


def test_a_word_among_lists_is_refused_by_line_and_a_list_among_words_as_well(tmp_path):
    with pytest.raises(RequestError, match=r"a\.jsonl, line 2: expected a list of labels.*'film'.*--label_delimiter"):
        read(jsonl(tmp_path / "a.jsonl", [("one", ["film"]), ("two", "film")]))
    with pytest.raises(RequestError, match=r"b\.jsonl, line 2: .*\['film'\]; where one row has a list, all have to"):
        read(jsonl(tmp_path / "b.jsonl", [("one", "film"), ("two", ["film"])]))
    with pytest.raises(RequestError, match="--label_delimiter is for labels in one string"):
        read(jsonl(tmp_path / "c.jsonl", ROWS), label_delimiter=";")


def test_a_delimiter_of_nothing_is_refused():
    with pytest.raises(RequestError, match="--label_delimiter needs a character"):
        TextData(label_delimiter=" ")


def test_empty_lists_alone_are_no_classes(tmp_path):
    with pytest.raises(RequestError, match="every label is missing"):
        read(jsonl(tmp_path / "a.jsonl", [("one", []), ("two", [])]))


def test_row_ids_do_not_change_when_the_file_or_a_list_is_reordered(tmp_path):
    rows = [*ROWS, ("a song", []), ("a song", ["music"]), ("a song", ["film", "music"])]
    turned = [(text, labels[::-1]) for text, labels in rows[::-1]]
    sides = [read(jsonl(tmp_path / name, found)) for name, found in (("a.jsonl", rows), ("b.jsonl", turned))]
    ids = [{(row["row_id"], row["text"], *row["label"]) for row in side.splits["train"]} for side in sides]
    assert ids[0] == ids[1] and len(ids[0]) == 7


def test_pictures_have_several_labels_by_a_table(tmp_path):
    for name in "abc":
        Image.new("L", (4, 4), ord(name)).save(tmp_path / f"{name}.png")
    file = tmp_path / "labels.csv"
    file.write_text("file_name,label\na.png,cat|dog\nb.png,dog\nc.png,|\n")
    source = sources.read(ImageData(dataset_name=str(file), label_delimiter="|"))
    assert source.labels == ["cat", "dog"] and [row["label"] for row in source.splits["train"]] == [[0, 1], [1], []]


def test_pictures_with_several_labels_have_a_float_for_each_class(tmp_path):
    rows = {"image": [], "label": [[0, 2], []], "row_id": ["a", "b"]}
    for name in rows["row_id"]:
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
        rows["image"].append({"bytes": None, "path": str(tmp_path / f"{name}.png")})
    label = List(ClassLabel(names=["x", "y", "z"]))
    features = Features(image=datasets.Image(decode=False), label=label, row_id=Value("string"))
    pictures = Pictures(Dataset.from_dict(rows, features=features), ViTImageProcessor(size={"height": 8, "width": 8}))
    labels = collate(pictures.__getitems__([1, 0]))["labels"]
    assert labels.dtype == torch.float32 and labels.tolist() == [[0, 0, 0], [1, 0, 1]]


def test_marks_lists_and_targets_say_the_same():
    marks = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], np.int8)
    assert lists(marks).to_pylist() == [[0, 2], [], [1]]
    assert [column.tolist() for column in pairs(marks)] == [[0, 0, 2], [0, 2, 1]]
    assert codes(marks[[0, 1, 0, 2]]).tolist() == [2, 0, 2, 1]
    feature = List(ClassLabel(names=["a", "b", "c"]))
    found = targets([[0, 2], [], [1]], feature)
    assert found.dtype == np.float32 and (found == marks).all()
    rows = Dataset(pa.table({"label": lists(marks)}), info=datasets.DatasetInfo(features=Features(label=feature)))
    assert (labels_of(rows.select([2, 0])) == (marks[[2, 0]] > 0)).all()


def test_more_marks_than_memory_holds_are_refused_before_they_are_made(monkeypatch):
    label = List(ClassLabel(names=["a", "b", "c"]))
    rows = Dataset.from_dict({"label": [[0], [1, 2]]}, features=Features(label=label))
    monkeypatch.setattr("studio.data.marks._MOST", 5)
    with pytest.raises(RequestError, match="2 rows with 3 possible labels would fill .* take rare labels out"):
        labels_of(rows)


def source(tmp_path: Path, count: int) -> sources.Source:
    """Texts of which each stands twice, with three labels of different rarity and none."""
    chance = np.random.default_rng(0)
    drawn = chance.random((count // 2, 3)) < [0.02, 0.2, 0.5]
    rows = [
        (f"text {at // 2}", [name for name, has in zip("abc", drawn[at // 2], strict=True) if has])
        for at in range(count)
    ]
    return read(jsonl(tmp_path / "rows.jsonl", rows))


def test_splits_keep_the_share_of_every_label_and_never_part_a_content(tmp_path):
    divided = splits.divide(source(tmp_path, 1200), TextData(test_fraction=0.2, validation_fraction=0.1), 0)
    parts = [divided.train, divided.validation, divided.test]
    assert [len(part) for part in parts] == pytest.approx([840, 120, 240], abs=6)
    counts = np.array([labels_of(part).sum(axis=0) for part in parts])
    assert counts / counts.sum(axis=0) == pytest.approx(np.array([[0.7, 0.1, 0.2]] * 3).T, abs=0.05)
    texts = [set(part["text"]) for part in parts]
    assert not (texts[0] & texts[1] or texts[0] & texts[2] or texts[1] & texts[2])


def test_limits_draw_exactly_so_many_rows_with_every_label_in_proportion(tmp_path):
    found = source(tmp_path, 1200)
    divided = splits.divide(found, TextData(max_train_samples=301), 0)
    assert len(divided.train) == 301
    whole = labels_of(splits.divide(found, TextData(), 0).train)
    assert labels_of(divided.train).mean(axis=0) == pytest.approx(whole.mean(axis=0), abs=0.01)


def test_a_label_too_rare_for_every_split_is_noted_and_learnt_from(tmp_path):
    rows = [(f"text {at}", ["a", "b"] if at % 2 else ["b"]) for at in range(60)] + [("rare", ["b", "once"])]
    divided = splits.divide(read(jsonl(tmp_path / "a.jsonl", rows)), TextData(), 0)
    assert any(
        "1 labels have too few rows to be in each of train, test, validation: 'once'" in n for n in divided.notes
    )
    assert "rare" in list(divided.train["text"])


def test_the_same_content_with_other_labels_is_reported(tmp_path):
    rows = [(f"text {at // 2}", ["a", "b"] if at % 3 else ["b"]) for at in range(60)]
    notes = splits.divide(read(jsonl(tmp_path / "a.jsonl", rows)), TextData(), 0).notes
    assert any("20 contents stand in several training rows with different labels" in note for note in notes)


def test_training_rows_that_are_test_rows_too_can_be_left_out(tmp_path):
    jsonl(tmp_path / "train.jsonl", [*ROWS, *((f"{text} again", labels) for text, labels in ROWS * 5)])
    jsonl(tmp_path / "test.jsonl", ROWS[:2])
    divided = splits.divide(read(tmp_path), TextData(drop_overlap=True), 0)
    assert "a song" not in list(divided.train["text"]) and len(divided.test) == 2


def test_a_label_of_the_test_rows_alone_is_noted_and_the_rest_is_learnt(tmp_path):
    train = "".join(f"a text of number {at},{'music;film' if at % 2 else 'sport'}\n" for at in range(40))
    (tmp_path / "train.csv").write_text("text,labels\n" + train)
    (tmp_path / "test.csv").write_text("text,labels\nsomething new,opera;film\nsomething else,sport\n")
    files = {"train_file": str(tmp_path / "train.csv"), "test_file": str(tmp_path / "test.csv")}
    found = sources.read(TextData(**files, label_delimiter=";"))
    assert "opera" in found.labels and len(found.splits["test"]) == 2
    assert any("stand in no training row" in note and "'opera'" in note for note in found.notes)
