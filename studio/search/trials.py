"""Child runs of a comparison or a search: each is queued once, resumed where it stopped, and waited for.

They are ordinary runs in FOLDER/trials, which the engine starts on the devices there are. Names of runs lead to them
as to all others, since the run root links to each by a name that no other comparison gives: <FOLDER's name>-<child>.
"""

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from studio.config import Data, ModelChoice
from studio.errors import RequestError
from studio.fields import to_flags
from studio.jobs import control, engine, start
from studio.jobs.following import follow
from studio.jobs.queue import Queue
from studio.jobs.standing import Standing, standing
from studio.model_folder import located
from studio.recipe import Recipe, check_files, frozen

PLAN, RESULT = "trials.json", "comparison.json"  # what is compared, and what came of it so far
TRIALS = "trials"
_SAVES_S = 600.0  # that a child is given to save what it has come to
_WAKES_S = 10.0  # between two looks whether the engine lives; it takes a while to come up
_NAME = 40  # characters of a value in a folder's name
# Settings that say how rows are divided: they would change nothing where a division is taken over.
_DIVIDING = ("group_column_name", "near_duplicates", "drop_overlap")


class Trials:
    """The children of one folder.

    Args:
        folder: of the comparison or search.
        root: the run root, whose queue they go through.
    """

    def __init__(self, folder: Path, recipe: Recipe, root: Path):
        self.folder, self.recipe, self.root = folder.resolve(), recipe, root.resolve()

    def place(self, child: str) -> Path:
        """The run folder of a child."""
        return self.folder / TRIALS / f"{self.folder.name}-{child}"

    def check(self, children: dict[str, dict[str, Any]]) -> None:
        """Makes sure that the children can be started, as far as it shows before data and weights are read.

        Args:
            children: settings by the child's name.

        Raises:
            RequestError: the recipe's own parser refuses the settings of one, or its name in the run root is taken.
        """
        for child, values in children.items():
            for group in self.recipe.parse(to_flags(values)).values():
                if isinstance(group, Data):
                    check_files(group)
                elif isinstance(group, ModelChoice):
                    located(group.model_name_or_path)
            link = self.root / self.place(child).name
            if link.exists() and link.resolve() != self.place(child):
                raise RequestError(
                    f"there is a run {link.name} in {self.root} already, which has nothing to do with {self.folder}: "
                    "name another --output_dir"
                )

    def carry_out(self, child: str, settings: dict[str, Any], told: Callable[[str], None]) -> Standing:
        """Has a child trained unless it is finished, and waits for it; returns how it ended.

        Args:
            told: is handed what it prints.

        Raises:
            RequestError: it cannot be started.
            KeyboardInterrupt: came meanwhile; the child has been stopped, and saved.
        """
        folder, said = self.place(child), 0
        now = standing(folder)
        if now.state == "finished":
            return now
        if (folder / "train.log").exists():
            said = (folder / "train.log").stat().st_size
        try:
            if now.state == "broken":
                self._begin(folder, settings)
            elif not now.going and now.state != "queued":
                start.resume(self.root, folder, [])
            woken = time.monotonic()
            for text in follow(folder, said):
                told(text)
                if time.monotonic() - woken > _WAKES_S:  # the engine may have been killed
                    engine.wake(self.root)
                    woken = time.monotonic()
        except KeyboardInterrupt:
            self._stop(folder)
            raise
        return standing(folder)

    def division(self, children: Iterable[str]) -> dict[str, Any]:
        """Settings by which a child takes the division into train, validation and test from the first that has one."""
        for child in children:
            if (self.place(child) / "splits").is_dir():
                return {"splits_from": str(self.place(child))} | dict.fromkeys(_DIVIDING)
        return {}

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps others from carrying out the same children meanwhile.

        Raises:
            RequestError: another process does.
        """
        with os.fdopen(os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RequestError(
                    f"process {lock.read().strip() or 'unknown'} is at work on {self.folder}: wait for it or stop it"
                ) from error
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def _begin(self, folder: Path, settings: dict[str, Any]) -> None:
        if folder.exists():
            raise RequestError(f"{folder} holds something that is no run: move it away")
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = [*to_flags(settings), "--output_dir", str(folder)]
        start.queue_run(self.root, str(self.recipe.path), flags, parent=self.folder.name)

    def _stop(self, folder: Path) -> None:
        """Has a child save what it has come to, or takes it out of the queue."""
        with contextlib.suppress(RequestError):  # it has begun, or ended, in this moment
            if standing(folder).state == "queued":
                Queue(self.root).cancel(folder)
                return
        with contextlib.suppress(RequestError):
            control.stop(folder, wait_s=_SAVES_S)


def settings_of(recipe: Recipe, argv: list[str]) -> dict[str, Any]:
    """The settings that flags stand for, as a run's config.yaml would keep them.

    Raises:
        RequestError: the recipe's parser refuses them, or one is about where a single run is kept and published.
    """
    settings = recipe.parse(argv)
    output = settings["output"]
    if flags := to_flags({name: value for name, value in vars(output).items() if value != getattr(type(output), name)}):
        flag = flags[0].partition("=")[0]
        raise RequestError(f"{flag} is for a single run, and this trains several: leave it out")
    return yaml.safe_load(frozen(settings))


def folder_names(values: Iterable[str]) -> dict[str, str]:
    """For each value the end of its run's name: letters, digits, '.', '_' and '-', and no two alike."""
    names: dict[str, str] = {}
    for value in values:
        plain = re.sub(r"[^A-Za-z0-9._]+", "-", value)[-_NAME:].strip("-._") or "value"
        name, count = plain, 1
        while name in names.values():
            name, count = f"{plain}-{count + 1}", count + 1
        names[value] = name
    return names
