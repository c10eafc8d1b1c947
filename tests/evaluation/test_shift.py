"""A finished model on other data: labels by name, no row that it was trained on, and whether it does worse."""

import csv
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.errors import RequestError
from studio.evaluation import answered, shift
from studio.evaluation.answered import Answered
from studio.predictor import Predictor
from studio.runs import Run
from tests.conftest import HOSTILE


def judged(right: int, rows: int) -> Answered:
    truth = np.zeros(rows, int)
    given = (np.arange(rows) >= right).astype(int)
    return Answered(["a", "b"], [str(i) for i in range(rows)], truth, given, np.full((rows, 2), 0.5))


@pytest.mark.parametrize(
    ("own", "other", "worse", "said"),
    [
        ((90, 100), (60, 100), True, "it does worse on news.csv, beyond chance (-30.0 points"),
        ((90, 100), (86, 100), False, "the difference on news.csv may be chance (-4.0 points"),
        ((60, 100), (90, 100), False, "it does better on news.csv, beyond chance (+30.0 points"),
    ],
)
def test_it_is_said_whether_the_other_rows_are_harder_beyond_chance(own, other, worse, said):
    found = shift.shift(judged(*own), judged(*other), "news.csv")
    assert found["worse"] is worse and said in found["sentence"]
    low, high = found["interval"]
    assert low < found["difference"] < high
    assert found["difference"] == pytest.approx(other[0] / other[1] - own[0] / own[1])


def test_labels_are_matched_as_mapped_then_by_name_then_but_for_case():
    found = shift._matched(["1", "good ", "bad", "odd"], ["Good", "bad", "so"], ["1=so"])
    assert found == {"1": "so", "good ": "Good", "bad": "bad"}
    for wrong in ("2=so", "1=never", "so"):
        with pytest.raises(RequestError, match=f"--label_map {wrong}: give one of the data's labels"):
            shift._matched(["1"], ["so"], [wrong])


@pytest.fixture(scope="module")
def run(tmp_path_factory, text_classifier) -> Run:
    """A finished run whose model is untrained, and whose own test rows were all answered right."""
    made = Run(tmp_path_factory.mktemp("runs") / "run")
    made.create(recipe="bert", task="text-classification", command=[], settings="dataset_name: gone.csv\n", seed=1)
    shutil.copytree(text_classifier, made.model)
    labels = ["bad", HOSTILE, "good"]
    own = np.random.default_rng(0).normal(size=(100, 3))
    truth = own.argmax(axis=1)
    made.report.mkdir()
    rows = answered.of_logits(own, truth, None, labels, [f"own-{i}" for i in range(100)])
    tables = [answered.table(rows, split) for split in ("validation", "test")]
    pq.write_table(pa.concat_tables(tables), made.report / "predictions.parquet")
    metrics = {"task": "text-classification", "labels": labels, "splits": {"test": {"accuracy": 1.0}}}
    (made.report / "metrics.json").write_text(json.dumps(metrics))
    made.unlock()
    return made


TEXTS = [f"{word} film so {other} {'very ' * (i % 7)}day {i}" for i in range(20) for word, other in
         (("good", "dull"), ("bad", "great"), ("awful", "lovely"))]  # fmt: skip


def table(folder, labels: list[str], name: str = "other.csv"):
    """A csv of TEXTS with these labels in turn."""
    file = folder / name
    with file.open("w", newline="") as stream:
        rows = [(text, labels[i % len(labels)]) for i, text in enumerate(TEXTS)]
        csv.writer(stream).writerows([("text", "label"), *rows])
    return file


def test_other_data_get_a_report_of_their_own_that_says_what_the_model_answers(run, tmp_path):
    file = table(tmp_path, ["good", "bad"])
    folder, found = shift.evaluate(run, ["--dataset_name", str(file)], [])
    assert folder == run.report / "other.csv"
    files = {one.name for one in folder.iterdir()}
    assert files >= {"metrics.json", "predictions.parquet", "analysis.json", "report.html", "confusion.png"}
    rows = pq.read_table(folder / "predictions.parquet").to_pylist()
    expected = Predictor(run.folder).predict(TEXTS)
    assert [len(text) for text in TEXTS] != sorted(len(text) for text in TEXTS)  # the order in which they are answered
    for row, answer, i in zip(rows, expected, range(len(TEXTS)), strict=True):
        assert row["label"] == ["good", "bad"][i % 2] and row["split"] == "test"
        assert row["prediction"] == answer.label and row["score"] == pytest.approx(answer.score, abs=1e-5)
        assert row["characters"] == len(TEXTS[i])
    metrics = json.loads((folder / "metrics.json").read_text())
    right = np.mean([row["label"] == row["prediction"] for row in rows])
    assert metrics["splits"]["test"]["accuracy"] == pytest.approx(right) == found["scores"]["accuracy"]
    assert metrics["shift"]["own_accuracy"] == 1 and metrics["shift"]["worse"]
    page = (folder / "report.html").read_text()
    assert "it does worse on other.csv, beyond chance" in page and "No row has these labels" in page
    assert not {one.name for one in run.report.iterdir()} & {"report.html", "analysis.json"}  # the run's own stays


