"""A run folder is private, written whole, and never confused with another."""

import itertools
import json
import os
import stat
from pathlib import Path

import pytest

from studio import events
from studio.errors import RequestError
from studio.runs import MANIFEST, Run, manifest_fault, new_folder, write_manifest, write_whole


def create(folder: Path, **changes) -> Run:
    run = Run(folder)
    what = {"recipe": "r", "task": "text-classification", "command": ["python"], "settings": "seed: 1\n", "seed": 1}
    run.create(**what | changes)
    return run


def test_the_record_says_what_ran_on_what(tmp_path):
    record = create(tmp_path / "run").record()
    assert record["id"] == "run" and record["seed"] == 1 and record["task"] == "text-classification"
    assert record["versions"]["torch"] and record["hardware"]["cpu_cores"] == os.cpu_count()


def test_a_folder_that_holds_a_run_is_refused(tmp_path):
    create(tmp_path / "run")
    with pytest.raises(RequestError, match="already holds a run.*--resume_from_checkpoint"):
        create(tmp_path / "run")


def test_a_folder_that_holds_other_files_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(RequestError, match="is not empty"):
        create(tmp_path)


def test_other_ranks_write_nothing(tmp_path):
    run = Run(tmp_path / "run", writes=False)
    run.create(recipe="r", task="t", command=[], settings="", seed=0)
    run.set_state("running")
    run.log("metric", {"loss": 1.0})
    assert not run.folder.exists()


def test_state_names_the_process_for_good(tmp_path):
    run = create(tmp_path / "run")
    run.set_state("running")
    status = json.loads((run.folder / "status.json").read_text())
    assert status["pid"] == os.getpid() and status["started"] > 0 and run.state() == "running"
    assert [e.data["state"] for e in events.read(run.events)[0]] == ["starting", "running"]


def test_files_are_for_their_owner_only(tmp_path):
    before = os.umask(0)
    try:
        run = create(tmp_path / "run")
    finally:
        os.umask(before)
    assert stat.S_IMODE(run.folder.stat().st_mode) == 0o700
    for file in run.folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_new_folders_go_where_the_environment_says_and_never_collide(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_RUNS", str(tmp_path))
    names = {new_folder("bert") for _ in range(50)}
    assert len(names) == 50 and all(name.parent == tmp_path and name.name.startswith("bert-") for name in names)


def checkpoint(run: Run, step: int) -> Path:
    folder = run.checkpoints / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * step)
    (folder / "optimizer.pt").write_bytes(b"moments")
    write_manifest(folder)
    return folder


def test_the_newest_checkpoint_is_the_one_of_the_highest_step(tmp_path):
    run = create(tmp_path / "run")
    assert run.last_good_checkpoint() is None
    for step in (9, 100, 20):
        checkpoint(run, step)
    assert run.last_good_checkpoint().endswith("checkpoint-100")


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        *itertools.product(["model.safetensors", "optimizer.pt"], ["missing", "halved", "one byte"]),
        (MANIFEST, "missing"),
        (MANIFEST, "halved"),
    ],
)
def test_a_damaged_checkpoint_is_never_resumed_from(tmp_path, file, fault):
    run = create(tmp_path / "run")
    good, bad = checkpoint(run, 10), checkpoint(run, 20)
    content = (bad / file).read_bytes()
    if fault == "missing":
        (bad / file).unlink()
    elif fault == "halved":
        (bad / file).write_bytes(content[: len(content) // 2])
    else:
        (bad / file).write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    assert manifest_fault(bad)
    assert run.last_good_checkpoint() == str(good)
    alerts = [e.data["message"] for e in events.read(run.events)[0] if e.kind == "alert"]
    assert "checkpoint-20 is not used" in alerts[0]


def test_a_file_is_replaced_whole(tmp_path):
    write_whole(tmp_path / "a.json", "one")
    write_whole(tmp_path / "a.json", "two")
    assert (tmp_path / "a.json").read_text() == "two"
    assert [f.name for f in tmp_path.iterdir()] == ["a.json"]


def test_only_one_process_trains_in_a_folder(tmp_path):
    run = create(tmp_path / "run")
    with pytest.raises(RequestError, match=f"is being trained by process {os.getpid()}"):
        Run(run.folder).lock()
    run._lock.close()  # as when the process ends
    Run(run.folder).lock()


def test_a_run_that_trained_nothing_is_taken_away_with_what_it_made(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for folder, stays in ((tmp_path / "new", False), (tmp_path / "mine", True), (tmp_path / "link", True)):
        run = create(folder)
        run.discard()
        assert folder.exists() == stays and not (stays and any(folder.iterdir()))
    run = create(tmp_path / "trained")
    checkpoint(run, 1)
    run.discard()
    assert run.last_good_checkpoint()


def test_a_model_is_replaced_by_the_one_of_a_resumed_run(tmp_path):
    run = create(tmp_path / "run")
    (run.folder / "model.unfinished").mkdir()
    (run.folder / "model.unfinished" / "torn").touch()
    for name in ("first", "second"):
        with run.writing_model() as folder:
            folder.mkdir()
            (folder / name).touch()
    assert [f.name for f in run.model.iterdir()] == ["second"]
    assert not list(run.folder.glob("model.*"))


def test_a_model_that_could_not_be_written_is_no_model(tmp_path):
    run = create(tmp_path / "run")
    with pytest.raises(OSError), run.writing_model() as folder:
        folder.mkdir()
        (folder / "model.safetensors").touch()
        raise OSError("no space")
    assert not run.model.exists()


def test_what_is_no_run_is_said_to_be_none(tmp_path):
    with pytest.raises(RequestError, match="is not a run folder"):
        Run(tmp_path).record()
    assert Run(tmp_path).state() == "unknown"
