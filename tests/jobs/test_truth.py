"""Whatever is killed, the state that is shown is true, and what was stopped can go on."""

import json
import os
import signal
import stat
import subprocess
import sys
import time

import psutil
import pytest

from studio import events, heartbeat, processes, stopping
from studio.errors import RequestError
from studio.jobs import control, engine, supervise
from studio.jobs.listing import Listing
from studio.jobs.standing import standing
from studio.recipe_files import load
from studio.runs import Run
from tests.finished_runs import answers, write_run
from tests.jobs.conftest import DEAF, ENDLESS, QUICK, ROOT, state, supervised, supervisor, trainer, typed, until

CANARY = "hf_canaryCANARYcanaryCANARYcanary12"


def going(root, studio, recipe, body=ENDLESS):
    studio("run", recipe(body), "--output_dir", root / "a")
    until(lambda: state(root / "a") == "running" and (root / "a/supervisor.json").exists())
    return root / "a"


@pytest.mark.parametrize(
    "killed", ["t", "tse", *(pytest.param(some, marks=pytest.mark.slow) for some in ("s", "e", "ts", "te", "se"))]
)
def test_killing_engine_supervisor_and_trainer_in_every_combination_leaves_a_true_state(root, studio, recipe, killed):
    folder = going(root, studio, recipe)
    victims = {"t": trainer(folder), "s": supervisor(folder), "e": psutil.Process(engine.owner(root))}
    for name in sorted(killed, key="set".index):  # the supervisor first, so that it cannot write
        victims[name].kill()
    expected = "running" if "t" not in killed else "orphaned" if "s" in killed else "failed"
    until(lambda: state(folder) == expected, 5)
    if "t" not in killed:
        studio("stop", "a", "--wait")
        until(lambda: state(folder) == "stopped", 5)
    studio("resume", "a")
    until(lambda: state(folder) == "running", 30)
    assert trainer(folder).pid != victims["t"].pid


def test_a_pid_that_was_given_to_another_process_does_not_count_as_the_job(tmp_path):
    run = Run(tmp_path / "run")
    run.create(recipe="r", task="t", command=[], settings="", seed=0)
    run.set_state("running")
    assert state(run.folder) == "running"
    status = run.status()
    (run.folder / "status.json").write_text(json.dumps(status | {"started": status["started"] - 100}))
    assert state(run.folder) == "orphaned"
    (run.folder / "status.json").write_text(json.dumps(status | {"boot_id": "another"}))
    assert state(run.folder) == "orphaned"


def test_a_run_that_is_asked_to_stop_is_shown_as_stopping_at_once(tmp_path):
    run = Run(tmp_path / "run")
    run.create(recipe="r", task="t", command=[], settings="", seed=0)
    run.set_state("running")
    control.stop(run.folder)
    assert state(run.folder) == "stopping"


def test_a_listed_run_has_the_score_of_its_test_rows_as_soon_as_there_is_one(tmp_path):
    folder, listing = write_run(tmp_path, "run", answers("1" * 8 + "0" * 2)), Listing(tmp_path)
    assert listing.rows()[0]["test"] == 0.8
    (folder / "report" / "metrics.json").write_text("damaged")
    assert listing.rows()[0]["test"] is None


def test_a_job_without_steps_for_ten_times_the_median_is_shown_as_stalled(tmp_path, monkeypatch):
    run = Run(tmp_path / "run")
    run.create(recipe="r", task="t", command=[], settings="", seed=0)
    run.set_state("running")
    for step in range(5):
        monkeypatch.setattr(events.time, "time", lambda step=step: 1000.0 + 10 * step)
        run.step = step
        run.log("metric", {"loss": 1.0})
    for silent, expected in ((90, "running"), (110, "stalled")):
        monkeypatch.setattr(events.time, "time", lambda silent=silent: 1040.0 + silent)
        assert state(run.folder) == expected


