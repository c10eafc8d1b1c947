"""What the Runs screen says of a run: plainly, and nothing that is not known."""

import json

import pytest

from studio.curves import Stream
from studio.jobs.standing import standing
from studio.runs import Run
from studio.ui.runs import view
from tests.conftest import HOSTILE
from tests.finished_runs import answers, write_run


@pytest.mark.parametrize(("majority", "told"), [(0.5, "would be right on 50.0%."), (0.93, "not shown to be better")])
def test_the_verdict_sets_the_model_against_always_giving_the_commonest_answer(tmp_path, majority, told):
    folder = write_run(tmp_path, "run", answers("1" * 90 + "0" * 10))
    report = folder / "report" / "metrics.json"
    metrics = json.loads(report.read_text())
    metrics["splits"]["test"]["majority_accuracy"] = majority
    report.write_text(json.dumps(metrics))
    shown = view.result(report)
    assert "On 100 rows that training never saw, the model is right on <b>90.0%</b>" in shown
    assert "give 85.0% to 95.0%" in shown and told in shown


def test_before_the_test_rows_are_scored_nothing_is_said_of_them(tmp_path):
    assert view.result(tmp_path / "metrics.json") == ""


def test_before_the_first_step_the_run_says_what_it_is_at(tmp_path):
    run = Run(tmp_path / "run")
    run.create(recipe="r", task="text-classification", command=[], settings="", seed=0)
    run.set_state("running")
    (run.folder / "train.log").write_text(f"400 rows\n\rreading\rloading {HOSTILE}\n\n")
    head = view.head(run.folder, standing(run.folder), Stream(run.folder), "f1_macro")
    assert "loading &lt;img" in head and "400 rows" not in head
