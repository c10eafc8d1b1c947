"""Labelled files and folders are read as their owner means them, or refused with the reason."""

import csv
import gzip
import json
import os
import sys
import zipfile
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from studio.config import ImageData, TextData
from studio.data import sources
from studio.data.reading import formats
from studio.data.reading import rows as rows_module
from studio.data.reading.rows import Row
from studio.errors import RequestError

ROWS = [("a fine film", "good"), ("a dull film", "bad"), ("fine, all in all", "good"), ("so dull", "bad")]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


def write(path: Path, rows=ROWS, header=("text", "label"), **style) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, **style).writerows([*([header] if header else []), *rows])
    return path


def picture(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), shade).save(path, "PNG")
    return path


def read(path: Path, **settings) -> sources.Source:
    return sources.read(TextData(dataset_name=str(path), **settings))


def pairs(source: sources.Source, split: str = "train") -> list[tuple[str, str]]:
    return [(row["text"], source.labels[row["label"]]) for row in source.splits[split]]


def refusal(path: Path, kind=TextData, **settings) -> str:
    with pytest.raises(RequestError) as refused:
        sources.read(kind(dataset_name=str(path), **settings))
    return str(refused.value)


def test_a_csv_becomes_rows_with_label_ids_in_the_order_of_the_names(tmp_path):
    source = read(write(tmp_path / "reviews.csv"))
    assert source.labels == ["bad", "good"]
    assert pairs(source) == ROWS
    assert source.origin == "reviews.csv"
    assert set(source.splits["train"].column_names) == {"text", "label", "row_id", "place"}


def test_row_ids_do_not_change_when_the_file_is_reordered(tmp_path):
    rows = [*ROWS, ("a fine film", "good"), ("a fine film", "bad")]  # repeated, once with another label
    one, two = read(write(tmp_path / "a.csv", rows)), read(write(tmp_path / "b.csv", rows[::-1]))
    ids = [{(row["row_id"], row["text"], row["label"]) for row in source.splits["train"]} for source in (one, two)]
    assert ids[0] == ids[1]
    assert len({row_id for row_id, _, _ in ids[0]}) == 6


def test_row_ids_are_unique_over_all_splits(tmp_path):
    for split in ("train", "dev", "test"):
        write(tmp_path / f"{split}.csv")
    ids = [row_id for rows in read(tmp_path).splits.values() for row_id in rows["row_id"]]
    assert len(set(ids)) == len(ids) == 12


