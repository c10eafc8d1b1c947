"""Real engines, supervisors, trainers and loader workers, killed in every way: what is shown is true, nothing stays."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import psutil
from transformers import TrainerCallback

from studio import events, processes
from studio.jobs import control, engine, start
from studio.jobs.queue import Queue
from studio.jobs.standing import standing
from studio.recipe_files import load
from studio.runs import Run
from tests.faults.kills import KillAfterLog, reference
from tests.faults.learner import launch, same
from tests.faults.resume import pictures
from tests.faults.trials import Result, each, fork, join, result
from tests.jobs.conftest import DEAF, ENDLESS, QUICK, TOY, clear, state, supervisor, trainer, until

TRUE_S, GONE_S, NEXT_S, NAMED_S = 5, 10, 5, 10  # the figures wanted
TURNS = 9
OUT_OF_MEMORY = {
    "python": "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)); bytearray(2**32)",
    "torch": "import torch, resource; resource.setrlimit(resource.RLIMIT_AS, (2**35,) * 2); torch.empty(2**40)",
    "gpu": "import torch; raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB')",
}
PRINTS = """
import sys, time
from pathlib import Path
while not Path(sys.argv[1], "go").exists(): time.sleep(0.01)
began = time.perf_counter()
for line in range(100_000):
    sys.stderr.write("x" * 99 + "\\n")
    sum(range(300))  # what a job does besides
