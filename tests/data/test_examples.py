"""Examples are short texts of the rows that a run was tested on, and nothing else."""

import shutil

import pytest
import yaml

from studio.config import TextData
from studio.data.examples import test_texts as examples
from studio.data.load import load
from studio.errors import RequestError
from studio.runs import Run


@pytest.fixture
def run(tmp_path, reviews) -> Run:
    """A run that has divided its data."""
    data = {"dataset_name": shutil.copy(reviews, tmp_path / "reviews.csv")}
    run = Run(tmp_path / "run")
    settings = yaml.safe_dump({"dataset_name": str(data["dataset_name"]), "learning_rate": 1e-4})
    run.create(recipe="toy", task="text-classification", command=[], settings=settings, seed=1)
    load(TextData(dataset_name=str(data["dataset_name"])), 1, run)
    run.unlock()
    return run


def test_examples_are_test_rows_of_all_classes_in_turn(run):
    rows = examples(run.folder, 4)
    assert [row["label"] for row in rows] == ["negative", "positive"] * 2
    everything = examples(run.folder, 1000)
    assert len(everything) == len((run.splits / "test.txt").read_text().split())


def test_no_examples_come_from_data_that_are_gone(run, tmp_path):
    (tmp_path / "reviews.csv").unlink()
    with pytest.raises(RequestError, match=r"reviews\.csv"):
        examples(run.folder, 4)
