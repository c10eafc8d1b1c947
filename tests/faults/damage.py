"""Damaged checkpoints are refused and named; rotation never takes the best or the newest."""

import json
import random
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from studio.runs import MANIFEST, Run, manifest_fault
from studio.training.callbacks import SealCheckpoints
from tests.faults.kills import KillAfterLog, reference
from tests.faults.learner import STEPS, last_good, launch, same
from tests.faults.trials import Result, each, fork, join, result

WAYS = {
    "missing": lambda file: file.unlink(),
    "halved": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "one byte flipped": lambda file: flip(file, random.Random(file.name).randrange(file.stat().st_size), 0xFF),
}
SEQUENCES = 1000


def flip(file: Path, at: int, bits: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= bits
    file.write_bytes(content)


def row_2(folder: Path) -> Result:
    whole, killed = folder / "whole", folder / "killed"
    reference(whole)
    join(fork(lambda: launch(killed, KillAfterLog(STEPS)), folder / "log"))
    newest, before = (int(c.name.split("-")[1]) for c in Run(killed).checkpoint_folders()[:2])
    names = sorted(file.name for file in (killed / f"checkpoints/checkpoint-{newest}").iterdir())

    def trial(case: tuple[str, str]) -> str:
        name, way = case
        run = folder / f"{name}-{way}"
        shutil.copytree(killed, run)
        checkpoint = run / f"checkpoints/checkpoint-{newest}"
        WAYS[way](checkpoint / name)
        fault = manifest_fault(checkpoint)
        if last_good(run) != before or not fault or (name != MANIFEST and name not in fault):
            return f"{name} {way}: {fault}"
        code = join(fork(lambda: launch(run), run.with_suffix(".log")))
        return "" if code == 0 and same(run, whole) else f"{name} {way}: resume ended with {code}, or other weights"

    def bit(at: int) -> str:
        run = folder / f"bit-{at}"
        checkpoint = run / f"checkpoints/checkpoint-{newest}"
        shutil.copytree(killed / "checkpoints" / checkpoint.name, checkpoint)
        flip(checkpoint / MANIFEST, at, 1)
        complaint = "" if manifest_fault(checkpoint) else f"manifest with bit 0 of byte {at} flipped was believed"
        shutil.rmtree(run)
        return complaint

    size = (killed / f"checkpoints/checkpoint-{newest}" / MANIFEST).stat().st_size
    complaints = each(trial, [(name, way) for name in names for way in WAYS]) + each(bit, range(size))
    return result(complaints, f"caught: {len(names)} files x {len(WAYS)} ways and resumed, {size} bits of the manifest")


# What happens to a checkpoint: (steps since the last one, validation score, its fate).
SAVES = some.lists(
    some.tuples(some.integers(1, 3), some.integers(0, 9), some.sampled_from(["good", "good", "torn", "damaged"])),
    min_size=1,
    max_size=12,
)


@given(saves=SAVES, keep=some.integers(1, 3))
def rotation_keeps_best_and_newest(saves, keep):
    """Saves as the Trainer does, with kills while saving and damage after it, each followed by a resume."""
    with tempfile.TemporaryDirectory() as root:
        run = Run(root)
        seal, arguments = SealCheckpoints(run, keep), SimpleNamespace(output_dir=str(run.checkpoints))
        step, best = 0, {0: (-1, None)}  # the best score and step that the Trainer's state has at each step
        for steps, score, fate in saves:
            before = best[step]
            step += steps
            best[step] = max(before, (score, step), key=lambda found: found[0])
            checkpoint = run.checkpoints / f"checkpoint-{step}"
            checkpoint.mkdir(parents=True, exist_ok=True)
            (checkpoint / "weights").write_text(f"{step} {score}")
            (checkpoint / "trainer_state.json").write_text(
                json.dumps({"best_model_checkpoint": f"checkpoint-{best[step][1]}"})
            )
            if fate != "torn":
                good = [int(c.name.split("-")[1]) for c in run.checkpoint_folders() if manifest_fault(c) is None]
                expected = {step, best[step][1], *[s for s in good if s < step][: keep - 1]}
                seal.on_save(arguments, SimpleNamespace(global_step=step), None)
                for kept in expected:
                    fault = manifest_fault(run.checkpoints / f"checkpoint-{kept}")
                    assert fault is None, f"checkpoint-{kept} at step {step}: {fault}"
            if fate == "damaged":
                (checkpoint / "weights").write_text("damaged")
            if fate != "good":
                step = last_good(Path(root))
                seal.on_train_begin(arguments, SimpleNamespace(global_step=step), None)


def row_17(folder: Path) -> Result:
    def thousand(_: None) -> None:
        settings(max_examples=SEQUENCES, deadline=None, database=None, suppress_health_check=list(HealthCheck))(
            rotation_keeps_best_and_newest
        )()

    (complaint,) = each(thousand, [None])
    told = f"first failure: {complaint}" if complaint else f"{SEQUENCES:,}/{SEQUENCES:,} sequences keep best and newest"
    return Result(SEQUENCES, told, not complaint)
