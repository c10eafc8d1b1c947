"""The processes that prepare batches: what is meant to stop the training must not end them first."""

import functools
import os
import signal
import threading
from collections.abc import Callable

from torch.utils.data import DataLoader


def shield(loader: DataLoader) -> None:
    """Has a loader's workers pass over signals, but for their parent's own wish that they end.

    A worker that ends by a signal of somebody else fails the training, which could have saved itself. Service
    managers and launchers signal all processes of a job.
    """
    loader.worker_init_fn = functools.partial(_begin, loader.worker_init_fn)


def _begin(then: Callable[[int], None] | None, worker: int) -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # macOS cannot tell who has sent a signal
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_await_parent, args=(os.getppid(),), daemon=True).start()
    if then:
        then(worker)


def _await_parent(parent: int) -> None:
    sender = signal.sigwaitinfo({signal.SIGTERM}).si_pid
    while sender != parent and os.getppid() == parent:
        sender = signal.sigwaitinfo({signal.SIGTERM}).si_pid
    os._exit(0)  # as torch's own handler does
