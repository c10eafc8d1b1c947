"""A preview tells what training would read, and refuses what training would refuse."""

import csv
import io
import json
import shutil
import zipfile

import pytest
from PIL import Image

from studio.config import ImageData, TextData
from studio.data import load, splits
from studio.data.preview import PICTURES, ROWS, TEXT_CHARACTERS, columns, preview
from studio.errors import RequestError


def table(path, rows, header=("text", "label")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return f"--dataset_name={path}"


def test_a_preview_divides_texts_as_training_does(reviews):
    told = preview([f"--dataset_name={reviews}", "--test_fraction=0.2"])
    data = TextData(dataset_name=str(reviews), test_fraction=0.2)
    trained = splits.divide(load.read(data), data, seed=42)
    sizes = {name: len(getattr(trained, name)) for name in splits.SPLITS}
    assert told["sizes"] == sizes and told["notes"] == trained.notes and sum(sizes.values()) == 240
    assert {name: sum(row[name] for row in told["classes"]) for name in sizes} == sizes
    assert [row["label"] for row in told["classes"]] == trained.labels == ["negative", "positive"]
    assert told["task"] == "text-classification" and told["given"] == ["train"]


def test_a_preview_divides_pictures_as_training_does(photos):
    told = preview([f"--dataset_name={photos}"])
    data = ImageData(dataset_name=str(photos))
    trained = splits.divide(load.read(data), data, seed=42)
    assert told["sizes"] == {name: len(getattr(trained, name)) for name in splits.SPLITS}
    assert told["task"] == "image-classification" and told["columns"] == [] and told["pictures"] == []


def test_a_preview_names_all_columns_and_those_it_took(tmp_path):
    rows = [(f"text {i}", f"title {i}", "ab"[i % 2], i // 2) for i in range(40)]
    where = table(tmp_path / "t.csv", rows, ("body", "remark", "kind", "author"))
    told = preview([where, "--text_column_name=remark", "--label_column_name=kind", "--group_column_name=author"])
    assert told["columns"] == ["body", "remark", "kind", "author"]
    assert told["chosen"] == {
        "text_column_name": "remark",
        "label_column_name": "kind",
        "group_column_name": "author",
    }
    assert told["rows"][0] == {"text": "title 0", "group": "0", "labels": ["a"]}


def test_a_preview_shows_the_first_rows_and_cuts_long_texts(tmp_path):
    told = preview([table(tmp_path / "t.csv", [(f"{i} {'long ' * 100}", "ab"[i % 2]) for i in range(40)])])
    assert [row["text"].split()[0] for row in told["rows"]] == [str(i) for i in range(ROWS)]
    assert all(len(row["text"]) == TEXT_CHARACTERS + 1 for row in told["rows"])
    assert told["shape"]["words"] == {"median": 101, "most": 101}


def test_a_preview_passes_on_what_the_data_sources_say(tmp_path):
    rows = [(f"text {i}", "ab"[i % 2]) for i in range(40)]
    told = preview([table(tmp_path / "t.csv", [*rows, *rows[:5], ("", "a"), ("text 0", "b")])])
    assert any("have no text" in note for note in told["notes"])
    assert any("repeat the content" in note for note in told["notes"])
    assert any("different labels" in note for note in told["notes"])


def test_thumbnails_are_small_few_and_of_every_class(tmp_path):
    for name, count in (("many", 60), ("some", 30), ("few", 4)):
        (tmp_path / "in" / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (500, 250 + i), (i * 4, 9, 99)).save(tmp_path / "in" / name / f"{i}.png")
    told = preview([f"--dataset_name={tmp_path / 'in'}"], thumbnails=tmp_path / "out")
    labels = [label for picture in told["pictures"] for label in picture["labels"]]
    assert len(labels) == PICTURES and labels.count("few") == 4 and labels.count("some") == labels.count("many") == 10
    for picture in told["pictures"]:
        with Image.open(tmp_path / "out" / picture["file"]) as small:
            assert small.size[0] == 192
    assert told["shape"]["width"] == 500


def test_tiny_pictures_are_enlarged_for_thumbnails(photos, tmp_path):
    told = preview([f"--dataset_name={photos}"], thumbnails=tmp_path)
    with Image.open(tmp_path / told["pictures"][0]["file"]) as large:
        assert large.size == (180, 180)  # of 20 pixels


@pytest.mark.parametrize("pack", [False, True], ids=["folder", "zip"])
def test_the_task_is_told_from_what_the_data_hold(photos, reviews, tmp_path, pack):
    folders = {"image": tmp_path / "photos", "listed": tmp_path / "listed", "text": tmp_path / "texts"}
    shutil.copytree(photos, folders["image"])
    shutil.copytree(photos, folders["listed"] / "files")
    names = [file.stem for file in sorted(photos.glob("*/*.png"))]
    table(folders["listed"] / "train.csv", [(name, "ab"[int(name) % 2]) for name in names], ("id", "breed"))
    folders["text"].mkdir()
    shutil.copy(reviews, folders["text"])
    if pack:
        folders = {name: shutil.make_archive(tmp_path / name, "zip", folder) for name, folder in folders.items()}
    tasks = {name: preview([f"--dataset_name={folder}"])["task"] for name, folder in folders.items()}
    assert tasks == {
        "image": "image-classification",
        "listed": "image-classification",
        "text": "text-classification",
    }


def test_a_table_with_names_of_pictures_is_told_by_their_endings(photos, tmp_path):
    shutil.copytree(photos, tmp_path / "files")
    rows = [(f"files/{file.parent.name}/{file.name}", file.parent.name) for file in sorted(photos.glob("*/*.png"))]
    assert preview([table(tmp_path / "list.csv", rows, ("file", "label"))])["task"] == "image-classification"


def test_columns_are_listed_where_a_preview_is_refused(tmp_path):
    where = table(tmp_path / "t.csv", [(i, i * 2, i * 3) for i in range(40)], ("one", "two", "three"))
    with pytest.raises(RequestError, match="cannot tell which column"):
        preview([where])
    assert columns([where])["columns"] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ([], "no data to train on"),
        (["--dataset_name=nowhere.csv"], "there is no file or folder nowhere.csv"),
        (["--dataset_name=sample:mnist", "--learning_rate=1"], "--learning_rate=1 says nothing about data"),
        (["--dataset_name=sample:tweets", "--test_fraction=2"], "--test_fraction must be at most 0.9"),
    ],
)
def test_what_is_no_data_is_refused(flags, complaint):
    with pytest.raises(RequestError, match=complaint):
        preview(flags)


def test_the_command_prints_json_and_needs_no_torch(reviews, tmp_path, program):
    done = program("-X", "importtime", "-m", "studio", "preview", "--dataset_name", reviews, "--json")
    assert json.loads(done.stdout)["sizes"]["train"] == 180
    assert not {"torch", "transformers"} & {line.split("|")[-1].strip() for line in done.stderr.splitlines()}


def test_the_command_shows_a_table_and_refuses_with_exit_code_2(reviews, tmp_path, program):
    shown = program("-m", "studio", "preview", "--dataset_name", reviews)
    assert "positive" in shown.stdout and "column 'text' is the text" in shown.stdout
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../out.csv", "text,label")
    (tmp_path / "slip.zip").write_bytes(stream.getvalue())
    refused = program("-m", "studio", "preview", "--dataset_name", tmp_path / "slip.zip", "--json")
    assert refused.returncode == 2 and refused.stderr.startswith("error: ") and not refused.stdout


def test_a_preview_tells_what_is_left_out_and_labels_of_several_spellings(tmp_path):
    labels = ["good"] * 30 + ["Good "] * 9 + ["bad"] * 30 + [""] * 3
    rows = [(f"text {i}", label) for i, label in enumerate(labels)] + [(" ", "bad"), ("alone",)]
    where = table(tmp_path / "t.csv", rows)
    told = preview([where])
    assert told["left_out"] == {"damaged_rows": 1, "no_label": 3, "no_content": 1}
    assert told["spellings"] == [("good", "Good")]
    assert preview([where, "--merge_label_spellings=True"])["spellings"] == []


def test_a_preview_counts_pictures_that_cannot_be_read(photos, tmp_path):
    shutil.copytree(photos, tmp_path / "photos")
    next((tmp_path / "photos").rglob("*.png")).write_bytes(b"none")
    assert preview([f"--dataset_name={tmp_path / 'photos'}"])["left_out"] == {"unreadable": 1}
    assert preview([f"--dataset_name={photos}"])["left_out"] == {}
