"""What must be right about the process before torch is imported: ranks, threads, the Hub in reach, the log."""

import contextlib
import os
import re
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeVar

from studio.errors import RequestError

if TYPE_CHECKING:
    from accelerate import PartialState

T = TypeVar("T")

_FILES = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet", ".gz", ".zip", ".xlsx"}
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def rank() -> int:
    """This process's place among those of the job; 0 when it is alone."""
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    """How many processes the launcher started for this job."""
    return int(os.environ.get("WORLD_SIZE", 1))


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_launcher() -> None:
    """Refuses a launch of which Accelerate silently runs one process only.

    `accelerate launch --cpu --num_processes 2` (and a configuration of the type MULTI_CPU) announces several
    processes by MASTER_ADDR and starts one, without RANK and WORLD_SIZE (accelerate 1.15, simple_launcher).
    """
    by_accelerate = "ACCELERATE_MIXED_PRECISION" in os.environ
    if by_accelerate and "MASTER_ADDR" in os.environ and "WORLD_SIZE" not in os.environ:
        script = " ".join(sys.argv)
        raise RequestError(
            "accelerate was asked for several processes on the CPU and started only one. "
            f"Several CPU processes start by `accelerate launch --multi_gpu --num_processes 2 {script}` "
            f"(which needs no GPU) or by `torchrun --nproc_per_node 2 {script}`"
        )


def set_threads() -> None:
    """Gives each process its share of the cores where a launcher has set one thread without being asked.

    Accelerate and torchrun export OMP_NUM_THREADS=1, which makes training on a CPU about 1.5 times slower.
    """
    by_launcher = "ACCELERATE_MIXED_PRECISION" in os.environ or "RANK" in os.environ
    if by_launcher and os.environ.get("OMP_NUM_THREADS") == "1":
        os.environ["OMP_NUM_THREADS"] = str(max(1, cores() // int(os.environ.get("LOCAL_WORLD_SIZE", 1))))


def command(processes: int, here: bool = False) -> list[str]:
    """How a job of so many processes is started, up to the name of the recipe.

    Args:
        here: by this very Python, whatever Accelerate is configured to do elsewhere, instead of as a person types it.
    """
    if processes == 1:
        return [sys.executable if here else "python"]
    accelerate = ["accelerate", "launch"]
    if here:
        accelerate = [sys.executable, "-m", "accelerate.commands.launch", "--gpu_ids", "all"]
        accelerate += ["--num_machines", "1", "--machine_rank", "0", "--main_process_port", "0"]
    return [*accelerate, "--multi_gpu", "--num_processes", str(processes)]


@contextlib.contextmanager
def environment_kept() -> Iterator[None]:
    """What the block settles for a training process is forgotten after it, where other jobs are started from."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        if "huggingface_hub" in sys.modules and not before.get("HF_HUB_OFFLINE"):
            sys.modules["huggingface_hub"].constants.HF_HUB_OFFLINE = False


def use_one_gpu() -> None:
    """Keeps a process that is alone to one GPU: over several the Trainer would fall back on the slow DataParallel.

    `accelerate launch` starts a process for each of them instead.
    """
    if "WORLD_SIZE" not in os.environ:
        os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]


def be_quiet() -> None:
    """Keeps the libraries' progress bars out of logs and off the screens of ranks other than zero, and their hints
    to developers away from everybody."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if rank() != 0 or not sys.stderr.isatty():
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # transformers heeds it as well
        os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"


def missing_file(name: str) -> bool:
    """Whether a name stands for a file or folder here, rather than for something on the Hub, and there is none."""
    local = Path(name).suffix.lower() in _FILES or name.startswith((".", "/", "~")) or name.count("/") > 1
    return local and not Path(name).expanduser().exists()


def settle_hub(names: Iterable[str | None]) -> None:
    """Goes offline at once when a name needs the Hub and the Hub does not answer.

    The libraries would try again for half a minute; offline they take what is cached or fail immediately.
    """
    here = ("sample:", "timm:", "baseline:")
    on_hub = [name for name in names if name and not name.startswith(here) and not Path(name).exists()]
    if not on_hub or os.environ.get("HF_HUB_OFFLINE"):
        return
    request = urllib.request.Request(os.environ.get("HF_ENDPOINT", "https://huggingface.co"), method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=4).close()
    except urllib.error.HTTPError:
        pass  # it answers, whatever it says
    except OSError as error:
        if isinstance(getattr(error, "reason", error), ssl.SSLError):
            return  # it answers; the libraries bring certificates of their own, which this Python may lack
        os.environ["HF_HUB_OFFLINE"] = "1"
        if "huggingface_hub" in sys.modules:  # it has read the variable already
            sys.modules["huggingface_hub"].constants.HF_HUB_OFFLINE = True


def rank_zero_first() -> contextlib.AbstractContextManager:
    """The other ranks enter the block when rank zero has left it, and find in its caches what it has prepared."""
    return contextlib.nullcontext() if world_size() == 1 else _processes().main_process_first()


def from_rank_zero(make: Callable[[], T]) -> T:
    """What `make` returns on rank zero, which alone calls it, on every rank."""
    if world_size() == 1:
        return make()
    from accelerate.utils import broadcast_object_list

    _processes()
    return broadcast_object_list([make() if rank() == 0 else None])[0]


def _processes() -> "PartialState":
    """The processes of this job, in touch with each other."""
    import torch
    from accelerate import PartialState

    # ranks wait while rank zero reads the data: longer than the ten minutes that NCCL allows by itself
    return PartialState(cpu=not torch.accelerator.is_available(), timeout=timedelta(hours=6))


class Tee:
    """A text stream that also goes to a log file, there without colours and without bars that redraw themselves.

    `screen` may be replaced while a progress bar is drawn.
    """

    def __init__(self, screen: TextIO, log: TextIO):
        self.screen = screen
        self.log = log

    def write(self, text: str) -> int:
        if "\r" not in text:
            with contextlib.suppress(OSError):  # a full disk: the job goes on as long as it can
                self.log.write(_COLOURS.sub("", text))
                self.log.flush()
        try:
            return self.screen.write(text)
        except OSError:
            return self._go_dark(text)

    def flush(self) -> None:
        try:
            self.screen.flush()
        except OSError:
            self._go_dark("")

    def _go_dark(self, text: str) -> int:
        """The pipe was closed, as by `head`, or the terminal: the job goes on, and the log has it all."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.screen.fileno())
        os.close(nowhere)
        return len(text)

    def isatty(self) -> bool:
        return self.screen.isatty()

    def fileno(self) -> int:
        return self.screen.fileno()

    @property
    def encoding(self) -> str:
        return self.screen.encoding
