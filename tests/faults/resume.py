"""Stopped and resumed equals never stopped; a number that is none stops the run before it reaches the weights."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import psutil
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageClassification, TrainerCallback, ViTConfig

from studio.config import Training
from studio.data.augment import PRESETS
from studio.data.images import Pictures
from studio.jobs.standing import standing
from studio.runs import Run
from studio.stopping import SIGNALS
from studio.training.trainer import StudioTrainer
from tests.faults.kills import reference
from tests.faults.learner import INTERVAL, STEPS, last_good, launch, same
from tests.faults.trials import Result, each, fork, join, result
from tests.training import scaling, test_stopping


def row_4(folder: Path) -> Result:
    """The ordinary test's twenty points, each in a process of its own."""

    def whole() -> None:
        made = {}
        for name, settings in test_stopping.EVALUATIONS.items():
            trainer = test_stopping.train(folder / name, **settings)
            made[name] = test_stopping.weights(trainer), test_stopping.figures(folder / name)
        torch.save(made, folder / "whole.pt")

    assert join(fork(whole, folder / "log")) == 0

    def trial(point: tuple) -> str:
        def stopped_and_resumed() -> None:
            SIGNALS.listen()
            made, place = torch.load(folder / "whole.pt", weights_only=True), folder / "-".join(map(str, point))
            place.mkdir()
            test_stopping.test_sigterm_at_any_point_then_going_on_changes_no_bit(made, place, *point)

        code = join(fork(stopped_and_resumed, folder / "log"))
        return f"{point}: ended with {code}" if code else ""

    complaints = each(trial, test_stopping.POINTS)
    loading = {"learner": pictures, "workers": 2}
    reference(folder / "loading", **loading)
    complaints += each(lambda at: all_signalled(folder, *at), ALL, at_once=1)
    told = "resumed to the same bits after at most one step, with its save; in the last ones the signal went to "
    return result(complaints, told + "each process of a job with 2 loader workers")


ALL = [("on_step_begin", 0), ("on_step_begin", 3), ("on_prediction_step", 4), ("on_save", 6)]


class SignalGroup(TrainerCallback):
    """Sends a SIGTERM to this process and to its loader workers, twice, as a scheduler does and then a launcher."""

    def __init__(self, moment: str, step: int):
        self.step = step
        setattr(self, moment, self.signal)

    def signal(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            self.step = None
            assert len(psutil.Process().children()) >= 2
            for _ in range(2):
                subprocess.run(["sh", "-c", f"kill -TERM -{os.getpgrp()}"], process_group=0)
                time.sleep(0.1)


def all_signalled(folder: Path, moment: str, step: int) -> str:
    run = folder / f"{moment}-{step}"

    def job() -> None:
        os.setpgid(0, 0)
        launch(run, SignalGroup(moment, step), learner=pictures, workers=2)

    code = join(fork(job, run.with_suffix(".log")))
    if code != 130 or standing(run).state != "stopped" or last_good(run) not in (step, step + 1):
        return f"{run.name}: ended with {code} as {standing(run)}, checkpoint {last_good(run)}"
    code = join(fork(lambda: launch(run, learner=pictures, workers=2), run.with_suffix(".log")))
    return "" if code == 0 and same(run, folder / "loading") else f"{run.name}: resume ended with {code}, or other bits"


def pictures(folder: Path, *callbacks, workers: int, **settings) -> StudioTrainer:
    """Two epochs of a ViT with dropout on pictures that are cropped and mirrored."""
    torch.manual_seed(0)
    run = Run(folder)
    run.resumed = (folder / "checkpoints").exists()
    network = AutoModelForImageClassification.from_config(
        ViTConfig(**scaling.SMALL, image_size=16, patch_size=8, num_labels=3, hidden_dropout_prob=0.1)
    )
    plain = scaling.rows("vit", test_stopping.ROWS)
    data = {
        "train": Pictures(plain._rows, plain._processor, PRESETS["medium", True], seed=3),
        "validation": plain,
    }
    training = Training(
        num_train_epochs=2, per_device_train_batch_size=4, per_device_eval_batch_size=8, gradient_accumulation_steps=2,
        bf16=False, logging_steps=1, learning_rate=1e-2, dataloader_num_workers=workers, **settings,
    )  # fmt: skip
    trainer = StudioTrainer(network, training, data, plain._processor, run, ["a", "b", "c"])
    for callback in callbacks:
        trainer.add_callback(callback)
    trainer.train(resume_from_checkpoint=run.last_good_checkpoint())
    return trainer


KINDS = {
    "text": {},
    "pictures": {"learner": pictures, "workers": 0},
    "pictures, 2 workers": {"learner": pictures, "workers": 2},
}


def row_5(folder: Path) -> Result:
    for kind, settings in KINDS.items():
        reference(folder / kind, eval_steps=1, save_total_limit=9, **settings)

    def trial(case: tuple[str, int]) -> str:
        kind, step = case
        whole, run = folder / kind, folder / f"{kind} from {step}"
        shutil.copytree(whole, run)
        shutil.rmtree(run / "model")
        for later in range(step + 1, STEPS + 1):
            shutil.rmtree(run / f"checkpoints/checkpoint-{later}")
        (run / "status.json").unlink()  # it says that the run is finished
        code = join(fork(lambda: launch(run, eval_steps=1, save_total_limit=9, **KINDS[kind]), run.with_suffix(".log")))
        if code or last_good(run) != STEPS:
            return f"{run.name} ended with {code}"
        moments = [
            torch.load(r / f"checkpoints/checkpoint-{STEPS}/optimizer.pt", weights_only=True)["state"]
            for r in (whole, run)
        ]
        equal = all(torch.equal(v, moments[1][i][k]) for i, one in moments[0].items() for k, v in one.items())
        return "" if equal and same(run, whole) else f"{run.name} differs"

    return result(each(trial, [(kind, step) for kind in KINDS for step in range(1, STEPS)]), "equal to the last bit")


class Poison(TrainerCallback):
    """Makes the loss or a gradient of the step after `step` no number."""

    def __init__(self, step: int, what: str):
        self.step, self.what = step, what

    def on_step_begin(self, args, state, control, model=None, **kwargs):
        if state.global_step != self.step:
            return
        if self.what == "loss":
            hook = model.register_forward_hook(
                lambda m, i, o: hook.remove() or o.__class__(logits=o.logits * torch.nan)
            )
        else:
            weight = next(model.parameters())
            hook = weight.register_hook(lambda gradient: hook.remove() or gradient * torch.inf)


def row_6(folder: Path) -> Result:
    def trial(case: tuple[int, str]) -> str:
        step, what = case
        run = folder / f"{what}-{step}"
        code = join(fork(lambda: launch(run, Poison(step, what)), run.with_suffix(".log")))
        now = standing(run)
        if (code, now.state, now.cause) != (1, "failed", "nan") or f"at step {step + 1}:" not in now.reason:
            return f"{what} at step {step + 1}: {now}"
        saved = [load_file(c / "model.safetensors") for c in Run(run, writes=False).checkpoint_folders()]
        finite = all(bool(value.isfinite().all()) for weights in saved for value in weights.values())
        kept = last_good(run) == step // INTERVAL * INTERVAL
        return "" if finite and kept else f"{what} at step {step + 1}: last good checkpoint {last_good(run)}"

    cases = [(step, what) for what in ("loss", "gradient") for step in range(STEPS)]
    return result(each(trial, cases), "stopped at the step itself; weights on disk finite, newest checkpoint kept")
