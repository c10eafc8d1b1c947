"""A few of the trials of `make test-faults`, in small numbers."""

import os
import shutil
import signal
import sys

import pytest
import torch
from hypothesis import HealthCheck, settings

from studio.jobs.standing import standing
from studio.runs import MANIFEST, Run, manifest_fault, write_manifest
from tests.faults import damage, store
from tests.faults.resume import pictures
from tests.training.test_stopping import weights

KILLS_A_WORKER = """
import sys
from pathlib import Path
from tests.faults.learner import launch
from tests.faults.processes import KillWorker
from tests.faults.resume import pictures
run, moment = map(Path, sys.argv[1:])
launch(run, KillWorker(2, 0, moment), learner=pictures, workers=2)
"""

SIGNALS_ALL = """
import os, sys
from pathlib import Path
from tests.faults.learner import launch
from tests.faults.resume import SignalGroup, pictures
os.setpgid(0, 0)
launch(Path(sys.argv[1]), SignalGroup("on_step_begin", 1), learner=pictures, workers=2)
"""


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.setenv("FAULTS_LOG", str(tmp_path / "trials.log"))


@pytest.mark.parametrize("way", damage.WAYS)
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(tmp_path, way):
    run = Run(tmp_path)
    for step in (2, 4):
        for name in ("model.safetensors", "optimizer.pt", "rng_state.pth"):
            (run.checkpoints / f"checkpoint-{step}").mkdir(parents=True, exist_ok=True)
            (run.checkpoints / f"checkpoint-{step}" / name).write_bytes(os.urandom(100))
        write_manifest(run.checkpoints / f"checkpoint-{step}")
    newest = run.checkpoints / "checkpoint-4"
    for file in newest.iterdir():
        whole = file.read_bytes()
        damage.WAYS[way](file)
        assert run.last_good_checkpoint().endswith("checkpoint-2")
        assert file.name == MANIFEST or file.name in manifest_fault(newest)
        file.write_bytes(whole)
    for at in range((newest / MANIFEST).stat().st_size):
        damage.flip(newest / MANIFEST, at, 1)
        assert manifest_fault(newest), f"byte {at}"
        damage.flip(newest / MANIFEST, at, 1)
    assert run.last_good_checkpoint().endswith("checkpoint-4")


@pytest.mark.slow
def test_rotation_keeps_the_best_and_the_newest_checkpoints_whatever_was_torn_or_damaged():
    settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))(
        damage.rotation_keeps_best_and_newest
    )()


def test_what_is_unfinished_makes_room_on_a_full_disk(tmp_path):
    run = Run(tmp_path)
    for name in ("checkpoints/checkpoint-1", "checkpoints/checkpoint-2", "model.unfinished"):
        (tmp_path / name).mkdir(parents=True)
    write_manifest(run.checkpoints / "checkpoint-1")
    run.make_room()
    assert [c.name for c in run.checkpoint_folders()] == ["checkpoint-1"]
    assert not (tmp_path / "model.unfinished").exists()


@pytest.mark.slow
def test_a_killed_loader_worker_is_named(tmp_path, program):
    """In a process of its own: torch's handler would go on to raise for the dead worker in the tests after it."""
    done = program("-c", KILLS_A_WORKER, tmp_path / "run", tmp_path / "moment")
    now = standing(tmp_path / "run")
    assert (done.returncode, now.state, now.cause) == (1, "failed", "worker"), done.stderr


@pytest.mark.slow
def test_a_signal_to_all_processes_of_a_job_does_not_end_its_loader_workers_first(tmp_path, program):
    done = program("-c", SIGNALS_ALL, tmp_path / "run")
    assert (done.returncode, standing(tmp_path / "run").state) == (130, "stopped"), done.stderr
    assert Run(tmp_path / "run").last_good_checkpoint().endswith("checkpoint-2")


def test_a_run_with_loader_workers_that_goes_on_changes_no_bit(tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    trained = pictures(whole, workers=2, eval_strategy="steps", eval_steps=2)
    shutil.copytree(whole, tmp_path / "resumed")
    for late in (6, 8):
        shutil.rmtree(tmp_path / f"resumed/checkpoints/checkpoint-{late}")
    shutil.rmtree(tmp_path / "resumed/events.jsonl", ignore_errors=True)
    resumed = pictures(tmp_path / "resumed", workers=2, eval_strategy="steps", eval_steps=2)
    assert all(torch.equal(a, b) for a, b in zip(weights(resumed), weights(trained), strict=True))


def test_processes_left_over_by_a_killed_trainer_do_not_hold_its_run(tmp_path):
    run = Run(tmp_path)
    run.lock()
    reading, writing = os.pipe()
    left_over = os.fork()
    if not left_over:
        os.write(writing, b"1")
        signal.pause()
        os._exit(0)
    os.read(reading, 1)  # it has begun
    run.unlock()
    try:
        Run(tmp_path).lock()
    finally:
        os.kill(left_over, signal.SIGKILL)
        os.waitpid(left_over, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_what_the_database_has_acknowledged_is_there(tmp_path, log, monkeypatch):
    monkeypatch.setattr(store, "KILLS", 10)
    monkeypatch.setattr(store, "WRITERS", 4)
    monkeypatch.setattr(store, "WRITES", 25)
    for row in (store.row_13, store.row_14):
        (tmp_path / row.__name__).mkdir()
        found = row(tmp_path / row.__name__)
        assert found.passed, found.outcome


def test_runs_broken_in_every_way_hide_no_other(tmp_path):
    found = store.row_16(tmp_path)
    assert found.passed, found.outcome
