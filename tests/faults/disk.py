"""The disk is full at the Nth write, for every N: no sealed checkpoint is lost, and the run says why it failed."""

import shutil
from pathlib import Path

from transformers import TrainerCallback

from studio.jobs.standing import standing
from studio.runs import MANIFEST, Run, manifest_fault
from tests.faults.kills import STEP, reference
from tests.faults.learner import launch, same
from tests.faults.trials import FULL, NO_SPACE, Result, arm, done, each, fork, join, result

RESUMES = 10  # one in so many trials goes on to the end when there is room again


class FullFrom(TrainerCallback):
    """From one step to the end of the run the shim counts writes, and refuses the Nth and perhaps all after it."""

    def __init__(self, folder: Path, mode: int, nth: int):
        self.folder, self.mode, self.nth = folder, mode, nth

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == STEP:
            arm(self.folder, self.mode, self.nth)


def row_3(folder: Path) -> Result:
    whole, counted = folder / "whole", folder / "counted"
    reference(whole, eval_steps=4)

    def count() -> None:
        launch(counted, FullFrom(counted, NO_SPACE, 10**9), eval_steps=4)
        (folder / "writes").write_text(str(done()))

    assert join(fork(count, folder / "log")) == 0
    writes = int((folder / "writes").read_text())

    def trial(case: tuple[int, int]) -> str:
        mode, nth = case
        run = folder / f"{mode}-{nth}"
        code = join(fork(lambda: launch(run, FullFrom(run, mode, nth), eval_steps=4), run.with_suffix(".log")))
        if code == 0:
            complaint = "" if same(run, whole) else "finished with other weights"
        else:
            complaint = stands(run) or (nth % RESUMES == 0 and goes_on(run, whole)) or ""
        if not complaint:
            shutil.rmtree(run)
        return complaint and f"write {nth} of {'one' if mode == NO_SPACE else 'all'}: {complaint}"

    cases = [(mode, nth) for mode in (NO_SPACE, FULL) for nth in range(1, writes + 1)]
    told = "failed as disk, or finished to the same bits where a log line was all that was lost; every sealed "
    told += f"checkpoint whole; {writes} writes refused once, and from there on"
    return result(each(trial, cases), told)


def stands(run: Path) -> str:
    now = standing(run)
    sealed = [c for c in Run(run, writes=False).checkpoint_folders() if (c / MANIFEST).exists()]
    if (now.state, now.cause) != ("failed", "disk"):
        return f"shown as {now.state}, {now.cause}: {now.reason}"
    return next((f"{c.name}: {fault}" for c in sealed if (fault := manifest_fault(c))), "")


def goes_on(run: Path, whole: Path) -> str:
    code = join(fork(lambda: launch(run, eval_steps=4), run.with_suffix(".log")))
    return "" if code == 0 and same(run, whole) else f"resume ended with {code}, or other weights"
