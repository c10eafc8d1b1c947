"""The queue starts what is next, one job a device, whoever is killed meanwhile."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from studio.errors import RequestError
from studio.jobs import engine, start
from studio.jobs.standing import standing
from studio.runs import Run
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


def test_a_job_that_is_queued_while_the_engine_leaves_is_started_all_the_same(root, studio, recipe, monkeypatch):
    file = recipe(QUICK)
    leaving = engine.Engine.serve

    def serve(self):  # nothing to do; then somebody queues a job, and sees an engine
        monkeypatch.setattr(engine.Engine, "serve", leaving)
        studio("run", file, "--output_dir", root / "late")

    monkeypatch.setattr(engine.Engine, "serve", serve)
    engine.main(root)
    assert order(root) == ["late"]


def test_one_engine_serves_a_run_root_however_many_are_started(root, studio, recipe):
    studio("run", recipe(ENDLESS), "--output_dir", root / "a")
    until(lambda: engine.owner(root))
    owner = engine.owner(root)
    engine.main(root)  # returns at once
    assert engine.owner(root) == owner


@pytest.mark.slow
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
    listed = studio("queue")
    assert "nothing starts, since c has failed" in listed.stderr and "failed" in listed.stdout
    assert "nothing starts, since c has failed" in studio("resume", "a").stderr
    studio("resume", "c")  # behind the others, and it keeps its wish
    studio("run", quick, "--output_dir", root / "e")
    until(lambda: order(root) == ["b", "d"] and state(root / "c") == "failed", 60)
    until(lambda: engine.owner(root) is None, 30)
    assert state(root / "a") == "failed" and state(root / "e") == "queued"
    assert json.loads(studio("queue", "release", "--json").stdout) == [{"run": "c"}]
    until(lambda: order(root) == ["b", "d", "e"], 60)


def test_the_queue_is_rebuilt_from_the_folders_when_the_database_is_lost(root, studio, recipe):
    studio("run", recipe(ENDLESS), "--output_dir", root / "a")
    until(lambda: state(root / "a") == "running")
    studio("run", recipe(QUICK), "--output_dir", root / "b")
    psutil.Process(engine.owner(root)).kill()
    for file in root.glob("studio.sqlite*"):
        file.unlink()
    assert json.loads(studio("queue", "restore", "--json").stdout) == [{"run": "b"}]
    until(lambda: engine.owner(root))
    time.sleep(1)
    assert state(root / "b") == "queued"  # the running one has the device, though the database knows nothing of it
    studio("stop", "a", "--wait")
    until(lambda: order(root) == ["b"], 60)


def test_a_damaged_database_is_set_aside_and_made_anew(root, studio, recipe):
    studio("run", recipe(ENDLESS), "--output_dir", root / "a")
    until(lambda: state(root / "a") == "running")
    studio("run", recipe(QUICK), "--output_dir", root / "b")
    psutil.Process(engine.owner(root)).kill()
    for file in root.glob("studio.sqlite-*"):
        file.unlink()
    (root / "studio.sqlite").write_text("this is no database " * 1000)
    told = studio("queue", code=2).stderr
    assert "cannot be used" in told and "queue restore" in told
    assert "studio.sqlite.damaged-1" in studio("queue", "restore").stderr
    studio("stop", "a", "--wait")
    until(lambda: order(root) == ["b"], 60)


def test_a_run_root_that_is_moved_keeps_its_queue(root, studio, recipe):
    first, quick = recipe(ENDLESS), recipe(QUICK)
    studio("run", first, "--output_dir", root / "a")
    until(lambda: state(root / "a") == "running")
    for name in "bc":
        studio("run", quick, "--output_dir", root / name)
    studio("queue", "move", "c", "1")
    psutil.Process(engine.owner(root)).kill()
    studio("stop", "a", "--force", "--wait")
    moved = root.with_name("runs-moved")  # the fixture ends what serves a folder whose name begins so
    root.rename(moved)
    studio("queue", env={"STUDIO_RUNS": str(moved)})  # starts the engine again, since something waits
    until(lambda: order(moved) == ["c", "b"], 60)


def test_a_job_runs_where_it_was_queued_and_not_under_the_marks_of_another_job(root, studio, recipe, tmp_path):
    told = "(run.folder / 'told').write_text(os.getcwd() + ' ' + ' '.join(sorted(os.environ)))"
    mark = {
        "STUDIO_RUN": str(root / "other"),
        "STUDIO_SUPERVISED": "1",
        "RANK": "0",
        "ACCELERATE_MIXED_PRECISION": "no",
    }
    studio("run", recipe(told), "--output_dir", root / "a", env=mark, cwd=tmp_path)
    until(lambda: state(root / "a") == "finished", 60)
    where, *names = (root / "a/told").read_text().split()
    assert where == str(tmp_path) and not {"RANK", "ACCELERATE_MIXED_PRECISION"} & set(names)
    served_by = psutil.Process(engine.owner(root)).environ()
    assert not set(mark) & set(served_by)


def test_a_job_whose_supervisor_never_appears_fails_after_some_attempts_and_says_why(root, studio, recipe):
    studio("run", recipe(ENDLESS), "--output_dir", root / "a")
    until(lambda: state(root / "a") == "running")
    studio("run", recipe(QUICK), "--output_dir", root / "b")
    (root / "b/supervisor.lock").mkdir()  # which the supervisor cannot open
    studio("run", recipe(QUICK), "--output_dir", root / "c")
    studio("stop", "a", "--wait")
    until(lambda: order(root) == ["c"] and state(root / "b") == "failed", 60)
    found = standing(root / "b")
    assert "3 attempts" in found.reason and "supervisor.lock" in found.reason
    assert (root / "engine.log").read_text().count("IsADirectoryError") == 3


def test_a_job_that_cannot_be_looked_at_stops_no_other(root, studio, recipe):
    studio("run", recipe(ENDLESS), "--output_dir", root / "a")
    until(lambda: state(root / "a") == "running")
    gone = recipe(QUICK)
    studio("run", gone, "--output_dir", root / "b")
    studio("run", recipe(QUICK), "--output_dir", root / "c")
    gone.unlink()
    studio("stop", "a", "--wait")
    until(lambda: order(root) == ["c"], 60)
    assert standing(root / "b").state == "failed" and "there is no recipe" in standing(root / "b").reason


def test_a_job_typed_by_hand_has_the_device_and_what_is_queued_waits_for_it(root, studio, recipe):
    command = [sys.executable, str(recipe(ENDLESS)), "--output_dir", str(root / "byhand")]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": "."}):
        until(lambda: state(root / "byhand") == "running")
        studio("run", recipe(QUICK), "--output_dir", root / "a")
        until(lambda: engine.owner(root))
        time.sleep(1)
        assert state(root / "a") == "queued" and order(root) == []
        studio("stop", "byhand", "--wait")
    until(lambda: order(root) == ["a"], 60)


def test_a_finished_run_keeps_its_device_until_its_process_has_ended(root, studio, recipe):
    held = "import atexit; atexit.register(lambda: (time.sleep(3), (run.folder / 'ended').touch()))"
    studio("run", recipe(held), "--output_dir", root / "a")
    studio("run", recipe("assert (run.folder.parent / 'a/ended').exists()"), "--output_dir", root / "b")
    until(lambda: state(root / "b") == "finished", 60)


def test_a_trial_of_a_few_steps_is_made_at_once_and_leaves_nothing(root, studio, recipe, tmp_path):
    done = studio("run", recipe("raise ValueError('tried')"), "--dry_run", code=1, env={"TMPDIR": str(tmp_path)})
    assert "tried" in done.stderr and list(root.iterdir()) == [] and not list(tmp_path.glob("dry-run-*"))
    with pytest.raises(RequestError, match="nothing to queue: python recipes/toy1.py --dry_run"):
        start.queue_run(root, str(recipe(QUICK)), ["--dry_run"])


def test_a_run_that_is_kept_elsewhere_is_listed_and_found_by_its_name(root, studio, recipe, tmp_path):
    studio("run", recipe(QUICK), "--output_dir", tmp_path / "elsewhere/mine")
    until(lambda: state(tmp_path / "elsewhere/mine") == "finished", 60)
    rows = json.loads(studio("runs", "--json").stdout)
    assert [(row["run"], row["folder"]) for row in rows] == [("mine", str(tmp_path / "elsewhere/mine"))]
    studio("discard", "mine", "--yes")
    assert json.loads(studio("runs", "--json").stdout) == [] and not (tmp_path / "elsewhere/mine").exists()


def test_a_run_is_done_again_with_other_settings_and_says_of_which_it_comes(root, studio, recipe):
    file = recipe(QUICK)
    studio("run", file, "--num_processes", "1", "--seed", "7", "--output_dir", root / "a")
    until(lambda: state(root / "a") == "finished", 60)
    told = json.loads(studio("again", "a", "--learning_rate", "1e-4", "--json").stdout)
    run = Run(told["run"])
    settings = run.settings()
    assert (settings["seed"], settings["learning_rate"]) == (7, 1e-4)
    assert run.record()["parent"] == "a" and run.start()["recipe"] == str(file)


def test_what_a_resumed_run_is_told_is_checked_at_once_and_survives_the_engine(root, studio, recipe, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\n")
    waits = recipe("(run.folder / 'read').write_text(data.dataset_name)\n    " + ENDLESS)
    studio("run", waits, "--dataset_name", rows, "--output_dir", root / "a")
    until(lambda: state(root / "a") == "running")
    studio("stop", "a", "--wait")
    rows.rename(tmp_path / "moved.csv")
    assert "unknown setting --datasetname" in studio("resume", "a", "--datasetname", "x", code=2).stderr
    assert "there is no file" in studio("resume", "a", "--dataset_name", "nosuch.csv", code=2).stderr
    assert "differs from the run's own" in studio("resume", "a", "--seed", "8", code=2).stderr
    assert state(root / "a") == "stopped"
    blocker = recipe(ENDLESS)
    studio("run", blocker, "--output_dir", root / "b")
    until(lambda: state(root / "b") == "running")
    studio("resume", "a", "--dataset_name", "moved.csv", cwd=tmp_path)
    psutil.Process(engine.owner(root)).kill()
    studio("stop", "b", "--wait")
    studio("runs")  # starts the engine again, since something waits
    until(lambda: state(root / "a") == "running", 30)
    until(lambda: (root / "a/read").read_text() == "moved.csv")


@pytest.mark.parametrize("recipe_name", ["bert_sentimant", "no/such.py"])
def test_a_wrong_recipe_or_setting_is_refused_before_anything_is_queued(root, studio, recipe, recipe_name):
    assert "there is no recipe" in studio("run", recipe_name, code=2).stderr
    done = studio("run", recipe(QUICK), "--learning_rate", "7", "--output_dir", root / "a", code=2)
    assert "--learning_rate must be at most 1" in done.stderr and not (root / "a").exists()
    assert json.loads(studio("queue", "--json").stdout) == []


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