Path(sys.argv[1], "seconds").write_text(str(time.perf_counter() - began))
"""


def queued(root: Path, name: str, body: str, start: bool = True) -> Path:
    """Puts a job of a few lines into the queue of a run root."""
    root.mkdir(parents=True, exist_ok=True)
    file = root / f"toy_{name}.py"
    file.write_text(TOY.format(body=body))
    recipe = load(file)
    run = recipe.queue(["--output_dir", str(root / name)])
    Queue(root).add(run.folder)
    if start:
        engine.ensure(root)
    return run.folder


def row_7(folder: Path) -> Result:
    for name, body in OUT_OF_MEMORY.items():
        queued(folder, name, body)
        queued(folder, f"after_{name}", QUICK)
    complaints, slowest = [], 0.0
    for name in OUT_OF_MEMORY:
        failed, following = folder / name, folder / f"after_{name}"
        until(lambda following=following: state(following) == "finished", 120)
        begun = next(e.time for e in events.read(following / "events.jsonl")[0] if e.data.get("state") == "running")
        took = begun - Run(failed).status()["time"]
        slowest, now = max(slowest, took), standing(failed)
        right = (now.state, now.cause) == ("failed", "memory") and "halve" in now.reason and took <= NEXT_S
        complaints.append("" if right else f"{name}: {now}, next after {took:.1f} s")
    return result(complaints, f"failed as memory, with advice; the next job began after {slowest:.1f} s at most")


def row_8(folder: Path) -> Result:
    def trial(number: int) -> str:
        run = queued(folder / str(number), "deaf", DEAF, start=False)
        environment = os.environ | {"PYTHONPATH": os.getcwd()}
        command = [
            sys.executable,
            str(run.parent / "toy_deaf.py"),
            "--output_dir",
            str(run),
            "--resume_from_checkpoint",
        ]
        supervising = [sys.executable, "-m", "studio.jobs.supervise", str(run), *command]
        job = subprocess.Popen(supervising, start_new_session=True, env=environment, stderr=subprocess.DEVNULL)
        until(lambda: len(processes.of_run(run)) == 2 and state(run) == "running", 60)
        everyone = [psutil.Process(job.pid), *psutil.Process(job.pid).children(recursive=True)]
        began = time.monotonic()
        control.force_stop(run)
        job.wait(GONE_S)
        left = [p.pid for p in everyone if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        took = time.monotonic() - began
        clear(folder / str(number))
        return "" if not left and took <= GONE_S and len(everyone) == 3 else f"{left} left after {took:.1f} s"

    return result(each(trial, range(50), at_once=4), f"jobs: 0 of their processes left after {GONE_S} s")


class KillWorker(TrainerCallback):
    """Kills a process that prepares batches, or the trainer itself beside them."""

    def __init__(self, step: int, which: int | None, moment: Path):
        self.step, self.which, self.moment = step, which, moment

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            self.moment.write_text(str(time.time()))
            workers = psutil.Process().children()
            os.kill(os.getpid() if self.which is None else workers[self.which].pid, signal.SIGKILL)


def row_9(folder: Path) -> Result:
    loaders = {"learner": pictures, "workers": 2}
    reference(folder / "whole", **loaders)

    def trial(case: tuple[int, int | None]) -> str:
        step, which = case
        run, moment = folder / f"{step}-{which}", folder / f"{step}-{which}.moment"
        code = join(fork(lambda: launch(run, KillWorker(step, which, moment), **loaders), run.with_suffix(".log")))
        took, now = time.time() - float(moment.read_text()), standing(run)
        if which is not None and ((now.state, now.cause, code) != ("failed", "worker", 1) or took > NAMED_S):
            return f"worker {which} at step {step}: {now} after {took:.1f} s"
        code = join(fork(lambda: launch(run, **loaders), run.with_suffix(".log")))  # at once, beside workers left over
        if code or not same(run, folder / "whole"):
            return f"{case}: resume ended with {code}: {run.with_suffix('.log').read_text()[-150:]}"
        return ""

    cases = [(step, which) for step in range(7) for which in (0, 1, None)]
    told = (
        f"kills of a worker (named in {NAMED_S} s) or of the trainer beside its workers; all resumed to the same bits"
    )
    return result(each(trial, cases), told)


def row_10(folder: Path) -> Result:
    def trial(case: tuple[str, int]) -> str:
        killed, again = case
        root = folder / f"{killed}{again}"
        run = queued(root, "job", ENDLESS)
        until(lambda: (run / "supervisor.json").exists() and state(run) == "running" and engine.owner(root), 60)
        victims = {"t": trainer(run), "s": supervisor(run), "e": psutil.Process(engine.owner(root))}
        for name in killed:
            victims[name].kill()
        expected = {"running"} if "t" not in killed else {"orphaned", "failed"}
        deadline, seen = time.monotonic() + TRUE_S, state(run)
        while seen not in expected and seen != "finished" and time.monotonic() < deadline:
            time.sleep(0.05)
            seen = state(run)
        if seen in expected and "t" in killed:
            start.resume(root, run, [])
            until(lambda: state(run) == "running", 60)
        clear(root)
        return "" if seen in expected else f"{killed} killed: shown as {seen}"

    def reused(number: int) -> str:
        run = Run(folder / f"reused{number}")
        run.create(recipe="r", task="t", command=[], settings="", seed=0, state="running")
        status = run.status()
        other = psutil.Process(number)  # another process bears the pid now
        (run.folder / "status.json").write_text(json.dumps(status | {"pid": number}))
        seen = state(run.folder)
        return "" if seen == "orphaned" else f"pid given to {other.name()}: shown as {seen}"

    # The supervisor also before the trainer, so that nobody is left to say how it ended.
    kills = [c for n in (1, 2, 3) for c in map("".join, combinations("ste", n))] + ["ts", "tse", "ets"]
    complaints = each(trial, [(killed, again) for killed in kills for again in range(2)], at_once=3)
    pids = [pid for pid in psutil.pids() if abs(psutil.Process(pid).create_time() - time.time()) > 5][:10]
    complaints += each(reused, pids)
    return result(complaints, f"true within {TRUE_S} s and resumed ({len(pids)} of them reused pids), 0 wrong finished")


def row_12(folder: Path) -> Result:
    """Two jobs at a time print 10 MB each, one of them with a stopped follower: the rest of the machine slows both."""

    def start(name: str, followed: bool) -> tuple[Run, list[subprocess.Popen]]:
        run = Run(folder / name)
        run.create(recipe="r", task="t", command=[], settings="", seed=0, state="queued")
        command = [sys.executable, "-c", PRINTS, str(run.folder)]
        started = [subprocess.Popen([sys.executable, "-m", "studio.jobs.supervise", str(run.folder), *command])]
        until((run.folder / "supervisor.json").exists)
        if followed:
            page = [sys.executable, "-m", "studio", "logs", "-f", str(run.folder)]
            started.append(subprocess.Popen(page, stdout=subprocess.PIPE))
            time.sleep(2)
            started[1].send_signal(signal.SIGSTOP)
        return run, started

    def ratio(turn: int) -> float:
        both = [start(f"{turn}-{followed}", followed) for followed in (False, True)]
        for run, _ in both:
            (run.folder / "go").touch()
        for run, (job, *page) in both:
            job.wait(60)
            for follower in page:
                follower.kill()
                follower.wait()
            assert (run.folder / "train.log").stat().st_size == 10_000_000
        alone, followed = (float((run.folder / "seconds").read_text()) for run, _ in both)
        return alone / followed

    middle = statistics.median(ratio(turn) for turn in range(TURNS))
    return Result(TURNS, f"{middle:.0%} of the speed without a follower (median of {TURNS} pairs)", middle >= 0.95)


def row_15(folder: Path) -> Result:
    reference(folder / "whole")

    def two(work, log: Path) -> list[int]:
        start = time.monotonic() + 0.2
        return [fork(lambda: time.sleep(max(0, start - time.monotonic())) or work(), log) for _ in range(2)]

    def engines(number: int) -> str:
        root = folder / f"root{number}"
        queued(root, "job", QUICK + "\n    time.sleep(0.5)", start=False)
        both = two(lambda: engine.main(root), folder / "log")
        until(lambda: state(root / "job") == "finished", 60)
        for pid in both:
            os.kill(pid, signal.SIGKILL)  # one has long ended, and waits to be joined
        ended = sorted(join(pid) for pid in both)
        started = (root / "order").read_text().split()
        return "" if ended == [-9, 0] and started == ["job"] else f"engines ended with {ended}, started {started}"

    def trainers(number: int) -> str:
        """Every other pair goes on with a run that was killed; there the one that is refused names the other."""
        run, log = folder / f"run{number}", folder / f"run{number}.log"
        if number % 2:
            join(fork(lambda: launch(run, KillAfterLog(3)), log))
        ended = sorted(join(pid) for pid in two(lambda: launch(run), log))
        told = next((line for line in log.read_text().splitlines() if line.startswith("error: ")), "")
        named = (
            str(run) in told and "unknown" not in told and ("is being trained by process" in told or number % 2 == 0)
        )
        right = ended == [0, 2] and named and same(run, folder / "whole")
        return "" if right else f"ended with {ended}: {log.read_text()[-150:]}"

    complaints = each(engines, range(20), at_once=3) + each(trainers, range(20), at_once=1)
    told = "exactly one: 20 pairs of engines of a root, 20 pairs of trainers of a run folder"
    return result(complaints, told, "a port that is taken belongs to the page's tests")