def test_a_changed_file_is_read_afresh_even_if_size_and_date_are_the_same(tmp_path):
    path = write(tmp_path / "reviews.csv")
    read(path)
    before = path.stat()
    path.write_text(path.read_text().replace("fine", "good"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert pairs(read(path))[0] == ("a good film", "good")


def test_split_files_are_found_by_name_without_regard_to_case(tmp_path):
    write(tmp_path / "data" / "Train.CSV")
    write(tmp_path / "data" / "valid.tsv", ROWS[:2], delimiter="\t")
    write(tmp_path / "data" / "TEST.csv", ROWS[:3])
    (tmp_path / "data" / "README.md").write_text("about")
    source = read(tmp_path)  # the folder that wraps the data is seen through
    assert {split: len(rows) for split, rows in source.splits.items()} == {"train": 4, "validation": 2, "test": 3}


def test_shards_of_a_split_are_read_as_one(tmp_path):
    write(tmp_path / "train-00000-of-00002.csv", ROWS[:2])
    write(tmp_path / "train-00001-of-00002.csv", ROWS[2:])
    assert pairs(read(tmp_path)) == ROWS


def test_several_tables_without_a_train_table_are_refused_by_name(tmp_path):
    write(tmp_path / "one.csv"), write(tmp_path / "two.csv")
    assert "one.csv, two.csv" in refusal(tmp_path)


def test_separate_files_are_read_into_their_splits(tmp_path):
    train, test = write(tmp_path / "a.csv"), write(tmp_path / "b.csv", ROWS[:2])
    source = sources.read(TextData(train_file=str(train), test_file=str(test)))
    assert {split: len(rows) for split, rows in source.splits.items()} == {"train": 4, "test": 2}


@pytest.mark.parametrize("order", [ROWS, sorted(ROWS * 100, key=lambda row: row[1])], ids=["mixed", "sorted by label"])
def test_a_missing_header_is_noticed_and_no_row_is_lost(tmp_path, order):
    source = read(write(tmp_path / "train.tsv", order, header=None, delimiter="\t"))
    assert pairs(source) == order
    assert any("no header row" in note for note in source.notes)


def test_numbers_as_labels_show_that_there_is_no_header(tmp_path):
    rows = [("one of a kind", "2"), *((f"text {i}", str(i % 2)) for i in range(6)), ("two of a kind", "2")]
    assert pairs(read(write(tmp_path / "train.csv", rows, header=None))) == rows


@pytest.mark.parametrize("header", [("text", "label"), ("Review Text", "Class"), ("phrase", "mood")])
def test_a_header_is_never_taken_for_a_row(tmp_path, header):
    rows = [(f"text number {i}", f"kind {i % 3}") for i in range(12)]
    assert pairs(read(write(tmp_path / "rows.csv", rows, header))) == rows


def test_column_names_are_for_files_without_header(tmp_path):
    path = write(tmp_path / "rows.csv", [(label, "x", text) for text, label in ROWS], header=None)
    assert pairs(read(path, column_names=["label", "source", "text"])) == ROWS
    assert "3 cells" in refusal(path, column_names=["label", "text"])


def test_column_names_that_were_swapped_by_mistake_can_be_put_right(tmp_path):
    path = write(tmp_path / "rows.csv", ROWS * 2, header=None)
    read(path, column_names=["label", "text"])
    assert pairs(read(path, column_names=["text", "label"])) == ROWS * 2


def test_columns_are_found_by_name_and_an_index_column_is_no_text(tmp_path):
    rows = [
        (i, 100 + i, label, "http://x/a-rather-long-address-of-a-page", text) for i, (text, label) in enumerate(ROWS)
    ]
    assert pairs(read(write(tmp_path / "a.csv", rows, header=("", "text", "sentiment", "url", "review")))) == ROWS


def test_the_longest_words_are_the_text_when_no_name_tells(tmp_path):
    rows = [(i, label, text) for i, (text, label) in enumerate(ROWS)]
    assert pairs(read(write(tmp_path / "a.csv", rows, header=("n", "mood", "phrase")))) == ROWS


def test_named_columns_win_and_a_wrong_name_lists_those_found(tmp_path):
    path = write(tmp_path / "a.csv", [("noise", *row) for row in ROWS], header=("text", "comment_body", "verdict"))
    assert pairs(read(path, text_column_name="comment_body", label_column_name="verdict")) == ROWS
    message = refusal(path, label_column_name="verdickt")
    assert "'verdickt'" in message and "did you mean 'verdict'" in message and "'comment_body'" in message


def test_labels_that_are_numbers_stand_in_the_order_of_their_value(tmp_path):
    rows = [(f"text {i}", str(i % 12)) for i in range(36)]
    assert read(write(tmp_path / "a.csv", rows)).labels == [str(i) for i in range(12)]


def test_whole_numbers_that_a_gap_turned_into_floats_are_whole_again(tmp_path):
    source = read(write(tmp_path / "a.csv", [("one", "1.0"), ("none", ""), ("nil", "0.0"), ("uno", "1.0")]))
    assert source.labels == ["0", "1"]


def test_rows_without_label_are_left_out_and_counted(tmp_path):
    rows = [*ROWS * 3, ("some text", ""), ("more text", "NaN"), ("yet more", "?"), ("and more", " ")]
    source = read(write(tmp_path / "a.csv", rows))
    assert source.labels == ["bad", "good"] and len(source.splits["train"]) == 12
    assert any("4 of 16 rows have no label" in note for note in source.notes)


def test_data_without_most_labels_is_refused(tmp_path):
    message = refusal(write(tmp_path / "a.csv", [*ROWS, *((f"text {i}", "") for i in range(5))]))
    assert "5 of 9 rows have no label" in message


def test_the_word_none_is_a_class_where_it_is_frequent_and_a_gap_where_it_is_rare(tmp_path):
    frequent = read(write(tmp_path / "a.csv", [*ROWS * 2, ("no topic", "None"), ("nothing", "None")]))
    assert frequent.labels == ["None", "bad", "good"] and any(
        "the label 'None' (2 rows) was taken for a class" in note for note in frequent.notes
    )
    rare = read(write(tmp_path / "b.csv", [*ROWS * 10, ("no topic", "None")]))
    assert rare.labels == ["bad", "good"] and any("None 1" in note for note in rare.notes)
    assert "where 'None' is the name of a class, give that class another name" in rare.notes


def test_the_word_none_is_a_class_among_many_however_it_is_spelt(tmp_path):
    names = [f"kind {at}" for at in range(49)] + ["none"]
    rows = [(f"text {at}", names[at % 50]) for at in range(1000)]
    rows = [(text, "None" if at % 100 == 49 else label) for at, (text, label) in enumerate(rows)]
    source = read(write(tmp_path / "a.csv", rows))
    assert len(source.splits["train"]) == 1000 and {"None", "none"} <= set(source.labels)
    assert any("the label 'None', 'none' (20 rows) was taken for a class" in note for note in source.notes)


@pytest.mark.parametrize("column", ["text", "label", "author"])
def test_the_null_of_a_database_dump_means_that_nothing_is_there(tmp_path, column):
    last = {"text": "one more", "label": "good", "author": "bob"} | {column: r"\N"}
    path = write(tmp_path / "a.csv", [*((*row, "ann") for row in ROWS * 2), tuple(last.values())], tuple(last))
    rows = read(path, group_column_name="author").splits["train"]
    assert len(rows) == (9 if column == "author" else 8) and r"\N" not in rows["group"][:]


def test_classes_in_folders_called_none_or_nan_keep_their_pictures(tmp_path):
    for at in range(40):
        picture(tmp_path / f"kind {at % 4}" / f"{at}.png", at)
    for at, name in enumerate(["none", "null", "NA", "nan"]):
        picture(tmp_path / name / "a.png", 100 + at)
    source = sources.read(ImageData(dataset_name=str(tmp_path)))
    assert {"none", "null", "NA", "nan"} < set(source.labels) and len(source.splits["train"]) == 44


def test_rows_without_text_are_left_out_and_counted(tmp_path):
    rows = [*ROWS, ("", "good"), (" \t ", "bad"), ("NaN", "bad")]
    source = read(write(tmp_path / "a.csv", rows))
    assert pairs(source) == ROWS
    assert any("3 of 7 rows have no text" in note for note in source.notes)


def test_spellings_of_a_label_are_reported(tmp_path):
    rows = [(f"text {i}", label) for i, label in enumerate(["Good", "good", " good", "bad"] * 3)]
    source = read(write(tmp_path / "a.csv", rows))
    assert source.labels == ["Good", "bad", "good"]
    assert any("'good', 'Good'" in note for note in source.notes)
    assert any("spaces" in note and "3 rows" in note for note in source.notes)


def test_one_class_is_refused(tmp_path):
    assert "every label is 'good' (2 rows)" in refusal(write(tmp_path / "a.csv", ROWS[::2]))


def test_labels_that_never_repeat_are_refused(tmp_path):
    rows = [(f"text {i}", f"value {i}") for i in range(9)]
    assert "9 different labels in 9 rows" in refusal(write(tmp_path / "a.csv", rows))


def test_a_test_label_that_no_training_row_has_is_refused(tmp_path):
    write(tmp_path / "train.csv", ROWS * 2), write(tmp_path / "test.csv", [("a fine film", "Good")])
    assert "the test rows have labels that no training row has: 'Good'" in refusal(tmp_path)


@pytest.mark.parametrize("labels", [("-1", "-1"), ("", "?")])
def test_a_test_set_with_hidden_labels_is_not_used(tmp_path, labels):
    write(tmp_path / "train.csv"), write(tmp_path / "test.csv", [("a fine film", labels[0]), ("hm", labels[1])])
    source = read(tmp_path)
    assert list(source.splits) == ["train"] and any("test rows" in note for note in source.notes)


def test_a_test_set_without_label_column_is_not_used_unless_asked_for(tmp_path):
    write(tmp_path / "train.csv"), write(tmp_path / "test.csv", [("a fine film",)], header=("text",))
    assert list(read(tmp_path).splits) == ["train"]
    message = refusal(tmp_path / "train.csv", test_file=str(tmp_path / "test.csv"))
    assert "--test_file" in message and "no labels" in message


@pytest.mark.parametrize("content, word", [("", "empty"), ("text,label\n", "no rows"), ("\n\n", "empty")])
def test_a_file_without_rows_is_refused(tmp_path, content, word):
    path = tmp_path / "a.csv"
    path.write_text(content)
    assert word in refusal(path) and str(path) in refusal(path)


def test_a_missing_file_is_refused_with_the_nearest_name(tmp_path):
    write(tmp_path / "reviews.csv")
    assert f"did you mean {tmp_path / 'reviews.csv'}" in refusal(tmp_path / "review.csv")


def test_a_format_that_is_not_read_is_refused_with_those_that_are(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    assert "csv, tsv, json" in refusal(tmp_path / "a.xlsx")


def test_a_text_of_a_million_characters_is_refused_by_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "x" * 1_000_001, "label": "a"}))
    assert "a.jsonl, line 1: a text of 1,000,001 characters" in refusal(path)


