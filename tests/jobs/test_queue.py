"""The queue and the run folders never disagree for long, whoever is killed and whoever comes between."""

import os
import sqlite3
import time

import pytest

from studio.errors import RequestError
from studio.jobs import engine, start
from studio.jobs.queue import Queue
from studio.runs import Run
from tests.jobs.conftest import QUICK, state


def waiting(root, *names: str) -> Queue:
    """A queue of runs of no recipe."""
    for name in names:
        run = Run(root / name)
        run.create(recipe="toy", task="t", command=[], settings="", seed=0, state="queued")
        run.unlock()
        Queue(root).add(run.folder)
    return Queue(root)


def names(queue: Queue) -> list[str]:
    return [queue.folder(job).name for job in queue.waiting()]


def test_what_is_cancelled_between_the_look_and_the_start_is_not_started(root):
    queue = waiting(root, "a")
    job = queue.jobs()[0]
    queue.cancel(root / "a")
    assert not queue.begin(job, "cpu", time.time()) and queue.jobs() == []


def test_what_is_being_started_can_be_cancelled_still(root):
    queue = waiting(root, "a")
    assert queue.begin(queue.jobs()[0], "cpu", time.time())
    queue.cancel(root / "a")
    assert state(root / "a") == "cancelled" and queue.jobs() == []


def test_what_is_resumed_while_the_engine_forgets_it_waits(root):
    queue = waiting(root, "a", "b")
    seen = queue.jobs()[1]
    queue.begin(seen, "cpu", time.time())
    queue.add(root / "b")  # as resume does
    queue.drop(seen)
    assert names(queue) == ["a", "b"]


def test_a_cancel_that_was_killed_before_its_commit_has_cancelled(root):
    queue = waiting(root, "a")
    Run(root / "a").set_state("cancelled")  # what it does first
    assert queue.waiting() == [] and queue.restore() == []
    assert engine.Engine(root).look() is False and queue.jobs() == []


def test_the_rows_of_one_run_root_are_not_those_of_another_in_the_same_database(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_DATABASE_URL", f"sqlite:///{tmp_path / 'shared.sqlite'}")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = waiting(tmp_path / "one", "a", "b"), waiting(tmp_path / "two", "a")
    two.cancel(tmp_path / "two/a")
    assert (names(one), names(two)) == (["a", "b"], [])
    with pytest.raises(RequestError, match="does not wait"):
        two.move(tmp_path / "one/a", 1)


def test_a_database_of_another_studio_is_left_alone_and_the_queue_made_from_the_folders(root):
    waiting(root, "a", "b")
    with sqlite3.connect(root / "studio.sqlite") as old:
        old.execute("DROP TABLE queue_2")
        old.execute("CREATE TABLE jobs (id INTEGER, state TEXT)")
    assert names(Queue(root)) == ["a", "b"]


def test_reading_waits_for_no_writer(root):
    queue = waiting(root, "a")
    with sqlite3.connect(root / "studio.sqlite", isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert names(queue) == names(Queue(root)) == ["a"] and time.monotonic() - began < 5


@pytest.mark.parametrize("url", ["postgresql+psycopg2://x:secret@127.0.0.1/x", "nosuch://x", "sqlite:////no/such/x"])
def test_a_database_that_cannot_be_opened_is_told_before_there_is_a_folder(root, recipe, monkeypatch, url):
    monkeypatch.setenv("STUDIO_DATABASE_URL", url)
    with pytest.raises(RequestError, match="STUDIO_DATABASE_URL") as told:
        start.queue_run(root, str(recipe(QUICK)), ["--output_dir", str(root / "a")])
    assert not (root / "a").exists() and "secret" not in str(told.value)


def test_queueing_leaves_the_process_as_it_was(root, recipe, monkeypatch):
    monkeypatch.setattr(engine, "ensure", lambda root: None)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # the discard port: the Hub is out of reach
    before = dict(os.environ)
    with pytest.raises(RequestError, match="out of reach"):
        start.queue_run(root, str(recipe(QUICK)), ["--model_name_or_path", "no/such"])
    start.queue_run(root, str(recipe(QUICK)), ["--output_dir", str(root / "a"), "--dataset_name", "some/where"])
    assert dict(os.environ) == before


def test_a_link_to_a_run_root_is_that_root(root, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "ensure", lambda root: None)
    (tmp_path / "link").symlink_to(root)
    folder = start.queue_run(tmp_path / "link", str(recipe(QUICK)), ["--output_dir", str(tmp_path / "link/a")])
    assert folder == root / "a" and names(Queue(root)) == ["a"]


def test_flags_that_differ_from_their_defaults_reach_the_job(root, recipe, monkeypatch):
    from studio.export import hub

    monkeypatch.setattr(hub, "check", lambda name: None)
    monkeypatch.setattr(engine, "ensure", lambda root: None)
    flags = ["--push_to_hub", "--hub_model_id", "me/mine", "--hub_private_repo", "false"]
    folder = start.queue_run(root, str(recipe(QUICK)), [*flags, "--output_dir", str(root / "a")])
    command = engine.start_command(folder, Queue(root).jobs()[0])
    assert {"--push_to_hub=true", "--hub_model_id=me/mine", "--hub_private_repo=false"} <= set(command)


def test_a_lock_that_cannot_be_had_for_another_reason_than_another_engine_is_told(root, monkeypatch):
    def refuse(*args):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(engine.fcntl, "flock", refuse)
    run = Run(root / "a")
    run.folder.mkdir()
    for ask in (lambda: engine.owner(root), run.lock):
        with pytest.raises(RequestError, match="cannot be locked .No locks available"):
            ask()
