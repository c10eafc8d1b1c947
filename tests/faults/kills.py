"""Killed at any instant: the run goes on from a checkpoint that verifies, and comes to the same end."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

from transformers import TrainerCallback

from studio.jobs.standing import standing
from tests.faults.learner import INTERVAL, STEPS, last_good, last_step, launch, same
from tests.faults.trials import COUNT, KILL, Result, arm, done, each, fork, join, result
from tests.training.test_stopping import figures

AT_RANDOM = 200
STEP = 3  # operations are counted from its beginning to the next one's: log, evaluation, save, seal, rotation


class Armed(TrainerCallback):
    """Arms the shim for one step; leaves the count of operations in a file when it goes by."""

    def __init__(self, folder: Path, mode: int, nth: int = 0):
        self.folder, self.mode, self.nth = folder, mode, nth

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == STEP:
            arm(self.folder, self.mode, self.nth)
        if state.global_step == STEP + 1 and self.mode == COUNT:
            self.folder.with_suffix(".count").write_text(str(done()))


class KillAfterLog(TrainerCallback):
    def __init__(self, step: int):
        self.step = step

    def on_log(self, args, state, control, logs=None, **kwargs):
        if state.global_step == self.step and "loss" in logs:
            os.kill(os.getpid(), signal.SIGKILL)


def reference(folder: Path, **settings) -> float:
    """A run that nothing happens to; returns its seconds."""
    began = time.monotonic()
    assert join(fork(lambda: launch(folder, **settings), folder.with_suffix(".log"))) == 0, "the plain run fails"
    return time.monotonic() - began


def row_1(folder: Path) -> Result:
    whole, chance = folder / "whole", random.Random(1)
    took = reference(whole, save_total_limit=1)
    counted = folder / "counted"
    assert join(fork(lambda: launch(counted, Armed(counted, COUNT), save_total_limit=1), folder / "log")) == 0
    operations = int(counted.with_suffix(".count").read_text())
    cases = [("s", chance.uniform(0, took)) for _ in range(AT_RANDOM)] + [("N", n) for n in range(1, operations + 1)]

    def trial(case: tuple[str, float]) -> str:
        kind, at = case
        run = folder / f"{kind}-{at}"
        callbacks = [Armed(run, KILL, int(at))] if kind == "N" else []
        pid = fork(lambda: launch(run, *callbacks, save_total_limit=1), run.with_suffix(".log"))
        if kind == "s":
            time.sleep(at)
            os.kill(pid, signal.SIGKILL)
        code = join(pid)
        if kind == "N" and code != -signal.SIGKILL:
            return f"operation {at} was not reached"
        complaint = goes_on(run, whole)
        if not complaint:
            shutil.rmtree(run)
        return complaint and f"{complaint} (killed at {at} {kind})"

    told = f"resumed to the same bits, at most {INTERVAL} steps (one interval) lost; {operations} of them at each "
    return result(each(trial, cases), told + "file operation of a save", "power loss: SIGKILL keeps the page cache")


def goes_on(run: Path, whole: Path) -> str:
    if not (run / "run.json").exists():  # killed before there was a run: nothing is lost by starting anew
        shutil.rmtree(run, ignore_errors=True)
    elif (state := standing(run).state) not in ("orphaned", "finished", "broken"):
        return f"shown as {state}"
    elif state == "finished":
        return "" if same(run, whole) else "finished with other weights"
    elif (lost := last_step(run) - last_good(run)) > INTERVAL:
        return f"{lost} steps lost"
    if (code := join(fork(lambda: launch(run, save_total_limit=1), run.with_suffix(".log")))) != 0:
        return f"resume ended with {code}: {run.with_suffix('.log').read_text()[-200:]}"
    return "" if same(run, whole) else "other weights or figures after the resume"


def row_11(folder: Path) -> Result:
    whole = folder / "whole"
    reference(whole)

    def trial(step: int) -> str:
        run = folder / f"killed-{step}"
        for callbacks in ([KillAfterLog(step)], []):
            code = join(fork(lambda callbacks=callbacks: launch(run, *callbacks), run.with_suffix(".log")))
        steps = [at for at, _ in figures(run)[0]]
        return "" if code == 0 and steps == list(range(1, STEPS + 1)) and same(run, whole) else f"saw {steps}"

    return result(each(trial, range(1, STEPS + 1)), "runs show each step once")