def test_settings_of_the_hub_are_refused_for_a_file(tmp_path):
    assert "--dataset_revision" in refusal(write(tmp_path / "a.csv"), dataset_revision="main")


def test_no_data_at_all_is_refused():
    with pytest.raises(RequestError, match="--dataset_name"):
        sources.read(TextData())


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.parquet", "a.csv.gz", "a.jsonl.gz", "a.parquet.gz"])
def test_every_table_format_gives_the_same_rows(tmp_path, name):
    records = [{"text": text, "label": label} for text, label in ROWS]
    write(tmp_path / "a.csv")
    (tmp_path / "a.json").write_text(json.dumps(records))
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)))
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "a.parquet")
    for plain in list(tmp_path.iterdir()):
        plain.with_name(f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert pairs(read(tmp_path / name)) == ROWS


def test_typed_labels_become_names(tmp_path):
    values = [True, False, True, None, False, True]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"text {i}", "label": v}) for i, v in enumerate(values)))
    assert read(path).labels == ["False", "True"]


def test_class_names_inside_a_parquet_file_are_used(tmp_path):
    features = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=["bad", "good"]))
    rows = {"text": [text for text, _ in ROWS], "label": [1, 0, 1, 0]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "a.parquet")
    assert pairs(read(tmp_path / "a.parquet")) == ROWS


