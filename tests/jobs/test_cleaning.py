"""Only what was asked for is removed, and nothing that is in use."""

from pathlib import Path

import pytest

from studio.jobs import cleaning
from studio.runs import Run
from tests.jobs.conftest import state


def made(folder: Path, state: str) -> Path:
    run = Run(folder)
    run.create(recipe="r", task="t", command=[], settings="", seed=0)
    (folder / "checkpoints/checkpoint-1").mkdir(parents=True)
    (folder / "checkpoints/checkpoint-1/weights").write_text("x")
    (folder / "model").mkdir()
    (folder / "model/config.json").write_text("{}")
    run.set_state(state)
    run.unlock()
    return folder


def test_a_run_that_goes_on_after_the_question_is_kept(tmp_path):
    folder = made(tmp_path / "a", "stopped")
    seen = cleaning.use(folder)
    Run(folder).set_state("queued")
    assert "is queued by now, and was kept" in cleaning.remove(seen, folder)
    Run(folder).set_state("stopped")
    holder = Run(folder)
    holder.lock()
    assert "is being trained" in cleaning.remove(seen, folder) and (folder / "run.json").exists()
    holder.unlock()
    assert cleaning.remove(seen, folder) is None and not folder.exists()


@pytest.mark.parametrize(
    ("flags", "gone"),
    [
        (["--checkpoints"], {"done/checkpoints"}),
        (["stop", "--checkpoints"], {"stop/checkpoints"}),
        (["--stopped"], {"stop"}),
        (["done", "fail", "--stopped", "--failed"], set()),
        ([], set()),
    ],
)
def test_only_what_was_asked_for_is_removed(root, studio, flags, gone):
    for name, its_state in (("done", "finished"), ("stop", "stopped"), ("fail", "failed"), ("wait", "queued")):
        made(root / name, its_state)
    studio("clean", *flags, "--yes")
    places = {f"{name}{part}" for name in ("done", "stop", "fail", "wait") for part in ("", "/checkpoints")}
    missing = {place for place in places if not (root / place).exists()}
    assert missing == gone | {f"{place}/checkpoints" for place in gone if "/" not in place}
    assert state(root / "wait") == "queued"
