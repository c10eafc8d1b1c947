"""Serves one model on this machine until it is told to end.

    python -m studio.serving.server FOLDER IDLE_S

is how studio.serving.client starts it: it picks a port that is free, tells it on stdout, and ends with its parent or
when nobody has asked for IDLE_S seconds.
"""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import uvicorn

from studio import launch
from studio.errors import RequestError, RunError
from studio.model_folder import model_folder
from studio.serving.api import create_app
from studio.serving.guard import LOOPBACK, TOKEN
from studio.serving.model import Model
from studio.serving.tied import end_with_parent

_KEEPS_S = 60  # a connection that is silent; longer than clients do, so that none asks on one that is closing


def serve(folder: Path, host: str, port: int, listening: Callable[[int], None], idle_s: float = float("inf")) -> None:
    """Serves the model in a folder; `listening` is called with the port before the model is loaded.

    Raises:
        RequestError: there is no model that can be loaded, or the address cannot be had.
    """
    model = Model(model_folder(folder))
    listener = _listener(host, port)
    app = create_app(model, os.environ.get(TOKEN))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_keep_alive=_KEEPS_S))
    faults = []

    def loaded(what_came: Future) -> None:
        if fault := what_came.exception():
            faults.append(fault)
            server.should_exit = True

    listening(listener.getsockname()[1])
    model.load(then=loaded)
    threading.Thread(target=_end_when_idle, args=(server, model, idle_s), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    if faults:
        raise faults[0]


def _listener(host: str, port: int) -> socket.socket:
    if host not in LOOPBACK:
        raise RequestError(f"--host {host}: models are served to this machine alone; give one of {', '.join(LOOPBACK)}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol is named so that asyncio switches off the delay that TCP adds to small packets (40 ms an answer)
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise RequestError(f"--port {port} on {host} cannot be had ({error.strerror}): give another") from error
    listener.listen()
    return listener


def _end_when_idle(server: uvicorn.Server, model: Model, idle_s: float) -> None:
    while model.idle_s() < idle_s:
        time.sleep(min(1.0, idle_s / 10))
    server.should_exit = True


def _tell_parent(port: int) -> None:
    print(port, flush=True)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no word for the parent


def main(folder: Path, idle_s: float) -> None:
    end_with_parent()
    launch.be_quiet()
    try:
        serve(folder, "127.0.0.1", 0, _tell_parent, idle_s)
    except (RequestError, RunError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, RequestError) else 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
