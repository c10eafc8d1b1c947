"""What a job prints, as it prints it."""

import time
from collections.abc import Iterator
from pathlib import Path

from studio.jobs.standing import standing

_LOOKS_S = 0.3


def follow(folder: Path, offset: int = 0) -> Iterator[str]:
    """What is new in the log of a run, from byte `offset` on, at each look, until it has ended; often nothing."""
    log = folder / "train.log"
    while True:
        now = standing(folder)
        if log.exists():
            with log.open("rb") as file:
                file.seek(offset)
                yield file.read().decode("utf-8", "replace")
                offset = file.tell()
        else:
            yield ""
        if not now.going and now.state != "queued":
            return
        time.sleep(_LOOKS_S)
