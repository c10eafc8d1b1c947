"""Saved data sets outlive the page, are known by their ids alone, and never lead outside their folder."""

import os
import stat
import time

import pytest

from studio import processes
from studio.errors import RequestError
from studio.runs import Run, write_whole
from studio.ui import datasets, places

TOLD = {"sizes": {"train": 8, "validation": 1, "test": 1}, "classes": [{"label": "a"}, {"label": "b"}]}


@pytest.fixture
def upload(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    file = folder / 'my "reviews" <b>.csv'
    file.write_text("text,label\ngood,a\nbad,b\n")
    return file


def saved(root, upload, name="Reviews", **settings):
    given = {"dataset_name": str(upload), **settings}
    return datasets.save(root, name, "text-classification", given, TOLD, {"dataset_name": upload})


def run_on(root, dataset_name, state, task="text-classification"):
    run = Run(root / "some-run")
    run.create(
        recipe="text_classification", task=task, command=[], settings=f"dataset_name: '{dataset_name}'\n", seed=0
    )
    run.set_state(state)
    run.unlock()
    return run


def test_a_saved_data_set_is_read_again_as_it_was_saved(tmp_path, upload):
    kept = saved(tmp_path, upload, label_column_name="label")
    upload.unlink()  # Gradio clears its cache
    again = datasets.read(tmp_path, kept.id)
    assert again == kept and again.preview == TOLD and again.settings["label_column_name"] == "label"
    with open(again.settings["dataset_name"]) as file:
        assert file.read().endswith("good,a\nbad,b\n")


def test_thumbnails_are_kept_with_the_data_set(tmp_path):
    settings = {"dataset_name": "sample:mnist", "test_fraction": 0.3}
    kept = datasets.save(
        tmp_path, "Digits", "image-classification", settings, TOLD, thumbnails={"00.webp": b"0", "01.webp": b"1"}
    )
    assert datasets.read(tmp_path, kept.id).thumbnails == {"00.webp": b"0", "01.webp": b"1"}


def test_what_is_saved_is_for_its_owner_alone_and_has_a_safe_name(tmp_path, upload):
    kept = saved(tmp_path, upload)
    file = kept.files["dataset_name"]
    assert file.name == "my_reviews_b_.csv" and file.is_relative_to(kept.folder)
    for path in (kept.folder, *kept.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize("name", ["", " \n ", "\u00a0"])
def test_a_data_set_without_a_name_is_refused_and_leaves_nothing(tmp_path, upload, name):
    with pytest.raises(RequestError, match="name"):
        saved(tmp_path, upload, name)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["../../etc", "<img src=x onerror=alert(1)>", "日本語", "-rf", "a" * 500, "con\0"])
def test_whatever_the_name_the_id_is_plain(tmp_path, upload, name):
    kept = saved(tmp_path, upload, name)
    assert all(letter.isascii() and (letter.isalnum() or letter == "-") for letter in kept.id) and len(kept.id) < 60
    assert kept.folder.parent == tmp_path / "data" and datasets.read(tmp_path, kept.id).name


def test_equal_names_are_numbered_and_the_newest_is_first_with_the_samples_last(tmp_path, upload):
    for _ in range(3):
        saved(tmp_path, upload)
        time.sleep(0.01)
    names = [dataset.name for dataset in datasets.listed(tmp_path)]
    assert names == ["Reviews 3", "Reviews 2", "Reviews", "Tweets (sample)", "Digits (sample)"]


@pytest.mark.parametrize("name", ["", ".", "..", "../data/x", "/etc", "x/../x", "data", "..%2f", "a\0", "x" * 5000])
def test_an_id_that_is_none_is_refused(tmp_path, upload, name):
    kept = saved(tmp_path, upload)
    write_whole(tmp_path / "data" / "dataset.json", (kept.folder / "dataset.json").read_bytes())
    for act in (datasets.read, datasets.remove):
        with pytest.raises(RequestError, match="there is no data set"):
            act(tmp_path, name)
    assert kept.folder.exists()


def decided(root, upload, of, name="Reviews, checked"):
    file = upload.with_name("decisions.json")
    file.write_text('{"version": 1}')
    files = of.files | {"curation_file": file}
    return datasets.save(
        root, name, of.task, of.settings | {"curation_file": str(file)}, TOLD, files, of=of.of or of.id
    )


def test_versions_are_listed_with_what_they_are_of_and_share_its_files(tmp_path, upload):
    first = saved(tmp_path, upload)
    other, second, third = saved(tmp_path, upload, "Other"), *(decided(tmp_path, upload, first) for _ in range(2))
    for one in (first, second, third):
        assert [found.id for found in datasets.versions(tmp_path, one.id)] == [third.id, second.id, first.id]
    assert [found.id for found in datasets.versions(tmp_path, other.id)] == [other.id]
    assert second.name != third.name and second.files["curation_file"].read_text() == '{"version": 1}'
    assert second.files["dataset_name"].samefile(first.files["dataset_name"])
    datasets.remove(tmp_path, first.id)
    assert "good,a" in datasets.read(tmp_path, second.id).files["dataset_name"].read_text()


def test_a_run_on_another_version_holds_nothing_back(tmp_path, upload):
    settings = {"dataset_name": str(upload)}
    first = datasets.save(tmp_path, "Reviews", "text-classification", settings, TOLD)
    second = decided(tmp_path, upload, first)
    run = run_on(tmp_path, upload, "running")
    write_whole(run.config, f"dataset_name: '{upload}'\ncuration_file: {second.settings['curation_file']}\n")
    datasets.remove(tmp_path, first.id)
    with pytest.raises(RequestError, match="is used by the run some-run"):
        datasets.remove(tmp_path, second.id)


def test_a_damaged_data_set_does_not_hide_the_others(tmp_path, upload):
    good, bad = saved(tmp_path, upload), saved(tmp_path, upload)
    (bad.folder / "dataset.json").write_text('{"id": ')
    assert [dataset.id for dataset in datasets.saved(tmp_path)] == [good.id]


def test_removing_takes_the_uploaded_file_away(tmp_path, upload):
    kept = saved(tmp_path, upload)
    datasets.remove(tmp_path, kept.id)
    assert not list((tmp_path / "data").iterdir()) and upload.exists()


def test_a_sample_stays(tmp_path):
    with pytest.raises(RequestError, match="comes with the studio"):
        datasets.remove(tmp_path, "sample-tweets")


@pytest.mark.parametrize(("state", "stays"), [("running", True), ("queued", True), ("failed", False)])
def test_a_data_set_that_a_run_uses_is_not_removed(tmp_path, upload, state, stays):
    kept = saved(tmp_path, upload)
    run_on(tmp_path, kept.settings["dataset_name"], state)
    assert processes.alive(Run(tmp_path / "some-run").status()) is True
    if stays:
        with pytest.raises(RequestError, match="is used by the run some-run"):
            datasets.remove(tmp_path, kept.id)
    else:
        datasets.remove(tmp_path, kept.id)
    assert kept.folder.exists() == stays


def test_a_run_on_other_data_holds_nothing_back(tmp_path, upload):
    kept = saved(tmp_path, upload)
    run_on(tmp_path, "sample:tweets", "running")
    datasets.remove(tmp_path, kept.id)
    assert not kept.folder.exists()


def test_the_data_set_of_a_run_is_found_or_saved(tmp_path, upload):
    kept = saved(tmp_path, upload)
    run = run_on(tmp_path, kept.settings["dataset_name"], "finished")
    assert datasets.of_run(tmp_path, run).id == kept.id
    write_whole(run.config, "dataset_name: sample:tweets\nmax_train_samples: 100\nmerge_label_spellings: false\n")
    assert datasets.of_run(tmp_path, run).id == "sample-tweets"
    write_whole(run.config, f"dataset_name: '{upload}'\ntest_fraction: 0.3\n")
    found = datasets.of_run(tmp_path, run)
    assert found.settings == {"dataset_name": str(upload), "test_fraction": 0.3}
    assert datasets.of_run(tmp_path, run).id == found.id and len(datasets.saved(tmp_path)) == 2


def test_an_upload_that_is_too_large_or_gone_is_refused(tmp_path, upload):
    os.truncate(upload, datasets.UPLOAD_BYTES + 1)  # takes no room on the disk
    with pytest.raises(RequestError, match="uploads may have 2 GB"):
        saved(tmp_path, upload)
    upload.unlink()
    with pytest.raises(RequestError, match="upload it again"):
        saved(tmp_path, upload)
    assert not list((tmp_path / "data").glob("*"))


def test_only_what_is_below_the_roots_may_be_opened(tmp_path, monkeypatch):
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "a.csv").write_text("")
    (outside / "b.csv").write_text("")
    (inside / "link.csv").symlink_to(outside / "b.csv")
    (inside / "round").symlink_to(inside / "round")
    monkeypatch.setenv("STUDIO_DATA_ROOTS", f"{inside}{os.pathsep}{tmp_path / 'more'}")
    assert places.on_this_machine(f" {inside}/a.csv ") == inside / "a.csv"
    for name in ("/etc/passwd", str(inside / "link.csv"), f"{inside}/../out/b.csv", "~nobody/x", "x" * 9000):
        with pytest.raises(RequestError, match="outside the folders|no path that can be opened"):
            places.on_this_machine(name)
    for name in ("", "a\0b", str(inside / "none.csv"), str(inside / "round")):
        with pytest.raises(RequestError):
            places.on_this_machine(name)


def test_the_roots_are_the_home_and_the_working_folder_unless_named(tmp_path, monkeypatch):
    monkeypatch.delenv("STUDIO_DATA_ROOTS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir("/")
    assert places.roots() == [tmp_path.resolve(), places.Path("/")]


def test_a_name_on_the_hub_is_no_path(tmp_path, monkeypatch):
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner" / "here").write_text("")
    monkeypatch.chdir(tmp_path)
    assert places.on_the_hub("https://huggingface.co/datasets/stanfordnlp/imdb") == "stanfordnlp/imdb"
    for name in ("", "/etc/passwd", "../up", "a/b/c", "owner/..", "owner/here", "--flag", "a b"):
        with pytest.raises(RequestError):
            places.on_the_hub(name)