def test_a_run_that_gets_on_without_steps_is_not_shown_as_stalled(tmp_path, monkeypatch):
    """A long validation, or data that is prepared once more after a resume."""
    monkeypatch.setattr(heartbeat, "_BEAT_S", 0.05)
    run = made(tmp_path / "run")
    clock = 1000.0
    monkeypatch.setattr(events.time, "time", lambda: clock)
    for step in range(5):
        clock, run.step = clock + 1, step
        run.log("metric", {"loss": 1.0})
    with heartbeat.beating(run):
        clock += 1000
        run.moved = clock
        until(lambda: state(run.folder) == "running", 5)
        clock += 100
        until(lambda: state(run.folder) == "stalled", 5)
    run.set_state("running")  # resumed
    clock += 1000
    assert state(run.folder) == "running"


def test_a_long_event_stream_is_not_read_whole_at_each_look(tmp_path):
    run = made(tmp_path / "run")
    run.log("metric", {"loss": 1.0})
    line = run.events.read_text().splitlines(keepends=True)[-1]
    run.events.write_text(line.replace(f'"time": {json.loads(line)["time"]}', '"time": 1.0') * 100_000)
    began = time.monotonic()
    assert state(run.folder) == "stalled" and time.monotonic() - began < 0.2


def test_setting_the_clock_changes_no_state(tmp_path, monkeypatch):
    run = made(tmp_path / "run")
    since_epoch = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: since_epoch(self) + 3600)
    assert state(run.folder) == "running"


def test_a_run_of_another_machine_runs_as_long_as_its_heart_beats_and_is_not_removed(tmp_path):
    run = made(tmp_path / "run")
    with heartbeat.beating(run):
        until(lambda: heartbeat.last(run.folder)[0])
    (run.folder / "status.json").write_text(json.dumps(run.status() | {"host": "another"}))
    os.utime(run.folder / "status.json", (1000, 1000))
    assert state(run.folder) == "running"
    for end in (control.discard, control.force_stop):
        with pytest.raises(RequestError, match="runs on another: end it there"):
            end(run.folder)
    os.utime(run.folder / "heartbeat", (1000, 1000))
    assert state(run.folder) == "orphaned"
    control.discard(run.folder)
    assert not run.folder.exists()


def made(folder):
    """A run of this very process."""
    run = Run(folder)
    run.create(recipe="r", task="t", command=[], settings="", seed=0, state="running")
    return run


def test_a_run_that_says_finished_without_a_model_is_shown_as_broken(tmp_path):
    run = Run(tmp_path / "run")
    run.create(recipe="r", task="t", command=[], settings="", seed=0)
    run.set_state("finished")
    assert state(run.folder) == "broken"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "\0" * 100, '{"state": 3}'])
def test_a_broken_run_is_listed_as_broken_and_hides_no_other(root, studio, content):
    for name in ("good", "bad"):
        Run(root / name).create(recipe="r", task="t", command=[], settings="", seed=0)
        Run(root / name).set_state("stopped")
    (root / "bad/status.json").write_text(content)
    (root / "bad/events.jsonl").write_bytes(os.urandom(1000))
    rows = {row["run"]: row["state"] for row in json.loads(studio("runs", "--json").stdout)}
    assert rows == {"good": "stopped", "bad": "broken"}


def test_force_stop_leaves_no_process_even_of_those_that_hear_nothing(root, studio, recipe):
    folder = going(root, studio, recipe, DEAF)
    until(lambda: len(processes.of_run(folder)) == 2)
    began = time.monotonic()
    studio("stop", "a", "--force")
    assert time.monotonic() - began < 12 and processes.of_run(folder) == []
    until(lambda: state(folder) == "stopped", 5)
    until(lambda: (folder / "exit.json").exists(), 5)
    exit_file = json.loads((folder / "exit.json").read_text())
    assert exit_file["signal"] == "SIGKILL" and exit_file["cause"] == "killed"


def queuing(folder):
    """A process that has queued a run, and goes on with other work."""
    create = f"Run({str(folder)!r}).create(recipe='r', task='t', command=[], settings='', seed=0, state='queued')"
    program = f"from studio.runs import Run; {create}; import time; time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    until(lambda: state(folder) == "queued")
    return process


