"""Data sets on the Hub are read by their declared classes, and each way of failing has its own answer."""

import time

import datasets
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, Value
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils import httpx

from studio.config import ImageData, TextData
from studio.data import sources
from studio.errors import RequestError

ANSWER = httpx.Response(404, request=httpx.Request("GET", "http://hub"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)


@pytest.fixture
def hub(monkeypatch):
    """Stands in for the Hub: what is put into it can be loaded by name."""
    content = {}
    monkeypatch.setattr(HfApi, "dataset_info", lambda self, name, **_: None)
    monkeypatch.setattr(datasets, "load_dataset", lambda name, config, revision: DatasetDict(content[name]))
    return content


def texts(labels: list[int], names: tuple[str, str] = ("no", "yes")) -> Dataset:
    features = Features(sentence=Value("string"), idx=Value("int32"), label=ClassLabel(names=list(names)))
    rows = {"sentence": [f"text {at}" for at in range(len(labels))], "idx": range(len(labels)), "label": labels}
    return Dataset.from_dict(rows, features=features)


def refusal(monkeypatch, fault: Exception) -> str:
    def fail(self, name, **_):
        raise fault

    monkeypatch.setattr(HfApi, "dataset_info", fail)
    with pytest.raises(RequestError) as refused:
        sources.read(TextData(dataset_name="someone/reviews", dataset_revision="v9"))
    return str(refused.value)


def test_declared_classes_keep_their_order_and_hidden_test_labels_are_not_used(hub):
    labels = {"train": [1, 0, 1, 0], "validation": [0, 1], "test": [-1, -1, -1]}
    hub["someone/reviews"] = {split: texts(ids, ("z", "a")) for split, ids in labels.items()}
    source = sources.read(TextData(dataset_name="someone/reviews"))
    assert source.labels == ["z", "a"] and source.origin == "someone/reviews"
    assert list(source.splits) == ["train", "validation"]
    assert source.splits["train"][0]["text"] == "text 0" and source.splits["train"][0]["label"] == 1
    assert any("test rows" in note for note in source.notes)


def test_rows_have_the_ids_they_would_have_in_a_file(hub, tmp_path):
    (tmp_path / "a.csv").write_text("text,label\ntext 0,yes\ntext 1,no\ntext 2,yes\n")
    hub["reviews"] = {"train": texts([1, 0, 1])}
    ids = [
        list(sources.read(TextData(dataset_name=name)).splits["train"]["row_id"])
        for name in ("reviews", str(tmp_path / "a.csv"))
    ]
    assert ids[0] == ids[1]


def test_rows_without_label_or_text_are_left_out(hub):
    rows = texts([1, 0, -1, 1, 0])
    hub["reviews"] = {"train": rows.map(lambda row: {"sentence": " " if row["idx"] == 3 else row["sentence"]})}
    source = sources.read(TextData(dataset_name="reviews"))
    assert list(source.splits["train"]["text"]) == ["text 0", "text 1", "text 4"]


def test_texts_follow_the_rules_that_hold_for_files(hub):
    rows = texts([1, 0, 1, 0, 1]).map(lambda row: {"sentence": "NaN" if row["idx"] == 3 else row["sentence"]})
    hub["reviews"] = {"train": rows}
    assert len(sources.read(TextData(dataset_name="reviews")).splits["train"]) == 4
    hub["reviews"] = {"train": rows.map(lambda row: {"sentence": "x" * 1_000_001 * (row["idx"] == 2)})}
    with pytest.raises(RequestError, match="reviews, row 3: a text of 1,000,001 characters"):
        sources.read(TextData(dataset_name="reviews"))


def test_an_image_set_is_read_without_decoding(hub):
    features = Features(img=Image(), label=ClassLabel(names=["cat", "dog"]))
    rows = {"img": [{"bytes": bytes([at]), "path": None} for at in range(4)], "label": [0, 1, 0, 1]}
    hub["someone/photos"] = {"train": Dataset.from_dict(rows, features=features)}
    source = sources.read(ImageData(dataset_name="someone/photos"))
    assert source.splits["train"].features["image"] == Image(decode=False)
    assert [row["image"]["bytes"] for row in source.splits["train"]] == [bytes([at]) for at in range(4)]


def test_a_group_column_of_a_set_comes_along(hub):
    hub["reviews"] = {"train": texts([1, 0, 1])}
    source = sources.read(TextData(dataset_name="reviews", group_column_name="idx"))
    assert list(source.splits["train"]["group"]) == ["0", "1", "2"]
    with pytest.raises(RequestError, match="no column 'author'"):
        sources.read(TextData(dataset_name="reviews", group_column_name="author"))


def test_a_test_file_whose_labels_the_set_does_not_declare_is_refused(hub, tmp_path):
    (tmp_path / "test.csv").write_text("text,label\none more,good\nand more,bad\n")
    hub["reviews"] = {"train": texts([1, 0, 1, 0])}
    with pytest.raises(RequestError, match="none of the test rows can be used.*'no', 'yes'"):
        sources.read(TextData(dataset_name="reviews", test_file=str(tmp_path / "test.csv")))


def test_column_names_are_refused_for_a_set_that_names_its_columns(hub):
    hub["reviews"] = {"train": texts([1, 0, 1, 0])}
    with pytest.raises(RequestError, match="--column_names: reviews is no table file"):
        sources.read(TextData(dataset_name="reviews", column_names=["a", "b"]))


def test_large_pictures_are_read_a_few_at_a_time(hub, monkeypatch):
    features = Features(img=Image(), label=ClassLabel(names=["cat", "dog"]))
    rows = {"img": [{"bytes": bytes([at]), "path": None} for at in range(100)], "label": [0, 1] * 50}
    hub["someone/photos"] = {"train": Dataset.from_dict(rows, features=features)}
    sizes, iterate = [], Dataset.iter
    monkeypatch.setattr(
        Dataset, "iter", lambda self, size: sizes.append((self.column_names, size)) or iterate(self, size)
    )
    assert len(sources.read(ImageData(dataset_name="someone/photos")).splits["train"]) == 100
    assert sizes and all(size <= 16 for names, size in sizes if names != ["label"])


def test_a_set_without_training_rows_is_refused(hub):
    hub["reviews"] = {"corpus": texts([0, 1]), "test": texts([0, 1])}
    with pytest.raises(RequestError, match="corpus, test"):
        sources.read(TextData(dataset_name="reviews"))


def test_a_wrong_column_lists_those_found(hub):
    hub["reviews"] = {"train": texts([0, 1])}
    with pytest.raises(RequestError, match="reviews has no column 'Label'.*'sentence', 'idx', 'label'"):
        sources.read(TextData(dataset_name="reviews", label_column_name="Label"))


def test_a_hub_out_of_reach_is_told_within_seconds_with_what_else_can_be_done(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    begin = time.monotonic()
    message = refusal(monkeypatch, httpx.ConnectError("no route"))
    assert "someone/reviews" in message and "out of reach" in message and "sample:tweets" in message
    assert time.monotonic() - begin < 5


def test_the_ways_of_saying_no_are_told_apart(monkeypatch):
    assert "no data set someone/reviews" in refusal(monkeypatch, RepositoryNotFoundError("x", response=ANSWER))
    assert "ask for access" in refusal(monkeypatch, GatedRepoError("x", response=ANSWER))
    assert "no revision 'v9' (--dataset_revision)" in refusal(monkeypatch, RevisionNotFoundError("x", response=ANSWER))


def test_a_missing_configuration_names_those_there_are(monkeypatch):
    def fail(*_, **__):
        raise ValueError("Config name is missing.\nPlease pick one among the available configs: ['cola', 'sst2']")

    monkeypatch.setattr(HfApi, "dataset_info", lambda self, name, **_: None)
    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(RequestError, match="'sst2'.*--dataset_config_name"):
        sources.read(TextData(dataset_name="nyu-mll/glue"))
