"""Breaks the studio on purpose, counts what it stands, prints a table and writes it down.

python -m tests.faults docs/reliability.md [ROW ...]
"""

import gc
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.trials import Result, preload

PROMISES = """# What a run stands

Written by `make test-faults`, which breaks the studio on purpose with real signals, files and processes on tiny
random models. What it promises:

1. **Kill it at any instant; it goes on.** A checkpoint counts only when every file of it is on the disk as it was
   written. The newest that does is where a run resumes; those that do not are named and never read (rows 1 to 3, 17).
2. **Stopped and resumed is never stopped.** Weights, optimizer and every figure are equal to the last bit, on one
   CPU process, with dropout, accumulation, varied pictures and loader workers, also after a SIGTERM in the middle of
   an evaluation; the curve shows each step once (rows 1, 4, 5, 9, 11).
3. **What is shown is true within five seconds,** whoever of engine, supervisor and trainer was killed; "finished" is
   never shown of what is not. Stop leaves no process behind (rows 7 to 10, 12, 15).
4. **Numbers that are none stop the run** at their own step, before they reach the weights (row 6).
5. **The queue keeps what it has said it keeps,** and one broken run hides no other (rows 13, 14, 16).
6. **A token stays in the environment, and a run is its owner's alone** (rows 39, 40).

"""


def rows() -> list[tuple]:
    """Number, fault, what is wanted, and the trials."""
    from tests.faults import damage, disk, kills, processes, resume, secrets, store

    return [
        (1, "SIGKILL at any instant and at each file operation", "all resume, 1 interval lost at most", kills.row_1),
        (
            2,
            "a file of the newest checkpoint missing, halved, flipped",
            "100 % refused, the one before used",
            damage.row_2,
        ),
        (3, "disk full at the Nth write", "0 sealed checkpoints lost, failed as disk", disk.row_3),
        (4, "SIGTERM, also in evaluation, the first batch, to workers too", "all bit-exact", resume.row_4),
        (5, "resume from every checkpoint", "torch.equal", resume.row_5),
        (6, "NaN loss or gradient at step k", "stops at k, weights finite", resume.row_6),
        (7, "out of memory", "failed as memory, next job in 5 s", processes.row_7),
        (
            8,
            "Stop with children that ignore SIGTERM, in sessions of their own",
            "0 left in 10 s, 50/50",
            processes.row_8,
        ),
        (9, "SIGKILL of a loader worker", "named in 10 s, no hang", processes.row_9),
        (10, "engine, supervisor, trainer killed; pids reused", "true in 5 s, 0 wrong finished", processes.row_10),
        (11, "SIGKILL between log and save", "each step once", kills.row_11),
        (12, "a page that follows is stopped; 10 MB printed", "at least 95 % speed", processes.row_12),
        (13, "a writer to the database killed", "all acknowledged writes present", store.row_13),
        (14, "8 processes write at once", "4,000/4,000, never locked", store.row_14),
        (15, "two engines of a root; a run folder from two processes", "exactly one, 20/20", processes.row_15),
        (16, "broken run folders beside good ones", "all good ones listed", store.row_16),
        (17, "rotation", "1,000 sequences", damage.row_17),
        (39, "a canary token in HF_TOKEN", "0 hits", secrets.row_39),
        (40, "umask 000", "0 open to others", secrets.row_40),
    ]


def main(document: Path, only: list[str]) -> int:
    from rich.console import Console
    from rich.table import Table

    root = Path(os.environ["FAULTS"])
    os.environ.pop("LD_PRELOAD")  # it is in this process, and in those forked from it
    os.environ["FAULTS_LOG"] = str(root / "trials.log")
    warm(root / "warm")
    table, lines, failed = Table("row", "fault", "trials", "outcome", "wanted", "", "s"), [], 0
    for number, fault, wanted, trials in rows():
        if only and str(number) not in only:
            continue
        folder = root / str(number)
        folder.mkdir()
        began = time.monotonic()
        try:
            found = trials(folder)
        except Exception as error:
            found = Result(0, f"could not be tried: {type(error).__name__} {error}", False)
        seconds = round(time.monotonic() - began)
        failed += not found.passed
        cells = [number, fault, found.trials, found.outcome, wanted, "pass" if found.passed else "FAIL", seconds]
        table.add_row(*map(str, cells))
        print(" | ".join(map(str, cells)), flush=True)
        lines.append((cells, found.lacks))
        if found.passed:
            shutil.rmtree(folder, ignore_errors=True)
    Console().print(table)
    if not only:
        document.write_text(PROMISES + written(lines))
    return 1 if failed else 0


def written(lines: list[tuple[list, str]]) -> str:
    """The table in Markdown, and below it what the rows do not show."""
    head = "| row | fault | trials | outcome | wanted | | seconds |\n|--:|---|--:|---|---|---|--:|\n"
    table = "".join(f"| {' | '.join(map(str, cells))} |\n" for cells, _ in lines)
    lacks = "".join(f"- Row {cells[0]}: {lacks}.\n" for cells, lacks in lines if lacks)
    return f"{head}{table}\nWhat the rows do not show:\n\n{lacks}"


def warm(folder: Path) -> None:
    """Has what each trial would otherwise do anew, once: imports, tables of weight names, a look through memory."""
    from transformers import AutoModelForSequenceClassification, BertConfig
    from transformers.utils import logging

    from tests.training import scaling

    logging.disable_progress_bar()
    AutoModelForSequenceClassification.from_config(BertConfig(**scaling.TEXT)).save_pretrained(folder)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    if "FAULTS" not in os.environ:
        preload(Path(tempfile.mkdtemp(prefix="studio-faults-")), "tests.faults", sys.argv[1:])
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