@pytest.mark.parametrize("end", [control.force_stop, control.discard])
def test_ending_a_job_that_is_just_starting_spares_the_program_that_queued_it(root, end):
    queuer = queuing(root / "a")
    job = supervised(root / "a", "sleep", "600")
    try:
        until(lambda: state(root / "a") == "starting" and processes.of_run(root / "a"))
        end(root / "a")
        assert queuer.poll() is None and processes.of_run(root / "a") == []
        job.wait(5)
        assert state(root / "a") == ("stopped" if end is control.force_stop else "broken")  # removed
    finally:
        queuer.kill()
        queuer.wait()


def test_a_discarded_run_does_not_come_back_by_what_its_supervisor_writes(root):
    for number in range(5):
        made(root / f"{number}").unlock()
        Run(root / f"{number}").set_state("queued")
        job = supervised(root / f"{number}", "sleep", "600")
        until(lambda number=number: processes.of_run(root / f"{number}"))
        control.discard(root / f"{number}")
        job.wait(5)
        assert list(root.iterdir()) == []


def test_a_stop_that_comes_before_the_job_has_begun_is_heeded(root, recipe):
    run = load(recipe(QUICK)).queue(["--output_dir", str(root / "a")])
    stopping.ask(run.folder, "stop")
    again = [sys.executable, run.record()["start"]["recipe"], "--output_dir", str(run.folder)]
    supervised(run.folder, *again, "--resume_from_checkpoint").wait(60)
    assert state(run.folder) == "stopped" and not (root / "order").exists()


def test_the_mark_of_a_run_is_found_by_whatever_name_its_folder_is_given(root):
    (root / "sub").mkdir()
    made(root / "a")
    supervised(root / "sub/../a", "sleep", "600")
    until(lambda: processes.of_run(root / "a"), 10)
    (root / "link").symlink_to(root / "a")
    assert processes.of_run(root / "link") and processes.of_run(root / "sub/../a")


def test_a_job_that_cannot_be_started_says_why(root):
    Run(root / "a").create(recipe="r", task="t", command=[], settings="", seed=0, state="queued")
    assert supervised(root / "a", "no-such-program").wait(30) == 1
    now = standing(root / "a")
    assert now.state == "failed" and "could not be started" in now.reason and "no-such-program" in now.reason


def test_a_job_that_the_system_kills_for_its_memory_ends_with_advice(tmp_path):
    run = made(tmp_path / "run")
    run.unlock()
    (run.folder / "train.log").touch()
    ended = supervise.account(run.folder, -signal.SIGKILL, out_of_memory=True)
    assert ended["cause"] == "memory" and "halve --per_device_train_batch_size" in ended["reason"]
    (run.folder / "exit.json").write_text(json.dumps(ended))
    (run.folder / "status.json").write_text(json.dumps(run.status() | {"boot_id": "another"}))
    assert standing(run.folder).reason == ended["reason"] and standing(run.folder).cause == "memory"


@pytest.mark.parametrize("name", ["train.rank1.log", "request.json", "exit.json", "heartbeat", "events.jsonl"])
def test_a_folder_where_a_file_is_expected_disturbs_nobody(tmp_path, name):
    run = made(tmp_path / "run")
    (run.folder / "status.json").write_text(json.dumps(run.status() | {"boot_id": "another"}))
    (run.folder / name).unlink(missing_ok=True)
    (run.folder / name).mkdir()
    assert state(run.folder) in ("broken", "orphaned")


def test_what_breaks_in_a_job_while_it_is_ended_by_force_is_no_failure(root, recipe):
    file = recipe("stopping.ask(run.folder, 'force'); raise ValueError('a worker was killed')")
    assert typed(file, root / "a").wait(60) == 130
    assert state(root / "a") == "stopped" and "by force" in standing(root / "a").reason


def test_a_second_signal_does_not_keep_a_job_from_saying_how_it_ended(root, recipe):
    again = "os.kill(os.getpid(), signal.SIGTERM); os.kill(os.getpid(), signal.SIGINT)"
    file = recipe(f"run.why_a_rank_failed = lambda: {again.replace('; ', ' or ')}; {again}; time.sleep(60)")
    assert typed(file, root / "a").wait(60) == 130
    assert state(root / "a") == "stopped"


