"""The queue starts what is next, one job a device, whoever is killed meanwhile."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from studio.jobs import engine
from tests.jobs.conftest import ENDLESS, QUICK, state, until


def order(root) -> list[str]:
    file = root / "order"
    return file.read_text().split() if file.exists() else []


def test_five_jobs_one_cancelled_one_moved_and_the_engine_killed_the_rest_end_in_order(root, studio, recipe):
    first, quick = recipe(ENDLESS), recipe(QUICK)
    studio("run", first, "--output_dir", root / "a")
    for name in "bcde":
        studio("run", quick, "--output_dir", root / name)
    until(lambda: state(root / "a") == "running")
    studio("queue", "move", "e", "1")
    studio("queue", "cancel", "c")
    psutil.Process(engine.owner(root)).send_signal(signal.SIGKILL)
    until(lambda: engine.owner(root) is None)
    studio("stop", "a", "--wait")
    assert state(root / "a") == "stopped" and order(root) == []
    rows = json.loads(studio("queue", "--json").stdout)
    assert [row["run"] for row in rows if row["state"] == "queued"] == ["e", "b", "d"]
    studio("run", quick, "--output_dir", root / "f")  # whoever queues next starts the engine again
    until(lambda: order(root) == ["e", "b", "d", "f"], 60)
    until(lambda: all(state(root / name) == "finished" for name in "ebdf"))
    assert state(root / "c") == "cancelled"


def test_a_job_goes_on_when_the_engine_is_killed_and_is_not_started_twice(root, studio, recipe):
    studio("run", recipe(ENDLESS), "--output_dir", root / "a")
    until(lambda: state(root / "a") == "running")
    pid = json.loads((root / "a/status.json").read_text())["pid"]
    psutil.Process(engine.owner(root)).kill()
    until(lambda: engine.owner(root) is None)
    engine.ensure(root)
    until(lambda: engine.owner(root))
    looking = engine.Engine(root)
    for _ in range(3):
        assert looking.look()
    assert json.loads((root / "a/status.json").read_text())["pid"] == pid and state(root / "a") == "running"


def test_one_engine_serves_a_run_root_however_many_are_started(root, studio, recipe):
    studio("run", recipe(ENDLESS), "--output_dir", root / "a")
    until(lambda: engine.owner(root))
    owner = engine.owner(root)
    engine.main(root)  # returns at once
    assert engine.owner(root) == owner


def test_after_a_failure_the_queue_goes_on_unless_it_was_told_to_hold(root, studio, recipe):
    failing, quick = recipe("raise ValueError('no')"), recipe(QUICK)
    studio("run", failing, "--output_dir", root / "a")
    studio("run", quick, "--output_dir", root / "b")
    until(lambda: order(root) == ["b"], 60)
    assert state(root / "a") == "failed"
    studio("run", failing, "--hold_queue", "--output_dir", root / "c")
    studio("run", quick, "--output_dir", root / "d")
    until(lambda: state(root / "c") == "failed", 60)
    until(lambda: engine.owner(root) is None, 30)
    assert state(root / "d") == "queued" and order(root) == ["b"]


def test_the_queue_is_rebuilt_from_the_folders_when_the_database_is_lost(root, studio, recipe):
    studio("run", recipe(ENDLESS), "--output_dir", root / "a")
    until(lambda: state(root / "a") == "running")
    studio("run", recipe(QUICK), "--output_dir", root / "b")
    psutil.Process(engine.owner(root)).kill()
    for file in root.glob("studio.sqlite*"):
        file.unlink()
    studio("queue", "restore")
    studio("stop", "a", "--wait")
    until(lambda: order(root) == ["b"], 60)


@pytest.mark.parametrize("recipe_name", ["bert_sentimant", "no/such.py"])
def test_a_wrong_recipe_or_setting_is_refused_before_anything_is_queued(root, studio, recipe, recipe_name):
    assert "there is no recipe" in studio("run", recipe_name, code=2).stderr
    done = studio("run", recipe(QUICK), "--learning_rate", "7", "--output_dir", root / "a", code=2)
    assert "--learning_rate must be at most 1" in done.stderr and not (root / "a").exists()
    assert json.loads(studio("queue", "--json").stdout) == []


def test_a_packed_run_goes_on_elsewhere_with_its_data_elsewhere(root, studio, recipe, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\n")
    studio("run", recipe(ENDLESS), "--dataset_name", rows, "--output_dir", root / "a")
    until(lambda: state(root / "a") == "running")
    assert "is running: stop it first" in studio("pack", "a", tmp_path / "a.tar", code=2).stderr
    studio("stop", "a", "--wait")
    studio("pack", "a", tmp_path / "a.tar")
    assert "exists: remove or rename it first" in studio("unpack", tmp_path / "a.tar", code=2).stderr
    (root / "a").rename(tmp_path / "gone")
    rows.rename(tmp_path / "moved.csv")
    studio("unpack", tmp_path / "a.tar")
    assert state(root / "a") == "stopped"
    studio("resume", "a", "--dataset_name", tmp_path / "moved.csv")
    until(lambda: state(root / "a") == "running")


def test_a_run_that_was_stopped_goes_on_at_once_and_is_never_taken_for_failed(root, studio, recipe):
    studio("run", recipe(ENDLESS), "--output_dir", root / "a")
    for _ in range(3):
        until(lambda: state(root / "a") == "running")
        studio("stop", "a", "--wait")
        studio("resume", "a")
        assert state(root / "a") in ("queued", "starting", "running")
    until(lambda: state(root / "a") == "running")


def test_clean_keeps_what_a_failed_run_can_go_on_from(root, studio, recipe):
    studio("run", recipe("(run.checkpoints / 'checkpoint-1').mkdir(parents=True); "
                         "(run.checkpoints / 'checkpoint-1/x').write_text('x'); raise ValueError"),
           "--output_dir", root / "a")  # fmt: skip
    studio("run", recipe("raise ValueError"), "--output_dir", root / "b")
    until(lambda: state(root / "a") == state(root / "b") == "failed", 60)
    studio("clean", "--failed", "--yes")
    assert (root / "a").exists() and not (root / "b").exists()


def test_a_file_that_is_missing_is_told_when_the_job_is_queued(root, studio, recipe):
    done = studio("run", recipe(QUICK), "--dataset_name", "nosuch.csv", "--output_dir", root / "a", code=2)
    assert "there is no file or folder nosuch.csv" in done.stderr and not (root / "a").exists()


def test_a_job_goes_on_when_nobody_reads_what_it_prints(tmp_path, recipe, root):
    file = recipe("[print('line', i, flush=True) or time.sleep(0.01) for i in range(200)]")
    command = [sys.executable, str(file), "--output_dir", str(root / "a")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as job:
        assert job.stdout.readline()
        job.stdout.close()
        assert job.wait(60) == 0
    assert state(root / "a") == "finished" and "line 199" in (root / "a/train.log").read_text()


def test_of_two_that_train_in_one_folder_one_is_refused_by_name(root, recipe):
    file = recipe("time.sleep(1)")
    command = [sys.executable, str(file), "--output_dir", str(root / "a")]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": "."})]
    both.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": "."}))
    told = "".join(process.communicate(timeout=60)[1] for process in both)
    assert sorted(process.returncode for process in both) == [0, 2] and state(root / "a") == "finished"
    assert any(words in told for words in ("already holds a run", "is being trained by process", "is not empty"))