def test_several_labels_in_one_row_are_refused_by_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one", "label": "x"}\n{"text": "two", "label": ["x", "y"]}\n')
    assert "a.jsonl, line 2" in refusal(path) and "['x', 'y']" in refusal(path)


def test_a_zip_is_read_like_the_folder_in_it(tmp_path):
    write(tmp_path / "train.csv")
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.write(tmp_path / "train.csv", "reviews/train.csv")
        archive.write(tmp_path / "train.csv", "reviews/test.csv")
        archive.writestr("__MACOSX/reviews/._train.csv", b"junk")
        archive.writestr("reviews/.DS_Store", b"junk")
    source = read(tmp_path / "data.zip")
    assert pairs(source) == pairs(source, "test") == ROWS
    assert source.origin == "data.zip"


def test_an_image_folder_gives_classes_by_folder(tmp_path):
    for at, name in enumerate(["cats/a.png", "cats/deep/b.JPG", "dogs/c.png", "dogs/D.PNG", "dogs/ünï 猫.png"]):
        picture(tmp_path / name, at)
    (tmp_path / "cats" / "notes.txt").write_text("no picture")
    (tmp_path / "dogs" / "Thumbs.db").write_text("no picture")
    (tmp_path / "empty").mkdir()
    source = sources.read(ImageData(dataset_name=str(tmp_path)))
    rows = source.splits["train"]
    assert source.labels == ["cats", "dogs"] and list(rows["label"]) == [0, 0, 1, 1, 1]
    assert rows.features["image"] == datasets.Image(decode=False)
    assert all(Path(row["image"]["path"]).is_file() for row in rows)
    assert any("1 files" in note and "notes.txt" in note for note in source.notes)
    assert any("empty holds no pictures" in note for note in source.notes)


def test_an_image_folder_with_split_folders_is_read_by_split(tmp_path):
    for at, (split, label) in enumerate((s, c) for s in ("Train", "val", "test") for c in ("cats", "dogs")):
        picture(tmp_path / split / label / "a.png", at)
    source = sources.read(ImageData(dataset_name=str(tmp_path)))
    assert {split: len(rows) for split, rows in source.splits.items()} == {"train": 2, "validation": 2, "test": 2}


def test_a_class_may_be_called_train(tmp_path):
    for at, name in enumerate(["train/", "bus/", "test/"] * 2):
        picture(tmp_path / f"{name}{at}.png", at)
    source = sources.read(ImageData(dataset_name=str(tmp_path)))
    assert source.labels == ["bus", "test", "train"] and list(source.splits) == ["train"]


def test_a_relative_folder_is_found_again_from_elsewhere(tmp_path, monkeypatch):
    picture(tmp_path / "photos" / "cats" / "a.png"), picture(tmp_path / "photos" / "dogs" / "b.png", 1)
    monkeypatch.chdir(tmp_path)
    rows = sources.read(ImageData(dataset_name="photos")).splits["train"]
    monkeypatch.chdir("/")
    assert Path(rows[0]["image"]["path"]).is_file()


