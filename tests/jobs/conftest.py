"""Jobs that need neither torch nor a model: recipes of a few lines, run by real engines and supervisors."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from studio import processes
from studio.jobs.standing import standing
from studio.runs import Run

ROOT = Path(__file__).parent.parent.parent
# What a recipe file does with its run: Recipe carries it out as it does any other.
TOY = """
import os, signal, subprocess, sys, time
from studio import stopping
from studio.config import ModelChoice, TextData, Training
from studio.recipe import Recipe
from studio.runs import Run

def finetune(data: TextData, model: ModelChoice, training: Training, run: Run) -> dict[str, float]:
    {body}
    run.model.mkdir(exist_ok=True)
    (run.model / "config.json").write_text("{{}}")
    return {{}}

RECIPE = Recipe(finetune, "Toy", "text-classification", {{"dataset_name": "sample:tweets"}})
if __name__ == "__main__":
    RECIPE.launch()
"""
QUICK = "(run.folder.parent / 'order').open('a').write(run.folder.name + ' ')"
ENDLESS = """while stopping.asked(run.folder) is None:
        time.sleep(0.05)
    raise stopping.Stopped(saved=True)"""
DEAF = """signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen([sys.executable, "-c",
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"], start_new_session=True)
    time.sleep(600)"""


@pytest.fixture
def recipe(tmp_path) -> Callable[[str], Path]:
    def write(body: str) -> Path:
        file = tmp_path / f"toy{len(list(tmp_path.glob('toy*.py')))}.py"
        file.write_text(TOY.format(body=body))
        return file

    return write


@pytest.fixture
def root(tmp_path):
    """A run root of its own, which no process outlives."""
    root = tmp_path / "runs"
    root.mkdir()
    yield root
    clear(root)


@pytest.fixture
def studio(root, program):
    """Runs a command of `python -m studio` on the run root."""

    def call(*arguments, code: int = 0, env: dict[str, str] | None = None, cwd: Path = ROOT):
        done = program("-m", "studio", *arguments, env={"STUDIO_RUNS": str(root)} | (env or {}), cwd=cwd, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return call


def clear(root: Path) -> None:
    """Ends all that serves or trains in a run root."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if str(root) in " ".join(process.cmdline()) or str(root) in process.environ().get(processes.MARK, ""):
                process.kill()


def typed(file: Path, folder: Path, *before: str, **env: str) -> subprocess.Popen:
    """Starts a recipe as a person does, in a terminal that can be closed even if that of these tests cannot."""
    return subprocess.Popen(
        [*before, sys.executable, str(file), "--output_dir", str(folder)],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | env,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )


def supervised(folder: Path, *command: str) -> subprocess.Popen:
    """Starts a supervisor with the job of a run folder, as the engine does."""
    full = [sys.executable, "-m", "studio.jobs.supervise", str(folder), *command]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(full, cwd=folder.parent, env=env, stderr=subprocess.DEVNULL, start_new_session=True)


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.05)


def state(folder: Path) -> str:
    return standing(folder).state


def supervisor(folder: Path) -> psutil.Process:
    return psutil.Process(json.loads((folder / "supervisor.json").read_text())["pid"])


def trainer(folder: Path) -> psutil.Process:
    return psutil.Process(Run(folder).status()["pid"])
