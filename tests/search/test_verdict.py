"""Which of several runs is recommended, and what is said of chance."""

import json
from pathlib import Path

import pytest

from studio.jobs.standing import Standing
from studio.recipe_files import by_name
from studio.search import verdict
from studio.search.compare import keep
from studio.search.trials import Trials
from tests.finished_runs import Rows, answers, write_run

ALL_RIGHT, HALF = "1" * 100, "10" * 50
ONE_WRONG = "0" + "1" * 99


@pytest.fixture
def compared(tmp_path):
    """Makes runs up: by value (answers, seconds of training); returns what is said of them."""

    def compare(runs: dict[str, tuple[str | Rows | None, float]], refused=None, **settings) -> dict:
        trials = Trials(tmp_path / "moves", by_name("text_classification"), tmp_path)
        for value, (right, seconds) in runs.items():
            place = trials.place(value)
            place.parent.mkdir(parents=True, exist_ok=True)
            write_run(place.parent, place.name, answers(right) if isinstance(right, str) else right)
            write_course(place, seconds)
        children = {value: value for value in [*runs, *(refused or {})]}
        settings = {"max_steps": 40} | settings
        return verdict.comparison(trials, "strategy", settings, children, refused or {})

    return compare


def write_course(folder: Path, seconds: float, began: float = 1000.0) -> None:
    """Events of a training that took so long, with validations half way and at the end; others go."""
    said = [
        (began - 500, "status", 0, {"state": "queued"}),
        (began, "status", 0, {"state": "running", "fitting": True}),
        (began + seconds / 2, "metric", 20, {"eval_f1_macro": 0.9}),
        (began + seconds, "metric", 40, {"eval_f1_macro": 0.7}),
        (began + seconds, "metric", 40, {"train_runtime": 1.0}),
        (began + seconds + 300, "status", 40, {"state": "finished"}),
    ]
    names = ("time", "kind", "step", "data")
    lines = [json.dumps(dict(zip(names, event, strict=True))) + "\n" for event in said]
    (folder / "events.jsonl").write_text("".join(lines))


def test_the_cheapest_that_is_not_shown_to_be_worse_is_recommended(compared):
    found = compared({"full": (ALL_RIGHT, 100), "features": (ONE_WRONG, 10), "scratch": (HALF, 1)})
    assert (found["best"], found["recommended"]) == ("full", "features")
    assert "trains in 10 s" in found["recommendation"] and "takes 100 s" in found["recommendation"]
    assert "That it is as good is not shown either" in found["recommendation"]
    assert any("full is better than scratch" in reason for reason in found["reasons"])
    assert any("between features and full may be chance" in reason for reason in found["reasons"])


def test_the_most_accurate_is_recommended_where_what_is_cheaper_is_shown_to_be_worse(compared):
    found = compared({"full": (ALL_RIGHT, 100), "scratch": (HALF, 1)})
    assert found["recommended"] == "full" and "is shown to be worse" in found["recommendation"]


def test_of_runs_that_cost_alike_the_more_accurate_is_recommended(compared):
    found = compared({"full": (ALL_RIGHT, 104), "lora": (ONE_WRONG, 100)})
    assert found["recommended"] == "full" and "nothing else takes clearly less time" in found["recommendation"]


def test_a_run_that_shares_no_test_row_with_the_best_is_not_recommended(compared):
    others = {f"other{name}": row for name, row in answers(ONE_WRONG).items()}
    found = compared({"full": (answers(ALL_RIGHT), 100), "features": (others, 10)})
    assert found["recommended"] == "full"


def test_a_run_that_failed_is_told_and_the_others_are_compared(compared):
    refused = {"lora": Standing("failed", "no room on the disk")}
    found = compared({"full": (ALL_RIGHT, 100), "features": (ONE_WRONG, 10)}, refused)
    assert found["finished"] and found["recommended"] == "features"
    assert "lora is failed: no room on the disk" in found["notes"]
    assert verdict.table(found)[1][2][:2] == ["lora", "failed"]


def test_without_a_scored_run_nothing_is_recommended(compared):
    found = compared({"full": (None, 100)}, {"features": Standing("failed", "no")})
    assert found["recommended"] is None and "Nothing can be recommended" in found["recommendation"]


def test_it_is_said_when_the_budgets_differ(compared):
    assert any("as long as suits it" in note for note in compared({"full": (ALL_RIGHT, 9)}, max_steps=-1)["notes"])


def test_the_time_of_a_run_is_that_of_its_sessions_without_waiting_and_scoring(compared):
    found = compared({"full": (ALL_RIGHT, 100), "features": (ONE_WRONG, 10)})
    assert [row["time_s"] for row in found["runs"]] == [100, 10]
    assert [row["best_step"] for row in found["runs"]] == [20, 20]


def test_a_resumed_run_has_the_time_of_both_sessions_and_no_point_twice(tmp_path):
    write_course(tmp_path, 100)
    first = (tmp_path / "events.jsonl").read_text().splitlines(keepends=True)[:4]
    write_course(tmp_path, 60, began=9000)
    second = (tmp_path / "events.jsonl").read_text()
    resumed = json.dumps({"time": 9010, "kind": "status", "step": 20, "data": {"resumed_from": 20, "max_steps": 40}})
    lines = second.splitlines(keepends=True)
    stopped = json.dumps({"time": 1100, "kind": "status", "step": 40, "data": {"state": "stopped"}})
    whole = [*first, stopped + "\n", *lines[:2], resumed + "\n", lines[3], *lines[3:]]
    (tmp_path / "events.jsonl").write_text("".join(whole))
    course, seconds = verdict._course(tmp_path, "eval_f1_macro")
    assert seconds == 160
    assert course == [(20, 50, 0.9), (40, 160, 0.7)]


def test_the_comparison_is_kept_for_programs_and_for_people(compared, tmp_path):
    found = compared({"full": (ALL_RIGHT, 100), "features": (ONE_WRONG, 10)})
    keep(tmp_path, found)
    assert json.loads((tmp_path / "comparison.json").read_text())["recommended"] == "features"
    page = (tmp_path / "comparison.md").read_text()
    assert "| features | 0.990" in page and found["recommendation"] in page
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")
