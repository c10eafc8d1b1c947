"""Whatever is killed, the state that is shown is true, and what was stopped can go on."""

import json
import os
import signal
import stat
import time

import psutil
import pytest

from studio import events, processes
from studio.errors import RequestError
from studio.jobs import control, engine
from studio.jobs.standing import standing
from studio.runs import Run
from tests.jobs.conftest import DEAF, ENDLESS, QUICK, state, supervisor, trainer, until

CANARY = "hf_canaryCANARYcanaryCANARYcanary12"


def going(root, studio, recipe, body=ENDLESS):
    studio("run", recipe(body), "--output_dir", root / "a")
    until(lambda: state(root / "a") == "running" and (root / "a/supervisor.json").exists())
    return root / "a"


@pytest.mark.parametrize("killed", ["t", "s", "e", "ts", "te", "se", "tse"])
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
    import subprocess
    import sys

    file = recipe(ENDLESS)
    job = subprocess.Popen(
        [sys.executable, str(file), "--output_dir", str(root / "a")], env=os.environ | {"PYTHONPATH": "."}
    )
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
