"""Puts the page on the network: one address, one port, never moved silently, and open to this machine alone.

On a Hugging Face Space (SPACE_ID is set) everybody may use the Try screen, and who logs in with the Space's secret
STUDIO_TOKEN the rest as well.
"""

import contextlib
import ipaddress
import os
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)  # else each event sums up all events, more slowly each time

import psutil
import uvicorn
from fastapi import FastAPI

from studio.errors import RequestError
from studio.store import run_root
from studio.ui.build import build
from studio.ui.login import TOKEN, Login
from studio.ui.mount import mounted
from studio.ui.security import Guard

_SPACE = ("0.0.0.0", 7860)  # where a Space is expected
_CONNECTIONS = 512
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def serve(host: str, port: int) -> None:
    """Serves the page until it is interrupted.

    Raises:
        RequestError: the port is taken, the address is not this machine's, or others could reach it without a login.
    """
    space = "SPACE_ID" in os.environ
    if space:
        host, port = _SPACE
    login = Login.from_environment(secure=space)
    if not (login or space or _is_loopback(host)):
        raise RequestError(
            f"--host {host} lets others reach the page, and with it train on this machine: set {TOKEN} to a secret of "
            "16 characters or more, which the page then asks for, or leave --host out"
        )
    bound = _bind(host, port)
    os.umask(0o077)  # what is uploaded and what jobs write is the owner's alone
    cache = _clean_cache(run_root(), port)
    guard = Guard(
        *_applications(space, login),
        hosts=_hosts(host, port, space),
        cache=cache,
        login=login,
        frame_ancestors="https://huggingface.co" if space else "'none'",
    )
    print(f"Fine-tuning studio: http://{_as_host(host)}:{port}", flush=True)
    settings = uvicorn.Config(guard, log_level="warning", server_header=False, limit_concurrency=_CONNECTIONS)
    uvicorn.Server(settings).run(sockets=[bound])


def _applications(space: bool, login: Login | None) -> tuple[FastAPI, FastAPI | None]:
    """The page for who may do everything, and the one for visitors where there is one."""
    root = run_root()
    if not space:
        return mounted(build(root)), None
    visitors = mounted(build(root, only_try=True), show_error=False)
    if login is None:
        return visitors, None
    page = mounted(build(root))
    start_page = page.router.lifespan_context

    @contextlib.asynccontextmanager
    async def start_both(app: FastAPI) -> AsyncIterator[None]:
        async with visitors.router.lifespan_context(visitors), start_page(app):
            yield

    page.router.lifespan_context = start_both
    return page, visitors


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hosts(host: str, port: int, space: bool) -> set[str]:
    """The names, with the port, under which the page may be asked for.

    Bound to every address, it answers to the names and addresses of this machine, and to those of $STUDIO_HOSTS, which
    a machine that forwards to this one (a container's host, a proxy) is known by.
    """
    names = {*_LOOPBACK, _as_host(host)}
    if host in ("0.0.0.0", "::"):
        names |= {socket.gethostname(), socket.getfqdn()}
        addresses = [entry for entries in psutil.net_if_addrs().values() for entry in entries]
        families = (socket.AF_INET, socket.AF_INET6)
        names |= {_as_host(entry.address.split("%")[0]) for entry in addresses if entry.family in families}
    named = {f"{name}:{port}" for name in names} | (names if port == 80 else set())
    if space:
        named.add(os.environ.get("SPACE_HOST", ""))
    return (named | set(os.environ.get("STUDIO_HOSTS", "").split(","))) - {""}


def _as_host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends at once (no Nagle, which costs 40 ms an answer) only where the protocol is told
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was closed a moment ago is free
    try:
        bound.bind((host, port))
        bound.listen(128)  # before this, another page could take the same port
    except OSError as error:
        bound.close()
        if owner := _owner(port):
            raise RequestError(f"--port {port} is taken by {owner}: stop it, or name another port") from error
        raise RequestError(f"--host {host} --port {port} cannot be used ({error.strerror}): name another") from error
    return bound


def _owner(port: int) -> str:
    """The process that listens on a port, as far as it may be known; nothing when nobody does."""
    try:
        listening = [
            c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr.port == port
        ]
    except psutil.AccessDenied:  # macOS tells only root
        return "another process"
    for connection in listening:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(connection.pid)
            return f"process {process.pid} ({' '.join(process.cmdline())[:80]})"
    return "a process of another user" if listening else ""


def _clean_cache(root: Path, port: int) -> Path:
    """An empty folder for uploads, told to Gradio; whoever holds the port owns it, so no other page uses it."""
    cache = root / ".page" / str(port)
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(mode=0o700, parents=True)
    os.environ["GRADIO_TEMP_DIR"] = str(cache)
    return cache
