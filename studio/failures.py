"""What a person is told when a job ends badly: one paragraph with the remedy, once."""

import errno
import sys

from studio import launch
from studio.errors import RunError, redacted

OUT_OF_MEMORY = (
    "out of memory: halve --per_device_train_batch_size and double --gradient_accumulation_steps "
    "(same result), or set --activation_checkpointing"
)
# How safetensors and torch say that they could not write.
_NO_SPACE = ("No space left", "os error 28", "PytorchStreamWriter failed", "inline_container", "iostream error")


def failure(error: BaseException) -> RunError:
    """One sentence on why a run failed, with the remedy where there is one, and its cause in a word."""
    if isinstance(error, RunError):  # from a loader process it comes with that process's traceback before it
        told = redacted(str(error)).strip().splitlines()[-1]
        return RunError(told.removeprefix("studio.errors.RunError: "), error.cause)
    text = redacted(" ".join(str(error).split())) or type(error).__name__
    no_space = isinstance(error, OSError) and error.errno == errno.ENOSPC
    if no_space or any(sign in text for sign in _NO_SPACE):
        told = "the disk is full: make room (`df -h` shows how much there is) and resume, or lower --save_total_limit"
        return RunError(told, "disk")
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text.lower():
        return RunError(OUT_OF_MEMORY, "memory")
    if "DataLoader worker" in text:
        return RunError(
            "a process that prepares batches was killed, mostly because memory ran out: lower "
            "--dataloader_num_workers (0 prepares them in the training process)",
            "worker",
        )
    return RunError(f"{type(error).__name__}: {text.rstrip('.')}")


def tell(error: BaseException) -> None:
    """Prints a person's error once, naming the rank where it is not the first."""
    if not isinstance(error, KeyboardInterrupt) and not getattr(error, "told", False):
        rank = f"rank {launch.rank()}: " if launch.rank() else ""
        print(f"{rank}error: {redacted(str(error))}", file=sys.stderr)
        error.told = True
