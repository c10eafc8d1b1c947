"""The database keeps what it has acknowledged; broken run folders hide no others."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from studio import processes
from studio.jobs.queue import Queue
from studio.runs import Run
from tests.faults.trials import Result, each, fork, join, result

KILLS, WRITERS, WRITES, GOOD = 500, 8, 500, 10


def row_13(folder: Path) -> Result:
    """A writer tells each write through a pipe after its commit, and is killed at a random time."""
    told: set[str] = set()
    chance = random.Random(13)
    complaints = []
    for kill in range(KILLS):
        reading, writing = os.pipe()

        def write(kill=kill, writing=writing) -> None:
            queue = Queue(folder)
            for n in range(10**6):
                queue.add(folder / f"{kill}-{n}")
                os.write(writing, f"{kill}-{n}\n".encode())

        pid = fork(write, folder / "log")
        os.close(writing)
        acknowledged = os.read(reading, 1)  # it has begun
        time.sleep(chance.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
        join(pid)
        while more := os.read(reading, 65536):
            acknowledged += more
        os.close(reading)
        told |= set(acknowledged.decode().split("\n")[:-1])
        complaints.append("" if acknowledged else f"writer {kill} has written nothing")
    with sqlite3.connect(folder / "studio.sqlite") as database:
        sound = database.execute("PRAGMA integrity_check").fetchone()[0]
        present = {name for (name,) in database.execute("SELECT folder FROM queue_2")}
    if told - present or sound != "ok":
        complaints[0] = f"{len(told - present)} lost, integrity {sound}"
    return result(complaints, f"writers killed; {len(told & present):,} of {len(told):,} acknowledged writes present")


def row_14(folder: Path) -> Result:
    def write(writer: int) -> str:
        queue = Queue(folder)
        for n in range(WRITES):
            queue.add(folder / f"{writer}-{n}")
        return ""

    complaints = each(write, range(WRITERS), at_once=WRITERS)
    present = len(Queue(folder).jobs())
    complaints.append("" if present == WRITERS * WRITES else f"{present} are present")
    found = result(complaints, "")
    told = f"{present:,}/{WRITERS * WRITES:,} writes of {WRITERS} processes present, none refused"
    return Result(WRITERS * WRITES, told if found.passed else found.outcome, found.passed)


# What may be a folder where a file is expected.
FOLDERS = ("run.json", "status.json", "events.jsonl", "request.json", "train.rank1.log", "exit.json", "heartbeat")


def mutations(folder: Path) -> tuple[int, list[str]]:
    """Run folders that are broken in one way each; returns how many, and which have no readable record or state."""
    deep = b"[" * 100_000
    contents = [b"", b"{", b"[]", b"null", b"\xff\xfe\0", os.urandom(500), deep, b'"x"', b"1e999"]
    ways = [(name, content) for name in ("run.json", "status.json") for content in contents]
    status = {"state": "running", "pid": os.getpid(), "started": 0, "host": os.uname().nodename, "boot_id": None}
    ways += [("status.json", json.dumps(status | changed).encode()) for changed in (
        {"pid": None}, {"pid": "x"}, {"pid": -1}, {"pid": 2**70}, {"state": ["running"]}, {"reason": 3}, {"time": "x"}
    )]  # fmt: skip
    event = {"time": 1.0, "kind": "metric", "step": 1, "data": {"loss": 1.0}}
    ways += [("events.jsonl", (json.dumps(event | changed) + "\n").encode() * 5) for changed in (
        {"time": "x"}, {"step": None}, {"data": None}, {"data": {"eval_f1_macro": "x", "max_steps": []}},
        {"data": {"resumed_from": "x"}},
    )]  # fmt: skip
    ways += [("events.jsonl", deep + b"\n"), ("exit.json", b'{"log": 5}'), ("supervisor.json", b"{}"), ("model", b"x")]
    ways += [("train.rank1.log", b""), ("train.rank1.log", b"\xff"), ("request.json", b"["), ("heartbeat", b"x")]
    for number, (name, content) in enumerate(ways):
        run = good(folder / f"bad{number}")
        if name not in ("run.json", "status.json", "events.jsonl", "model"):
            killed(run)
        (run / name).write_bytes(content)
    for number, name in enumerate(FOLDERS):
        run = good(folder / f"folder{number}")
        if name not in ("run.json", "status.json"):
            killed(run)
        (run / name).unlink(missing_ok=True)
        (run / name).mkdir()
    for number, name in enumerate(("run.json", "status.json", "events.jsonl")):
        run = good(folder / f"link{number}")
        (run / name).unlink()
        (run / name).symlink_to(name)
    hopeless = [f"bad{number}" for number, (name, _) in enumerate(ways) if name in ("run.json", "status.json")]
    return len(ways) + len(FOLDERS) + 3, hopeless + ["folder0", "folder1", "link0", "link1"]


def killed(run: Path) -> None:
    """Has the run's own word be that it runs, and its process gone with an earlier boot: all its files are asked."""
    status = {"state": "running", "host": processes.this_machine()["host"], "boot_id": "x"}
    (run / "status.json").write_text(json.dumps(status))


def good(folder: Path) -> Path:
    run = Run(folder)
    run.create(recipe="r", task="t", command=[], settings="", seed=0)
    run.set_state("stopped")
    run.unlock()
    return folder


def row_16(folder: Path) -> Result:
    broken, hopeless = mutations(folder)
    for number in range(GOOD):
        good(folder / f"good{number}")
    listed = subprocess.run(
        [sys.executable, "-m", "studio", "runs", "--json"],
        env=os.environ | {"STUDIO_RUNS": str(folder)},
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        return Result(broken, f"not listed at all: {listed.stderr[-200:]}", False)
    found = {row["run"]: row["state"] for row in json.loads(listed.stdout)}
    right = sum(found.get(f"good{number}") == "stopped" for number in range(GOOD))
    beside = len(found) - right
    # Without a record or a state it is no run that could be believed; broken events leave the state as it is.
    believed = [run for run, state in found.items() if run in hopeless and state not in ("broken", "orphaned")]
    told = f"{right}/{GOOD} good runs listed as they are, {beside}/{broken} broken ones beside them"
    told += f"; first failure: {believed[0]} is shown as {found[believed[0]]}" if believed else ""
    return Result(broken, told, right == GOOD and beside == broken and not believed)