def test_a_changed_picture_gets_a_new_row_id(tmp_path):
    paths = [picture(tmp_path / "cats" / "a.png"), picture(tmp_path / "dogs" / "b.png", 1)]
    paths[0].write_bytes(b"one")
    before = sources.read(ImageData(dataset_name=str(tmp_path))).splits["train"]["row_id"]
    paths[0].write_bytes(b"two")
    os.utime(paths[0], ns=(1, 1))
    after = sources.read(ImageData(dataset_name=str(tmp_path))).splits["train"]["row_id"]
    assert before[0] != after[0] and before[1] == after[1]


def test_a_picture_that_is_a_broken_link_is_refused_by_name(tmp_path):
    picture(tmp_path / "cats" / "a.png"), picture(tmp_path / "dogs" / "b.png", 1)
    (tmp_path / "dogs" / "c.png").symlink_to(tmp_path / "nowhere.png")
    assert "c.png cannot be read: No such file" in refusal(tmp_path, ImageData)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems accept no such name")
def test_a_file_name_that_is_no_unicode_is_refused(tmp_path):
    picture(tmp_path / "cats" / "a.png")
    os.rename(tmp_path / "cats" / "a.png", os.fsencode(tmp_path / "cats") + b"/\xff.png")
    assert "no Unicode text" in refusal(tmp_path, ImageData)


def test_pictures_of_one_class_are_refused(tmp_path):
    picture(tmp_path / "cats" / "a.png"), picture(tmp_path / "cats" / "b.png", 1)
    assert "every label is 'cats'" in refusal(tmp_path, ImageData)


def test_a_text_job_refuses_an_image_folder(tmp_path):
    for split in ("train", "test"):
        picture(tmp_path / split / "cats" / "a.png"), picture(tmp_path / split / "dogs" / "b.png")
    assert "tables" in refusal(tmp_path)


def test_a_table_names_the_pictures_beside_it(tmp_path):
    rows = [("IMG_1.PNG", "cat"), ("images/b.png", "dog"), ("/home/someone/c.png", "cat"), ("d", "dog")]
    for at, name in enumerate(["img_1.png", "images/b.png", "images/c.png", "images/d.png"]):
        picture(tmp_path / name, at)
    source = sources.read(ImageData(dataset_name=str(write(tmp_path / "labels.csv", rows, ("file_name", "label")))))
    names = [Path(row["image"]["path"]).name for row in source.splits["train"]]
    assert names == ["img_1.png", "b.png", "c.png", "d.png"]


def test_a_folder_with_a_table_is_read_by_the_table(tmp_path):
    write(tmp_path / "labels.csv", [("a.png", "cat"), ("b.png", "dog")], ("image", "class"))
    picture(tmp_path / "x" / "a.png"), picture(tmp_path / "y" / "b.png", 1)
    assert sources.read(ImageData(dataset_name=str(tmp_path))).labels == ["cat", "dog"]


def test_pictures_that_a_table_names_in_vain_are_counted_and_refused_when_many(tmp_path):
    for at in range(20):
        picture(tmp_path / f"{at}.png", at)
    rows = [(f"{at}.png", f"kind {at % 2}") for at in range(20)]
    few = sources.read(
        ImageData(dataset_name=str(write(tmp_path / "few.csv", [*rows, ("x.png", "kind 1")], ("image", "label"))))
    )
    assert len(few.splits["train"]) == 20 and any("1 of 21 rows have no image" in note for note in few.notes)
    many = write(tmp_path / "many.csv", [*rows, *(("x.png", "kind 1"),) * 5], ("image", "label"))
    told = f"of the 25 pictures that {many} names, 5 are not below the folder {tmp_path}, such as 'x.png' on line 22"
    assert told in refusal(many, ImageData)


def test_a_table_cannot_reach_pictures_outside_its_folder(tmp_path):
    picture(tmp_path / "secret.png")
    outside = [("../secret.png", "cat"), (str(tmp_path / "secret.png"), "dog")]
    table = write(tmp_path / "data" / "a.csv", outside, ("image", "label"))
    assert "2 are not below the folder" in refusal(table, ImageData)


def labelled(tmp_path: Path, extra: list[tuple[str, str]], header=("image", "label")) -> Path:
    """A table of twenty cats and twenty dogs in folders, and of what else it names."""
    rows = [(f"{label}/{label} {at}.png", label) for label in ("cat", "dog") for at in range(20)]
    for at, (name, _) in enumerate(rows):
        picture(tmp_path / name, at)
    return write(tmp_path / "labels.csv", [*rows, *extra], header)


