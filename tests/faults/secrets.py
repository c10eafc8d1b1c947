"""A token in the environment reaches nothing that is kept or shown; nothing that is kept is open to others."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import psutil

from tests.faults.processes import clear
from tests.faults.trials import Result, result
from tests.jobs.conftest import TOY, state, until

CANARY = "hf_canaryCANARYcanaryCANARYcanary12"
BODIES = {
    "trained": "from tests.training.test_stopping import train; train(run.folder).save_model(str(run.model))",
    "failed": "raise ValueError('no')",
    "quoted": "raise ValueError('401 for Authorization: Bearer ' + os.environ['HF_TOKEN'])",
    "memory": "token = os.environ['HF_TOKEN']; raise MemoryError(token)",
}


def jobs(folder: Path) -> tuple[Path, set[str]]:
    """Runs that end well and badly, begun under umask 000 with a token; the run root, and all that was shown."""
    root, shown = folder / "runs", set()
    environment = os.environ | {"STUDIO_RUNS": str(root), "HF_TOKEN": CANARY, "PYTHONPATH": os.getcwd()}

    def studio(*arguments: str) -> None:
        command = [sys.executable, "-m", "studio", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, umask=0)
        shown.update([done.stdout, done.stderr])

    for name, body in BODIES.items():
        (folder / f"{name}.py").write_text(TOY.format(body=body))
        studio("run", str(folder / f"{name}.py"), "--output_dir", str(root / name))
    for name in BODIES:

        def ended(name=name) -> bool:
            shown.update(" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
            return state(root / name) in ("finished", "failed")

        until(ended, 120)
        studio("logs", name)
        studio("logs", "-f", name)
    studio("runs", "--json")
    studio("runs")
    clear(root)
    return root, shown


def row_39(folder: Path) -> Result:
    root, shown = jobs(folder)
    states = {name: state(root / name) for name in BODIES}
    assert states == dict.fromkeys(BODIES, "failed") | {"trained": "finished"}, states
    files = [file for file in root.rglob("*") if file.is_file()]
    complaints = [f"{file.relative_to(root)} has it" if CANARY.encode() in file.read_bytes() else "" for file in files]
    complaints += [f"shown: {text[-200:]}" if CANARY in text else "" for text in shown]
    told = f"places without it: {len(files)} files, {len(shown)} command lines and outputs"
    lacks = "a library that prints the token itself, past exceptions, is not filtered"
    return result(complaints, told, lacks)


def row_40(folder: Path) -> Result:
    root, _ = jobs(folder)
    found = [root, *root.rglob("*")]
    complaints = [
        f"{path.relative_to(folder)} is {stat.filemode(path.stat().st_mode)}" if path.stat().st_mode & 0o077 else ""
        for path in found
    ]
    return result(complaints, "files and folders closed to others")