def test_labels_that_the_model_does_not_know_are_told_with_the_way_to_map_them(run, tmp_path):
    file = table(tmp_path, ["0", "1"])
    with pytest.raises(RequestError, match=r"has the labels '0', '1', and the model knows 'bad', .*--label_map 0=bad"):
        shift.evaluate(run, ["--dataset_name", str(file)], [])
    _, found = shift.evaluate(run, ["--dataset_name", str(file)], ["0=bad", "1=good"])
    assert found["rows"] == len(TEXTS)
    folder, found = shift.evaluate(run, ["--dataset_name", str(file)], ["0=bad"])
    assert found["rows"] == len(TEXTS) // 2
    notes = json.loads((folder / "metrics.json").read_text())["dataset"]["notes"]
    assert any("30 of 60 rows are left out, for the model does not know their labels: '1'" in note for note in notes)


def test_rows_that_the_model_was_trained_on_are_left_out(run, tmp_path):
    file = table(tmp_path, ["good", "bad"])
    _, found = shift.evaluate(run, ["--dataset_name", str(file)], [])
    ids = [row["row_id"] for row in pq.read_table(run.report / "other.csv" / "predictions.parquet").to_pylist()]
    run.splits.mkdir()
    (run.splits / "train.txt").write_text("".join(f"{row_id}\n" for row_id in ids[:25]))
    try:
        folder, found = shift.evaluate(run, ["--dataset_name", str(file)], [])
        assert found["rows"] == len(TEXTS) - 25
        assert (
            "25 rows are left out, for the model was trained or chosen on them" in (folder / "report.html").read_text()
        )
        (run.splits / "train.txt").write_text("".join(f"{row_id}\n" for row_id in ids))
        with pytest.raises(RequestError, match="trained on all of these rows"):
            shift.evaluate(run, ["--dataset_name", str(file)], [])
    finally:
        (run.splits / "train.txt").unlink()
        run.splits.rmdir()


def test_a_column_to_slice_by_and_a_part_of_the_rows_can_be_named(run, tmp_path):
    file = tmp_path / "shops.csv"
    with file.open("w", newline="") as stream:
        rows = [(text, ["good", "bad"][i % 2], ["north", "south"][i % 4 // 2]) for i, text in enumerate(TEXTS)]
        csv.writer(stream).writerows([("text", "label", "shop"), *rows])
    flags = ["--dataset_name", str(file), "--group_column_name", "shop"]
    _, found = shift.evaluate(run, flags, [])
    assert {one["value"] for one in found["slices"] if one["trait"] == "group"} == {"north", "south"}
    _, found = shift.evaluate(run, [*flags, "--max_predict_samples", "40"], [])
    assert found["rows"] == 40


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--train_file", "x.csv"], "--train_file does not say which rows to evaluate on"),
        (["--text_column_name", "text"], "--dataset_name names the data to evaluate on"),
        (["--dataset_name", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_flags_that_name_no_rows_are_refused(run, flags, message):
    with pytest.raises(RequestError, match=message):
        shift.evaluate(run, flags, [])


def test_the_command_scores_other_data_and_says_where_the_report_lies(run, tmp_path, program):
    file = table(tmp_path, ["GOOD", "Bad"], "elsewhere.csv")
    done = program("-m", "studio", "evaluate", run.folder, "--dataset_name", file, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["report"] == str(run.report.resolve() / "elsewhere.csv" / "report.html")
    assert told["rows"] == len(TEXTS) and told["shift"]["origin"] == "elsewhere.csv"
    refused = program("-m", "studio", "evaluate", run.folder, "--dataset_name", table(tmp_path, ["0", "1"]))
    assert refused.returncode == 2 and "--label_map 0=bad" in refused.stderr


def test_data_that_are_called_like_a_file_of_the_report_do_not_take_its_place(run):
    assert shift._folder(run, "metrics.json") == run.report / "metrics.json-data"
    assert shift._folder(run, "owner/name") == run.report / "owner-name"
    assert shift._folder(run, "..") == run.report / "data"