@pytest.mark.parametrize("turned", [False, True])
def test_a_missing_picture_is_never_replaced_by_the_picture_of_another_row(tmp_path, turned):
    names = [("cat/1.png", "cat"), ("dog/1.png", "dog")]
    table = labelled(tmp_path, names[::-1] if turned else names)
    picture(tmp_path / "cat" / "1.png", 100)  # and no dog
    source = sources.read(ImageData(dataset_name=str(table)))
    found = {(Path(row["image"]["path"]).parent.name, source.labels[row["label"]]) for row in source.splits["train"]}
    assert found == {("cat", "cat"), ("dog", "dog")} and len(source.splits["train"]) == 41
    assert any("1 have a name alone in common with" in note and "'dog/1.png' on line" in note for note in source.notes)


def test_two_names_that_lead_to_one_picture_by_their_last_part_count_as_missing(tmp_path):
    picture(tmp_path / "images" / "1.png", 100)
    source = sources.read(ImageData(dataset_name=str(labelled(tmp_path, [("a/1.png", "cat"), ("b/1.png", "dog")]))))
    assert len(source.splits["train"]) == 40 and any("2 have a name alone in common" in note for note in source.notes)


def test_a_missing_picture_of_the_test_table_is_not_replaced_by_one_of_the_training_table(tmp_path):
    labelled(tmp_path, [("cat/1.png", "cat")]).rename(tmp_path / "train.csv")
    picture(tmp_path / "cat" / "1.png", 100)
    rows = [*((f"dog/dog {at}.png", "dog") for at in range(20)), ("dog/1.png", "dog")]
    write(tmp_path / "test.csv", rows, ("image", "label"))
    source = sources.read(ImageData(dataset_name=str(tmp_path)))
    assert {split: len(rows) for split, rows in source.splits.items()} == {"train": 41, "test": 20}


def test_a_name_that_two_pictures_share_is_called_ambiguous(tmp_path):
    picture(tmp_path / "cat" / "1.png", 100), picture(tmp_path / "dog" / "1.png", 101)
    source = sources.read(ImageData(dataset_name=str(labelled(tmp_path, [("1.png", "cat")]))))
    assert any("1 have a name that several pictures below" in note and "'1.png'" in note for note in source.notes)


def test_pictures_found_by_name_alone_are_counted(tmp_path):
    picture(tmp_path / "images" / "a.png", 100), picture(tmp_path / "images" / "b.png", 101)
    names = [("/home/someone/a.png", "cat"), ("b", "dog"), ("CAT/cat 1.PNG", "cat")]
    source = sources.read(ImageData(dataset_name=str(labelled(tmp_path, names))))
    assert len(source.splits["train"]) == 43
    assert any("2 names of pictures were found by their last part alone" in note for note in source.notes)


@pytest.mark.parametrize("tables", [["notes.csv"], ["a.csv", "b.tsv"]])
@pytest.mark.parametrize("split", ["", "train"])
def test_tables_that_stray_into_an_image_folder_are_named_and_not_read(tmp_path, tables, split):
    for at, name in enumerate(["cats/a.png", "dogs/b.png"]):
        picture(tmp_path / split / name, at)
    for name in tables:
        write(tmp_path / name)
    source = sources.read(ImageData(dataset_name=str(tmp_path)))
    assert source.labels == ["cats", "dogs"]
    assert any(f"{', '.join(tables)} beside the folders" in note for note in source.notes)


def test_a_table_beside_one_folder_of_pictures_is_read_and_its_wrong_names_are_told(tmp_path):
    picture(tmp_path / "images" / "a.png"), write(tmp_path / "labels.csv", [("x.png", "cat"), ("y.png", "dog")])
    assert "2 are not below the folder" in refusal(tmp_path, ImageData, image_column_name="text")


def test_pictures_inside_a_parquet_file_are_read(tmp_path):
    packed = []
    for shade in (0, 200):
        buffer = BytesIO()
        Image.new("L", (4, 4), shade).save(buffer, "PNG")
        packed.append(buffer.getvalue())
    records = [{"img": {"bytes": data, "path": None}, "label": at} for at, data in enumerate(packed)]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "a.parquet")
    rows = sources.read(ImageData(dataset_name=str(tmp_path / "a.parquet"))).splits["train"]
    assert [row["image"]["bytes"] for row in rows] == packed


