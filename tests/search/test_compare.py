"""Comparisons from the command line: what is refused, what is trained, and how they go on."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from studio.errors import RequestError
from studio.jobs import control
from studio.recipe_files import by_name
from studio.runs import Run
from studio.search import compare
from studio.search.trials import Trials, folder_names
from tests.jobs.conftest import ENDLESS, ROOT, state, until

TEXTS = "text_classification"
# A child that notes what it is trained with, and one that fails with that.
NOTES = """(run.folder.parent / 'order').open('a').write(f'{training.seed} ')
    from studio.errors import RequestError
    if training.seed == 13:
        raise RequestError('unlucky')"""


@pytest.mark.parametrize(
    ("flags", "strategies", "vary", "told"),
    [
        ([], "full,fill", None, "--strategy: invalid choice: 'fill'"),
        ([], "full", None, "at least two values"),
        ([], None, "seed", "at least two values"),
        ([], "full,lora", "seed=1,2", "two comparisons"),
        ([], None, "learning_rate=0.1,fast", "--learning_rate: expected a number, got 'fast'"),
        ([], None, "weight_decay=0,2", "--weight_decay must be at most 1, got 2"),
        ([], None, "test_fraction=0.1,0.2", "the same rows only"),
        ([], None, "text_column_name=a,b", "the same rows only"),
        ([], None, "output_dir=a,b", "where a run is kept"),
        ([], None, "model_name_or_path=sample:minilm,./nowhere", "nowhere"),
        (["--seed", "3"], None, "seed=1,2", "--seed is what is compared"),
        (["--dry_run"], None, None, "--dry_run is for a single run"),
        (["--output_dir", "x"], None, None, "--output_dir is for a single run"),
        (["--dataset_name", "./none.csv"], None, None, "none.csv"),
        (["--model_name_or_path", "timm:resnet18"], "full,features", None, "starts from random weights"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_before_anything_is_made(tmp_path, flags, strategies, vary, told):
    folder, recipe = tmp_path / "runs" / "moves", by_name(TEXTS)
    with pytest.raises(RequestError, match=told.replace("(", "\\(")):
        plan = compare.plan(folder, recipe, flags, strategies, vary)
        compare.begin(Trials(folder, recipe, tmp_path / "runs"), plan)
    assert not folder.exists()


def test_a_setting_that_does_not_exist_is_refused(studio, root):
    refused = studio("compare-strategies", TEXTS, "--vary", "batch=1,2", "--output_dir", root / "moves", code=2)
    assert "--batch" in refused.stderr and not (root / "moves").exists()


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RequestError, match="holds something that is no comparison"):
        compare.plan(tmp_path, by_name(TEXTS), [], None, None)


def test_a_name_that_another_run_has_is_refused(tmp_path):
    (tmp_path / "moves-full").mkdir()
    trials = Trials(tmp_path / "moves", by_name(TEXTS), tmp_path)
    with pytest.raises(RequestError, match="there is a run moves-full"):
        compare.begin(trials, compare.plan(trials.folder, trials.recipe, [], "full,lora", None))


def test_strategies_are_those_that_suit_the_model(tmp_path):
    recipe = by_name(TEXTS)
    assert tuple(compare.plan(tmp_path / "a", recipe, [], None, None).children) == compare.STRATEGIES
    fresh = compare.plan(tmp_path / "a", recipe, ["--model_name_or_path", "timm:vit_tiny"], None, None)
    assert set(fresh.children) == {"scratch", "full"}


def test_a_comparison_goes_on_with_its_own_settings_and_takes_further_values(tmp_path):
    recipe = by_name(TEXTS)
    trials = Trials(tmp_path / "moves", recipe, tmp_path)
    flags = ["--max_steps", "7"]
    compare.begin(trials, first := compare.plan(trials.folder, recipe, flags, "full,lora", None))
    assert compare.plan(trials.folder, recipe, [], None, None) == first
    assert compare.plan(trials.folder, recipe, flags, "full,lora", None) == first
    more = compare.plan(trials.folder, recipe, [], "features,partial", None)
    assert list(more.children) == ["full", "lora", "features", "partial"] and more.settings["max_steps"] == 7
    with pytest.raises(RequestError, match="--max_steps 8 differs from 7"):
        compare.plan(trials.folder, recipe, ["--max_steps", "8"], None, None)
    with pytest.raises(RequestError, match="compares values of strategy"):
        compare.plan(trials.folder, recipe, [], None, "seed=1,2")


def test_names_of_folders_are_plain_and_no_two_alike():
    names = folder_names(["sample:minilm", "a/b", "a:b", "../../etc", "1e-4", "::"])
    assert list(names.values()) == ["sample-minilm", "a-b", "a-b-2", "etc", "1e-4", "value"]


@pytest.mark.slow
def test_children_are_ordinary_runs_one_that_fails_stops_nothing_and_none_is_trained_twice(studio, root, recipe):
    asked = ["compare-strategies", recipe(NOTES), "--output_dir", root / "luck", "--json"]
    told = json.loads(studio(*asked, "--vary", "seed=1,13,2", "--weight_decay", "0.2", code=1).stdout)
    assert [row["state"] for row in told["runs"]] == ["finished", "failed", "finished"]
    assert "unlucky" in told["runs"][1]["reason"] and told["finished"]
    assert json.loads((root / "luck" / "comparison.json").read_text()) == told
    listed = {row["run"]: row["state"] for row in json.loads(studio("runs", "--json").stdout)}
    assert listed == {"luck-1": "finished", "luck-13": "failed", "luck-2": "finished"}
    assert Run(root / "luck-2").settings()["weight_decay"] == 0.2

    studio(*asked, code=1)
    assert (root / "luck" / "trials" / "order").read_text().split() == ["1", "13", "2", "13"]
    control.discard(root / "luck-13")  # by the link, as the page has it
    assert not (root / "luck" / "trials" / "luck-13").exists() and not (root / "luck-13").is_symlink()


@pytest.mark.slow
def test_ctrl_c_saves_the_child_that_runs_and_says_how_to_go_on(root, recipe):
    command = [sys.executable, "-m", "studio", "compare-strategies", recipe(ENDLESS)]
    command += ["--vary", "seed=1,2", "--output_dir", root / "luck"]
    env = os.environ | {"STUDIO_RUNS": str(root), "PYTHONPATH": str(ROOT)}
    asked = subprocess.Popen(list(map(str, command)), env=env, stderr=subprocess.PIPE, text=True)
    child = root / "luck" / "trials" / "luck-1"
    until(lambda: state(child) == "running", 60)
    asked.send_signal(signal.SIGINT)
    assert "compare-strategies" in asked.communicate(timeout=60)[1].rpartition("Go on by")[2]
    assert (asked.returncode, state(child)) == (130, "stopped")
    assert not (root / "luck" / "trials" / "luck-2").exists()


@pytest.mark.slow
def test_strategies_are_compared_on_the_same_rows(studio, root, reviews, tiny_bert):
    flags = ["--dataset_name", reviews, "--model_name_or_path", tiny_bert, "--max_steps", 2, "--near_duplicates"]
    asked = ["compare-strategies", TEXTS, *flags, "--strategies", "features,full", "--output_dir", root / "moves"]
    told = json.loads(studio(*asked, "--json").stdout)
    features, full = (Path(row["folder"]) for row in told["runs"])
    assert (features / "splits" / "test.txt").read_text() == (full / "splits" / "test.txt").read_text()
    assert Run(full).settings()["splits_from"] == str(features)
    rows = {row["value"]: row for row in told["runs"]}
    assert rows["features"]["strategy"] == "features" and rows["full"]["strategy"] == "full"
    assert rows["features"]["trainable_parameters"] < rows["full"]["trainable_parameters"]
    assert all(row["steps"] == 2 and row["time_s"] > 0 and row["course"] for row in told["runs"])
    assert told["best"] and told["recommended"] and (root / "moves" / "comparison.png").exists()
    written = (full / "run.json").stat().st_mtime
    assert json.loads(studio(*asked, "--json").stdout)["runs"] == told["runs"]
    assert (full / "run.json").stat().st_mtime == written
