"""Rows behind a cell of the confusion matrix: exactly those, the surest first, with their texts and pictures."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from studio.data import load
from studio.errors import RequestError
from studio.evaluation import answered, chosen
from studio.evaluation.answered import Answered
from studio.evaluation.mistakes import confused_pairs, surest_errors
from studio.runs import Run
from tests.evaluation.rows import one_label, several_labels


def kept(folder, rows: Answered, split: str = "test"):
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(answered.table(rows, split), folder / "predictions.parquet")
    return folder


@pytest.mark.parametrize("rows", [one_label(0), several_labels(0)], ids=["one label", "several labels"])
def test_wrong_rows_come_as_the_report_has_them_the_surest_first(rows, tmp_path):
    found = chosen.chosen(kept(tmp_path, rows), "test").to_pylist()
    assert len(found) == (~rows.right).sum()
    errors = surest_errors(rows)
    assert [row["row_id"] for row in found][: len(errors)] == [error["row_id"] for error in errors]
    assert [row["score"] for row in found][: len(errors)] == pytest.approx([error["score"] for error in errors])


@pytest.mark.parametrize("rows", [one_label(0), several_labels(0)], ids=["one label", "several labels"])
def test_a_pair_of_labels_has_as_many_rows_as_the_report_counts(rows, tmp_path):
    report = kept(tmp_path, rows)
    for pair in confused_pairs(rows):
        found = chosen.chosen(report, "test", true=pair["label"], predicted=pair["prediction"])
        assert len(found) == pair["rows"]


def test_right_and_all_rows_of_a_label_can_be_had_as_well(tmp_path):
    for rows in (one_label(0), several_labels(0)):
        report = kept(tmp_path / str(id(rows)), rows)
        for i, name in enumerate(rows.labels):
            of_label, given = rows.true_marks[:, i], rows.given[:, i] if rows.several else rows.given == i
            assert len(chosen.chosen(report, "test", true=name, answers="all")) == of_label.sum()
            assert len(chosen.chosen(report, "test", predicted=name, answers="all")) == given.sum()
            assert len(chosen.chosen(report, "test", true=name, answers="right")) == (of_label & rows.right).sum()
        assert len(chosen.chosen(report, "test", answers="all")) == len(rows.row_ids)
        scores = chosen.chosen(report, "test", answers="right")["score"].to_numpy()
        assert np.all(np.diff(scores) <= 0)


def test_what_does_not_exist_is_refused_in_words(tmp_path):
    with pytest.raises(RequestError, match="is not there"):
        chosen.chosen(tmp_path, "test")
    report = kept(tmp_path, one_label(0))
    with pytest.raises(RequestError, match="--true dog is none of the labels: class 0"):
        chosen.chosen(report, "test", true="dog")
    with pytest.raises(RequestError, match="--split one of test, validation"):
        chosen.chosen(report, "train")
    (report / "predictions.parquet").write_bytes(b"PAR1 no table")
    with pytest.raises(RequestError, match="is damaged"):
        chosen.chosen(report, "test")


@pytest.fixture
def run(tmp_path, reviews) -> Run:
    """A run on the reviews that was scored on them, and on others."""
    run = Run(tmp_path / "run")
    settings = f"dataset_name: {reviews}\n"
    run.create(recipe="text_classification", task="text-classification", command=[], settings=settings, seed=1)
    run.unlock()
    (rows,) = load.curated(load.settings_of(run)).splits.values()
    told = one_label(0, rows=len(rows), classes=2, labels=["negative", "positive"], row_ids=rows["row_id"][:])
    kept(run.report, told)
    (run.report / "metrics.json").write_text(json.dumps({"splits": {"test": {"accuracy": 0.5}}}))
    kept(run.report / "others", told)
    described = {"dataset": {"name": "others", "settings": {"dataset_name": str(reviews)}}}
    (run.report / "others" / "metrics.json").write_text(json.dumps(described))
    return run


@pytest.mark.parametrize("data", [None, "others"])
def test_rows_come_page_by_page_with_their_texts(run, data):
    rows = load.curated(load.settings_of(run)).splits["train"]
    texts = dict(zip(rows["row_id"][:], rows["text"][:], strict=True))
    first, second = (chosen.look(run, at=at, count=5, data=data) for at in (0, 5))
    assert len(first["items"]) == 5 and first["rows"] > 10 and not first["note"]
    shown = first["items"] + second["items"]
    assert len({row["row_id"] for row in shown}) == 10
    for row in shown:
        assert row["text"] == texts[row["row_id"]] and row["jpeg"] is None
        assert isinstance(row["label"], list) and row["label"] != row["prediction"]


def test_without_the_data_rows_are_told_by_their_labels_alone(run):
    run.config.write_text("dataset_name: /nowhere/gone.csv\n")
    told = chosen.look(run)
    assert len(told["items"]) == 12 and "cannot be read any more" in told["note"]
    assert {row["text"] for row in told["items"]} == {""}


def test_a_folder_that_is_no_report_is_refused(run):
    with pytest.raises(RequestError, match="evaluated on no such data .known: others"):
        chosen.look(run, data="../../elsewhere")