def test_large_pictures_in_a_table_are_held_a_few_at_a_time(tmp_path):
    packed = [os.urandom(1_000_000) for _ in range(100)]
    records = {"image": [{"bytes": data, "path": None} for data in packed], "label": [at % 2 for at in range(100)]}
    pq.write_table(pa.table(records), tmp_path / "a.parquet", row_group_size=10)
    del packed, records
    table = formats.open_table(tmp_path / "a.parquet", [], False)
    assert {len(image) for image, _ in table.head()} == {0}
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in table.rows([0, 1])]
    assert len(held) == 100 and max(held) < 100_000_000
    given = (Row(bytes(1_000_000), "x") for _ in range(100))
    assert [len(batch) for batch in rows_module._batched(given)] == [33, 33, 33, 1]


def test_sample_tweets_are_sure_and_each_text_comes_once():
    source = sources.read(TextData(dataset_name="sample:tweets"))
    texts = list(source.splits["train"]["text"])
    assert source.labels == ["negative", "neutral", "positive"]
    assert 30_000 < len(texts) < 38_158 and len(set(texts)) == len(texts)
    assert not any("million wrecks" in text for text in texts)  # 0.4552 sure
    assert source.origin == "sample:tweets"


def test_sample_digits_are_grey_pictures_of_28_pixels():
    source = sources.read(ImageData(dataset_name="sample:mnist"))
    rows = source.splits["train"]
    assert source.labels == [str(digit) for digit in range(10)] and len(rows) == 5000
    digit = Image.open(BytesIO(rows[0]["image"]["bytes"]))
    assert digit.size == (28, 28) and digit.mode == "L" and digit.getextrema()[1] > 200


def test_a_sample_of_the_wrong_kind_is_refused():
    with pytest.raises(RequestError, match="sample:mnist for pictures"):
        sources.read(ImageData(dataset_name="sample:tweets"))


def test_spellings_of_a_label_are_merged_under_the_commonest_if_asked(tmp_path):
    rows = [(f"text {i}", label) for i, label in enumerate(["Good", "good", " good", "bad", "b ad"] * 3)]
    source = read(write(tmp_path / "a.csv", rows), merge_label_spellings=True)
    assert source.labels == ["b ad", "good"]
    assert [source.labels[label] for label in source.splits["train"]["label"]][:3] == ["good"] * 3
    assert any("merged" in note and "'good', 'Good'" in note for note in source.notes)


def test_a_test_label_spelt_differently_is_a_known_one_after_merging(tmp_path):
    write(tmp_path / "train.csv", ROWS * 2), write(tmp_path / "test.csv", [("a fine film", "Good")])
    assert pairs(read(tmp_path, merge_label_spellings=True), "test") == [("a fine film", "good")]


def test_a_group_column_comes_along_and_rows_without_are_counted(tmp_path):
    rows = [(text, label, who) for (text, label), who in zip(ROWS, [" 7", "7", "", "nan"], strict=True)]
    source = read(write(tmp_path / "a.csv", rows, ("text", "label", "patient")), group_column_name="patient")
    assert list(source.splits["train"]["group"]) == ["7", "7", None, None]
    assert any("2 of 4 rows have no patient" in note for note in source.notes)


def test_groups_that_are_numbers_are_the_same_however_their_file_writes_them(tmp_path):
    header = ("text", "label", "who")
    write(tmp_path / "train.csv", [(*row, f"{at}.0") for at, row in enumerate(ROWS)], header)
    write(tmp_path / "test.csv", [(*row, at) for at, row in enumerate(ROWS)], header)
    source = read(tmp_path, group_column_name="who")
    assert source.splits["train"]["group"][:] == source.splits["test"]["group"][:] == ["0", "1", "2", "3"]


def test_groups_that_look_like_numbers_now_and_then_stay_as_they_are(tmp_path):
    rows = [(*row, who) for row, who in zip(ROWS, ["1.0", "1", "v1.0", "x"], strict=True)]
    source = read(write(tmp_path / "a.csv", rows, ("text", "label", "version")), group_column_name="version")
    assert source.splits["train"]["group"][:] == ["1.0", "1", "v1.0", "x"]


def test_unknown_groups_are_known_by_the_same_words_as_unknown_labels(tmp_path):
    rows = [(*row, who) for row, who in zip(ROWS, ["ann", "None", "n/a", "?"], strict=True)]
    source = read(write(tmp_path / "a.csv", rows, ("text", "label", "who")), group_column_name="who")
    assert source.splits["train"]["group"][:] == ["ann", None, None, None]


@pytest.mark.parametrize(
    "value, name", [(date(2024, 5, 1), "2024-05-01"), (Decimal("12.00"), "12"), (Decimal("1.50"), "1.50")]
)
def test_a_group_may_be_a_date_or_a_decimal(tmp_path, value, name):
    records = [{"text": text, "label": label, "who": value} for text, label in ROWS]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "a.parquet")
    assert set(read(tmp_path / "a.parquet", group_column_name="who").splits["train"]["group"]) == {name}