def test_a_dry_run_is_made_on_the_disk_of_the_run_and_names_nothing_that_is_gone(root, recipe):
    file = recipe("raise ValueError(f'was in {run.folder.parent}.')")
    command = [sys.executable, str(file), "--output_dir", str(root / "a"), "--dry_run"]
    told = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True).stderr
    assert f"was in {root}. It was a dry run" in told and "train.log" not in told
    assert list(root.iterdir()) == []


def test_closing_the_terminal_stops_a_job_unless_it_was_started_to_outlive_it(root, recipe):
    jobs = {"a": typed(recipe(ENDLESS), root / "a"), "b": typed(recipe(ENDLESS), root / "b", "nohup")}
    until(lambda: all((root / name / "run.json").exists() and state(root / name) == "running" for name in "ab"))
    for job in jobs.values():
        job.send_signal(signal.SIGHUP)
    assert jobs["a"].wait(10) == 130 and state(root / "a") == "stopped"
    time.sleep(0.5)
    assert jobs["b"].poll() is None
    jobs["b"].terminate()
    assert jobs["b"].wait(10) == 130


def test_force_stop_ends_every_rank_of_a_job_typed_by_hand(root, recipe):
    launched = {"TORCHELASTIC_RUN_ID": "none", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=os.environ | launched)
    job = typed(recipe(ENDLESS.replace("raise", "time.sleep(600); raise")), root / "a", **launched)
    until(lambda: (root / "a/run.json").exists() and state(root / "a") == "running")
    control.force_stop(root / "a")
    for process in (job, other):
        process.wait(1)
    assert state(root / "a") == "stopped"


def test_a_job_that_fails_says_why_in_its_exit_file(root, studio, recipe):
    studio("run", recipe("raise MemoryError"), "--output_dir", root / "a")
    until(lambda: (root / "a/exit.json").exists(), 60)
    ended = json.loads((root / "a/exit.json").read_text())
    assert (ended["code"], ended["signal"], ended["cause"]) == (1, None, "memory")
    assert "out of memory: halve" in ended["log"]
    assert standing(root / "a").cause == "memory"
    studio("run", recipe("os.kill(os.getpid(), signal.SIGSEGV)"), "--output_dir", root / "b")
    until(lambda: (root / "b/exit.json").exists(), 60)
    assert state(root / "b") == "failed" and "SIGSEGV" in standing(root / "b").reason


def test_discarding_ends_the_job_and_removes_the_folder(root, studio, recipe):
    folder = going(root, studio, recipe)
    studio("discard", "a", "--yes")
    assert not folder.exists() and processes.of_run(folder) == []
    with pytest.raises(RequestError, match="is not a run folder"):
        control.discard(root)
    assert root.exists()


def test_a_job_typed_by_hand_is_seen_and_stopped_like_any_other(root, studio, recipe):
    job = typed(recipe(ENDLESS), root / "a")
    until(lambda: state(root / "a") == "running" if (root / "a/run.json").exists() else False)
    studio("stop", "a", "--wait")
    assert state(root / "a") == "stopped" and job.wait(10) == 130
    studio("resume", "a")
    until(lambda: state(root / "a") == "running", 30)


def test_a_token_in_the_environment_reaches_no_file_and_no_command_line(root, studio, recipe):
    body = QUICK + "\n    raise ValueError('broken ' + os.environ['HF_TOKEN'])"
    studio("run", recipe(body), "--output_dir", root / "a", env={"HF_TOKEN": CANARY})
    until(lambda: state(root / "a") == "failed", 60)
    for file in root.rglob("*"):
        if file.is_file():
            assert CANARY.encode() not in file.read_bytes(), file
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file
    assert not any(CANARY in " ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"]))


def test_a_signal_to_the_supervisor_reaches_the_job(root, studio, recipe):
    folder = going(root, studio, recipe)
    supervisor(folder).send_signal(signal.SIGTERM)
    until(lambda: state(folder) == "stopped", 10)
    until(
        lambda: (
            json.loads((folder / "exit.json").read_text())["cause"] == "stopped"
            if (folder / "exit.json").exists()
            else False
        )
    )
