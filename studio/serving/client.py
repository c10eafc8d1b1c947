"""Asks models from a process that has no torch: each is served by a child process, started when it is needed."""

import base64
import json
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from studio.errors import RequestError, RunError
from studio.evaluation import explanation
from studio.evaluation.explanation import Explanation
from studio.model_folder import model_folder
from studio.serving.api import MOST_BYTES
from studio.serving.guard import TOKEN
from studio.serving.tied import Tied

Item = str | tuple[str, str] | bytes  # a text, a pair of texts, the content of a picture file
Progress = Callable[[float], None]  # told now and then how many seconds a model has been loading

_LOADS_S = 180  # at most
_ANSWERS_S = 120  # at most, to one question
_LOOKS_S = 0.05  # between two questions whether a model is ready


@dataclass(frozen=True)
class Answer:
    """Labels with their probabilities, the best first; `given` are those that the model gives.

    With a `threshold` these are all that reach it, perhaps none.
    """

    scores: dict[str, float]
    given: list[str]
    threshold: float | None = None


@dataclass(frozen=True)
class About:
    """What a model takes and gives; `threshold` is None where a row has one label only."""

    task: str
    labels: list[str]
    threshold: float | None
    text_pairs: bool


class Models:
    """The models that are in memory for the page: at most `limit`, each until nobody has asked for `idle_s` seconds."""

    def __init__(self, limit: int = 2, idle_s: float = 600):
        self.limit = limit
        self.idle_s = idle_s
        self._servers: dict[Path, Server] = {}
        self._changed = threading.Condition()

    def ask(self, folder: Path, items: Sequence[Item], progress: Progress = lambda s: None) -> list[Answer]:
        """An answer for each of some texts, or for each of some pictures, from the model of a run or model folder.

        Raises:
            RequestError: there is no model, or an item is not what it takes.
            RunError: its process cannot be started or fails.
        """
        return self._asked(folder, lambda server: server.ask(items, progress))

    def explain(self, folder: Path, item: Item, label: str) -> Explanation:
        """Why a model gives a label to a text or picture, or does not.

        Raises:
            RequestError: there is no model or no such label, or the item is not what it takes, or takes too long.
            RunError: its process cannot be started or fails.
        """
        return self._asked(folder, lambda server: server.explain(item, label))

    def warm(self, folder: Path) -> None:
        """Lets a model begin to load, so that the answer to a question that is still being asked comes sooner.

        Raises:
            RequestError: there is no model.
        """
        with self.lease(folder):
            pass

    @contextmanager
    def lease(self, *folders: Path) -> Iterator[list["Server"]]:
        """The servers of some models, started side by side where they do not run, and kept until the block ends.

        Raises:
            RequestError: there is no model.
            RunError: all that may be loaded at once are being asked.
        """
        taken = []
        try:
            for folder in folders:
                taken.append(self._take(folder))
            yield taken
        finally:
            with self._changed:
                for server in taken:
                    server.users -= 1
                    server.used = time.monotonic()
                self._changed.notify_all()

    def answer_file(
        self, folder: Path, source: Path, out: Path, text_column: str = "", text_pair_column: str = ""
    ) -> Iterator[tuple[int, int]]:
        """Writes `out`, a csv with the answers to every row of a table or every picture of a zip.

        Gives rows done and rows in all, again and again; when the iterator is closed, so is the work. A column that
        is not named is found.

        Raises:
            RequestError: there is no model, or the file is not what it takes.
            RunError: a process fails.
        """
        with self.lease(folder) as (server,), tempfile.TemporaryDirectory(prefix="studio-batch-") as unpacked:
            about = server.ready()
            arguments = (str(source), str(out), server.url, str(about.task == "image-classification"))
            environment = {TOKEN: server.token, "HF_DATASETS_CACHE": unpacked}
            child = Tied("studio.serving.batch", *arguments, text_column, text_pair_column, **environment)
            try:
                for line in child.lines:
                    told = json.loads(line)
                    yield told["done"], told["total"]
                if child.process.wait():
                    raise child.fault()
            finally:
                child.end()

    def loaded(self) -> list[Path]:
        """The folders whose models are in memory or on their way there."""
        with self._changed:
            return [server.folder for server in self._servers.values() if server.alive()]

    def unload(self) -> int:
        """Ends the servers that nobody is asking now; how many that were."""
        with self._changed:
            idle = [server for server in self._servers.values() if not server.users]
            return sum([self._end(server) for server in idle])

    def _asked(self, folder: Path, question: Callable[["Server"], Any]) -> Any:
        """What a server answers; a new one is asked where the first leaves meanwhile."""
        for again in (False, True):
            with self.lease(folder) as (server,):
                try:
                    return question(server)
                except ServerGone:  # killed, or it has just left because it was idle
                    if again:
                        raise
        raise AssertionError

    def _take(self, folder: Path) -> "Server":
        stamp = _stamp(folder)
        with self._changed:
            server = self._servers.get(folder)
            if server and not server.users and (server.stamp != stamp or not server.alive()):
                self._end(server)
                server = None
            elif server and not server.alive():  # those who were asking it are about to be told
                del self._servers[folder]
                server = None
            if server is None:
                self._make_room()
                server = self._servers[folder] = Server(folder, stamp, self.idle_s)
            server.users += 1
            return server

    def _make_room(self) -> None:
        deadline = time.monotonic() + _ANSWERS_S
        while len(self._servers) >= self.limit:
            idle = [server for server in self._servers.values() if not server.users]
            if idle:
                self._end(min(idle, key=lambda server: server.used))
            elif not self._changed.wait(deadline - time.monotonic()):
                raise RunError(f"{self.limit} other models are being asked: wait until one of them is done")

    def _end(self, server: "Server") -> bool:
        """Whether it still ran."""
        was_alive = server.alive()
        del self._servers[server.folder]
        server.end()
        return was_alive