def test_a_group_that_is_no_word_is_refused_as_a_group(tmp_path):
    records = [{"text": text, "label": label, "who": b"ann"} for text, label in ROWS]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "a.parquet")
    assert "a group should be a word" in refusal(tmp_path / "a.parquet", group_column_name="who")


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_groups_that_are_numbers_are_read_from_typed_files(tmp_path, name):
    records = [{"text": text, "label": label, "who": 3.0 if at % 2 else 4} for at, (text, label) in enumerate(ROWS)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)))
    pq.write_table(pa.table({key: [row[key] for row in records] for key in records[0]}), tmp_path / "a.parquet")
    assert list(read(tmp_path / name, group_column_name="who").splits["train"]["group"]) == ["4", "3", "4", "3"]


def test_pictures_are_grouped_by_a_column_of_the_table_that_names_them(tmp_path):
    rows = [("a.png", "cat", "ann"), ("b.png", "dog", "bob")]
    for at, (name, _, _) in enumerate(rows):
        picture(tmp_path / name, at)
    path = write(tmp_path / "labels.csv", rows, ("file_name", "label", "owner"))
    source = sources.read(ImageData(dataset_name=str(path), group_column_name="owner"))
    assert list(source.splits["train"]["group"]) == ["ann", "bob"]


def test_the_group_column_is_never_guessed_to_be_the_text_or_the_label(tmp_path):
    rows = [(f"the patient of {who} in a long sentence", text, who, label) for who, (text, label) in enumerate(ROWS)]
    path = write(tmp_path / "a.csv", rows, ("summary", "phrase", "class", "mood"))
    assert pairs(read(path, group_column_name="summary", label_column_name="mood"))[0] == ("a fine film", "good")
    source = read(path, group_column_name="class", text_column_name="phrase")
    assert pairs(source) == ROWS and source.splits["train"]["group"][:] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    "settings",
    [
        {"label_column_name": "digit"}, {"group_column_name": "owner"}, {"label_delimiter": ";"},
        {"column_names": ["a", "b"]}, {"image_column_name": "photo"},
    ],
    ids=lambda settings: next(iter(settings)),
)  # fmt: skip
def test_settings_for_tables_are_refused_where_there_is_none(tmp_path, settings):
    picture(tmp_path / "cats" / "a.png"), picture(tmp_path / "dogs" / "b.png", 1)
    for place in (tmp_path, "sample:mnist"):
        assert f"--{next(iter(settings))}: {place} is no table" in refusal(place, ImageData, **settings)


def test_columns_of_texts_are_refused_for_a_sample():
    message = refusal("sample:tweets", text_column_name="a", text_pair_column_name="b")
    assert "--text_column_name and --text_pair_column_name: sample:tweets is no table" in message


def test_columns_can_be_named_for_a_test_table_beside_a_folder_of_classes(tmp_path):
    picture(tmp_path / "photos" / "cats" / "a.png"), picture(tmp_path / "photos" / "dogs" / "b.png", 1)
    table = write(tmp_path / "photos.csv", [("photos/cats/a.png", 1, "cats")], ("image", "class", "animal"))
    data = ImageData(dataset_name=str(tmp_path / "photos"), test_file=str(table), label_column_name="animal")
    assert len(sources.read(data).splits["test"]) == 1


def test_test_rows_that_are_all_blank_are_refused_at_once(tmp_path):
    write(tmp_path / "train.csv"), write(tmp_path / "test.csv", [("", "good"), (" ", "bad")])
    assert "none of the test rows can be used" in refusal(tmp_path)


def test_a_class_whose_training_texts_are_all_blank_is_refused_by_name(tmp_path):
    rows = [*ROWS * 2, ("", "so so"), (" ", "so so")]
    assert "no training row of class 'so so' has content" in refusal(write(tmp_path / "a.csv", rows))


def test_a_group_column_that_cannot_be_had_is_refused(tmp_path):
    table = write(tmp_path / "a.csv")
    assert "no column 'pationt'" in refusal(table, group_column_name="pationt")
    assert "cannot tell which column of" in refusal(table, group_column_name="label")
    listed = tmp_path / "a.jsonl"
    listed.write_text('{"text": "one", "label": "x", "who": ["y"]}\n{"text": "two", "label": "z", "who": "y"}\n')
    assert "line 1: a group should be a word" in refusal(listed, group_column_name="who")
