"""The surest errors of a report come with their reasons, a few of them, in bounded time."""

import io
import json
import shutil
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset

from studio.data import load
from studio.evaluation import answered
from studio.evaluation.reasons import reasons
from studio.predictor import Predictor
from studio.runs import Run
from tests.conftest import HOSTILE
from tests.evaluation.conftest import square

ERRORS = [{"row_id": str(i), "label": ["negative"], "prediction": ["positive"], "score": 0.9} for i in range(20)]


def texts(count: int = 20) -> Dataset:
    return Dataset.from_dict(
        {"row_id": [str(i) for i in range(count)], "text": [f"the film {i} was great" for i in range(count)]}
    )


def test_a_few_of_the_surest_errors_are_explained_by_the_wrong_label(taught_texts):
    found, notes = reasons(taught_texts, texts(), ERRORS, 60)
    assert list(found) == [str(i) for i in range(6)] and not notes
    for why in found.values():
        assert why.label == "positive"
        assert max(why.words, key=lambda word: word.score).text == "great"


def test_rows_that_are_gone_are_left_out(taught_texts):
    found, notes = reasons(taught_texts, texts(3), ERRORS, 60)
    assert list(found) == ["0", "1", "2"] and not notes


def test_they_take_no_more_than_the_time_that_is_set_aside(taught_texts):
    began = time.monotonic()
    found, notes = reasons(taught_texts, texts(), ERRORS, 0)
    assert not found and notes == ["None of the errors is explained within the 0 s that are set aside for it."]
    assert time.monotonic() - began < 5


def test_a_label_that_was_missed_is_explained_where_no_wrong_one_was_given(taught_texts):
    missed = {"row_id": "1", "label": ["negative", "positive"], "prediction": ["positive"], "score": 0.9}
    found, _ = reasons(taught_texts, texts(), [missed], 60)
    assert found["1"].label == "negative"


def test_a_model_that_cannot_be_read_costs_no_report(tmp_path):
    found, notes = reasons(tmp_path, texts(), ERRORS, 60)
    assert not found and notes[0].startswith("None of the errors is explained: ")


def test_pictures_are_explained_as_well(taught_pictures):
    rows = []
    for seed in range(3):
        content = io.BytesIO()
        square(seed, 0)[0].save(content, "PNG")
        rows.append({"row_id": str(seed), "image": {"bytes": content.getvalue(), "path": None}})
    errors = [error | {"label": ["red"], "prediction": ["blue"]} for error in ERRORS]
    found, notes = reasons(taught_pictures, Dataset.from_list(rows), errors, 60)
    assert len(found) == 3 and {why.label for why in found.values()} == {"blue"} and not notes


@pytest.fixture
def finished(tmp_path, taught_texts) -> Run:
    """A run on a table of texts whose model errs on half of its test rows."""
    rows = [(f"the film {i} was {'great' if i % 2 else 'awful'}", "positive") for i in range(40)]
    data = tmp_path / "reviews.csv"
    lines = ["text,label", *(f"{text},{label}" for text, label in rows), f"{HOSTILE} dull,negative", "so dull,negative"]
    data.write_text("\n".join(lines))
    run = Run(tmp_path / "run")
    settings = f"dataset_name: {data}\n"
    run.create(recipe="text_classification", task="text-classification", command=[], settings=settings, seed=1)
    shutil.copytree(taught_texts, run.model)
    source = load.curated(load.settings_of(run))
    table = next(iter(source.splits.values()))
    predictor = Predictor(taught_texts, device="cpu")
    logits = predictor.logits(table["text"][:]).numpy()
    truth = table.with_format("numpy")["label"][:]
    assert source.labels == predictor.labels
    found = answered.of_logits(logits, truth, None, source.labels, table["row_id"][:])
    run.report.mkdir()
    both = [answered.table(found, split) for split in ("validation", "test")]
    pq.write_table(pa.concat_tables(both), run.report / "predictions.parquet")
    (run.report / "metrics.json").write_text(json.dumps({"splits": {"test": {"accuracy": 0.5}}}))
    run.unlock()
    return run


def test_the_report_of_a_run_shows_what_its_errors_were_made_for(finished, program, tmp_path):
    done = program("-m", "studio", "evaluate", finished.folder)
    assert done.returncode == 0, done.stderr
    page = (finished.report / "report.html").read_text()
    assert page.count(">awful</mark>") == 6 and "moved the model towards the answer that is named below" in page
    assert page.count("<small>why negative</small>") == 6
    (tmp_path / "reviews.csv").unlink()
    done = program("-m", "studio", "evaluate", finished.folder)
    assert done.returncode == 0, done.stderr
    page = (finished.report / "report.html").read_text()
    assert "errors not explained, for the data cannot be read any more" in page and "<mark" not in page
