"""What a person marks is kept, can be undone, tells honestly what it changes, and becomes a version of its own."""

import pytest

from studio.config import TextData
from studio.data import curation, load
from studio.data.curation import Curation, Relabel
from studio.errors import RequestError
from studio.runs import Run
from studio.ui import datasets, versions
from studio.ui.evaluate import marks
from studio.ui.evaluate.cards import cards
from studio.ui.evaluate.other import mapped
from tests.conftest import HOSTILE
from tests.finished_runs import evaluated_run

FOUND = {"scores": {"accuracy": 0.8}, "rows": 100}


def row(at: int, label: str = "a", prediction: str = "b", split: str = "test") -> marks.Row:
    return {"row_id": f"{at:04x}-0", "split": split, "label": [label], "prediction": [prediction]}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "report").mkdir()
    return tmp_path


def test_marks_are_kept_on_the_disk_and_undone_step_by_step(folder):
    marks.leave_out(folder, [row(1), row(2)])
    marks.relabel(folder, [row(2), row(3)], ["b"])
    found = marks.read(folder)
    assert {row_id: mark.to for row_id, mark in found.items()} == {"0001-0": None, "0002-0": ["b"], "0003-0": ["b"]}
    marks.leave_alone(folder, [row(1)])
    assert set(marks.read(folder)) == {"0002-0", "0003-0"}
    marks.undo(folder)
    marks.undo(folder)
    assert {row_id: mark.to for row_id, mark in marks.read(folder).items()} == {"0001-0": None, "0002-0": None}
    marks.clear(folder)
    assert marks.read(folder) == {}


def test_a_damaged_file_of_marks_holds_none(folder):
    for content in ("{", "[1]", '[{"x": 1}]', '{"a": 1}', '[{"../x": null}]'):
        (folder / "report" / "marks.json").write_text(content)
        assert marks.read(folder) == {}


def test_it_is_told_what_the_same_model_would_score_on_the_corrected_rows(folder):
    marks.leave_out(folder, [row(at) for at in range(5)])  # five of the 20 errors
    marks.relabel(folder, [row(at) for at in range(5, 8)], ["b"])  # three answers were right all along
    marks.relabel(folder, [row(9, "a", "a")], ["b"])  # and one was not
    told = " ".join(marks.told(marks.read(folder), FOUND))
    assert "9 rows are marked: 5 to leave out, 4 to relabel" in told
    assert f"accuracy of {(80 + 3 - 1) / 95:.1%} instead of 80.0%" in told and "teach it nothing" in told
    marks.leave_out(folder, [row(10, split="validation")])
    assert "1 row is among the validation rows" in " ".join(marks.told(marks.read(folder), FOUND))


def test_rows_of_several_labels_are_given_lists_of_them(folder):
    marks.relabel(folder, [row(1)], ["a", "b"])
    made = marks.decisions(marks.read(folder), several=True)
    assert made.relabel == {"0001-0": Relabel(["a", "b"], marks.REASON)}
    marks.relabel(folder, [row(1)], ["b"])
    assert marks.decisions(marks.read(folder), several=False).relabel["0001-0"].label == "b"


@pytest.fixture
def run(tmp_path, reviews) -> Run:
    return evaluated_run(tmp_path / "runs", "run", reviews)


def test_a_version_leaves_the_data_as_they_are_and_is_divided_as_the_run_was(run, tmp_path, reviews):
    root, before = tmp_path / "runs", reviews.read_bytes()
    test = (run.splits / "test.txt").read_text().split()
    made = Curation({test[0]: "damaged"}, {test[1]: Relabel("positive", "typo")})
    first, second = (versions.of_run(root, run, "Reviews, corrected", made) for _ in range(2))
    assert (first.name, second.name) == ("Reviews, corrected", "Reviews, corrected 2")
    assert curation.read(first.files["curation_file"]) == made and reviews.read_bytes() == before
    assert first.preview["sizes"]["test"] == len(test) - 1
    assert first.settings["splits_from"] == str(first.folder) != str(run.folder)
    assert (first.folder / "splits" / "test.txt").read_text().split() == test


def test_decisions_add_to_those_that_the_run_was_trained_with(tmp_path, reviews):
    root = tmp_path / "runs"
    root.mkdir()
    ids = load.curated(TextData(dataset_name=str(reviews))).splits["train"]["row_id"][:]
    curation.write(Curation({ids[0]: "blank"}), tmp_path / "before.json")
    run = evaluated_run(root, "run", reviews, settings=f"curation_file: {tmp_path / 'before.json'}\n")
    kept = versions.of_run(root, run, "both", Curation({ids[1]: "wrong"}))
    assert set(curation.read(kept.files["curation_file"]).exclude) == {ids[0], ids[1]}


def test_a_version_that_leaves_no_classifier_is_refused_and_nothing_is_kept(run, tmp_path):
    with pytest.raises(RequestError, match="nothing is decided"):
        versions.of_run(tmp_path / "runs", run, "none", Curation())
    everything = [line for file in run.splits.glob("*.txt") for line in file.read_text().split()]
    with pytest.raises(RequestError):
        versions.of_run(tmp_path / "runs", run, "all", Curation(dict.fromkeys(everything, "")))
    assert datasets.saved(tmp_path / "runs") == []


def test_a_run_on_a_version_is_cloned_with_it(run, tmp_path):
    root = tmp_path / "runs"
    test = (run.splits / "test.txt").read_text().split()
    kept = versions.of_run(root, run, "corrected", Curation({test[0]: ""}))
    lines = "".join(f"{name}: {value}\n" for name, value in kept.settings.items() if name != "dataset_name")
    again = evaluated_run(root, "again", kept.settings["dataset_name"], settings=lines)
    assert datasets.of_run(root, again).id == kept.id
    assert (again.splits / "test.txt").read_text().split() == test[1:]


def test_uploaded_files_stay_as_long_as_a_version_reads_them(tmp_path, reviews):
    root = tmp_path / "runs"
    uploaded = datasets.save(root, "mine", "text-classification", {}, {}, {"dataset_name": reviews})
    run = evaluated_run(root, "run", uploaded.files["dataset_name"])
    test = (run.splits / "test.txt").read_text().split()
    kept = versions.of_run(root, run, "corrected", Curation({test[0]: ""}))
    with pytest.raises(RequestError, match="corrected is a version of mine"):
        datasets.remove(root, uploaded.id)
    datasets.remove(root, kept.id)
    datasets.remove(root, uploaded.id)


def test_texts_and_labels_of_others_are_shown_in_cards_and_do_nothing():
    shown = row(1, HOSTILE, "b") | {"score": 0.9, "text": f"{HOSTILE} \u202e", "jpeg": None}
    told = cards([shown], {"0001-0": marks.Mark("test", [HOSTILE], ["b"], [HOSTILE])})
    assert "<img" not in told and told.count("&lt;img") == 3 and "\u202e" not in told
    picture = cards([shown | {"jpeg": '"><script>'}], {})
    assert picture.count("<img") == 1 and "<script" not in picture


def test_a_line_of_the_label_map_without_an_answer_says_nothing():
    assert mapped("0 = negative\n1=positive\n2 = \n= x\n\na=b = c") == ["0=negative", "1=positive", "a=b=c"]