class ServerGone(RunError):
    """The process of a model has ended while it was asked."""


class Server:
    """The process that serves one model; `stamp` tells which files it has read."""

    def __init__(self, folder: Path, stamp: tuple[int, ...], idle_s: float):
        self.folder = folder
        self.stamp = stamp
        self.users = 0
        self.began = self.used = time.monotonic()
        self.token = secrets.token_urlsafe(32)
        self._child = Tied("studio.serving.server", str(folder), str(idle_s), **{TOKEN: self.token})
        self._getting_ready = threading.Lock()
        self._about: About | None = None
        self.url = ""
        self._http = httpx2.Client(
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=_ANSWERS_S,
            trust_env=False,  # a proxy has no part in what stays on this machine
            verify=False,  # nor have certificates, whose reading takes time
        )

    def alive(self) -> bool:
        return self._child.alive()

    def ready(self, progress: Progress = lambda s: None) -> About:
        """Waits until the model is loaded.

        Raises:
            RequestError: it cannot be loaded.
            RunError: its process has ended, or takes too long.
        """
        with self._getting_ready:
            if self._about is None:
                self._about = self._wait(progress)
            return self._about

    def ask(self, items: Sequence[Item], progress: Progress = lambda s: None) -> list[Answer]:
        """An answer for each item; see Models.ask."""
        about = self.ready(progress)
        if about.task == "image-classification":
            found = [self._post("/predict", item, "application/octet-stream") for item in items]
        else:
            question = {"inputs": list(map(_input, items))}
            found = self._post("/predict", json.dumps(question).encode(), "application/json")
        return [_answer(each, about) for each in found]

    def explain(self, item: Item, label: str) -> Explanation:
        """Why it gives a label to an item, or does not; see Models.explain."""
        self.ready()
        question = {"inputs": _input(item), "parameters": {"label": label}}
        return explanation.read(self._post("/explain", json.dumps(question).encode(), "application/json"))

    def end(self) -> None:
        self._http.close()
        self._child.end()

    def _wait(self, progress: Progress) -> About:
        port = self._child.lines.readline().strip()
        self.url = f"http://127.0.0.1:{port.decode()}"
        while port:
            progress(time.monotonic() - self.began)
            answer = self._told("GET", "/ready")
            if answer.status_code == 200:
                return About(**answer.json())
            if answer.status_code != 503:
                raise RunError(_reason(answer))
            if time.monotonic() - self.began > _LOADS_S:
                self._child.end()
                raise RunError(f"the model of {self.folder.name} is not loaded after {_LOADS_S} s: is it too large?")
            time.sleep(_LOOKS_S)
        raise self._gone()

    def _post(self, path: str, body: bytes, kind: str) -> Any:
        if len(body) > MOST_BYTES:
            raise RequestError(f"this is larger than the {MOST_BYTES // 1_000_000} MB that a model is asked at once")
        answer = self._told("POST", path, content=body, headers={"Content-Type": kind})
        if answer.status_code >= 500:
            raise RunError(_reason(answer))
        if answer.status_code >= 400:
            raise RequestError(_reason(answer))
        return answer.json()

    def _told(self, method: str, path: str, **more: Any) -> httpx2.Response:
        try:
            return self._http.request(method, self.url + path, **more)
        except httpx2.TimeoutException as error:
            raise RunError(f"the model of {self.folder.name} does not answer within {_ANSWERS_S} s") from error
        except httpx2.TransportError as error:
            raise self._gone() from error

    def _gone(self) -> RequestError | ServerGone:
        fault = self._child.fault()
        return fault if isinstance(fault, RequestError) else ServerGone(str(fault))


def _stamp(folder: Path) -> tuple[int, ...]:
    """Changes when the folder holds another model; raises RequestError when it holds none."""
    try:
        states = [file.stat() for file in sorted(model_folder(folder).iterdir())]
    except OSError as error:
        raise RequestError(f"the model of {folder.name} is gone: choose another run") from error
    return tuple(number for state in states for number in (state.st_ino, state.st_mtime_ns))


def _input(item: Item) -> Any:
    """An item as JSON."""
    if isinstance(item, tuple):
        return {"text": item[0], "text_pair": item[1]}
    return base64.b64encode(item).decode() if isinstance(item, bytes) else item


def _answer(found: Any, about: About) -> Answer:
    if isinstance(found, dict):
        raise RequestError(found["error"])
    scores = {each["label"]: each["score"] for each in found}
    if about.threshold is None:
        return Answer(scores, list(scores)[:1])
    return Answer(scores, [label for label, score in scores.items() if score >= about.threshold], about.threshold)


def _reason(answer: httpx2.Response) -> str:
    try:
        return answer.json()["error"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return f"the model's process answers with {answer.status_code}"
