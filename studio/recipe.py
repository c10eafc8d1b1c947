"""A recipe: a function with typed settings that can be read from flags and YAML, launched and resumed."""

import contextlib
import json
import os
import shlex
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from studio import dry_run, failures, heartbeat, launch, overfit, stopping
from studio.config import Data, ModelChoice, Output, Training
from studio.errors import RequestError, RunError, redacted
from studio.fields import Parser, Settings, read_yaml, specs, to_flags, to_yaml
from studio.model_folder import BASELINES, located
from studio.runs import Run, new_folder
from studio.stopping import REQUEST, SIGNALS, Stopped
from studio.trainer_arguments import trainer_arguments

_REHEARSALS = {"dry_run": dry_run, "overfit_batch": overfit}


@dataclass(frozen=True)
class Recipe:
    """A function and what is particular to it.

    Args:
        run: takes settings groups and a Run, told by its annotations; returns the test metrics.
        task: the Hub's name of the task.
        sample_data: settings of a run that names no data: a sample and how to treat it.
        sample_model: settings of a run that names neither data nor model: a model that fits the sample.
        defaults: where all other runs deviate from the groups' defaults.
    """

    run: Callable[..., dict[str, float]]
    title: str
    task: str
    sample_data: dict[str, Any]
    sample_model: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The recipe's file."""
        return Path(self.run.__code__.co_filename)

    def groups(self) -> dict[str, type[Settings]]:
        """The settings classes by the name of the argument that takes them; "output" is for the launch alone."""
        hints = get_type_hints(self.run)
        own = {name: hint for name, hint in hints.items() if isinstance(hint, type) and issubclass(hint, Settings)}
        return own | {"output": Output}

    def parser(self, given: Mapping[str, str]) -> Parser:
        """The flags of this recipe, with the defaults that suit the settings that are `given`, by name."""
        sample = self.sample_data["dataset_name"]
        defaults = dict(self.defaults)
        if given.get("dataset_name", sample) == sample and "train_file" not in given:
            defaults |= self.sample_data
            if "model_name_or_path" not in given:
                defaults |= self.sample_model
        if given.get("model_name_or_path") in BASELINES:
            defaults.pop("learning_rate", None)  # that of a recipe is for the weights that it starts from
        about = (
            f"{self.run.__globals__['__doc__']}\n"
            "Settings can also stand in a YAML file: --config FILE (flags win). Every field of transformers'\n"
            "TrainingArguments is accepted besides those listed. --debug shows the traceback of an error;\n"
            "--dry_run --json and --overfit_batch --json print their figures for programs, in the last line.\n"
            "The values in brackets are those of a run on the sample; some suit the data and model that are named."
        )
        usage = f"python recipes/{self.path.name} [--config FILE] [--SETTING VALUE ...]"
        return Parser(self.groups().values(), defaults, about, usage)

    def parse(self, argv: list[str]) -> dict[str, Settings]:
        """The settings groups by argument name.

        Raises:
            RequestError: an unknown setting, a value of the wrong type or out of bounds, or a contradiction.
        """
        flags, argv = _config_first(argv)
        flags += argv
        parser = self.parser(_given(flags))
        instances, leftover = parser.settings(flags)
        settings = dict(zip(self.groups(), instances, strict=True))
        if leftover:
            _find(settings, Training).more = trainer_arguments(leftover, parser.names)
        return settings

    def launch(self, argv: list[str] | None = None) -> None:
        """Runs the recipe as a program: exit code 0, 1 for a failed run, 2 for a bad request."""
        argv = list(sys.argv[1:] if argv is None else argv)
        debug, as_json = "--debug" in argv, "--json" in argv and any(f"--{flag}" in argv for flag in _REHEARSALS)
        try:
            with contextlib.ExitStack() as stack:
                run, settings, created = self._start(
                    [w for w in argv if w != "--debug" and not (as_json and w == "--json")]
                )
                if run.rehearsal and run.writes:
                    stack.callback(shutil.rmtree, run.folder, ignore_errors=True)
                stack.enter_context(_logged(run))
                try:
                    self._carry_out(run, settings, created)
                    if run.rehearsal and run.writes:
                        rehearsal = _REHEARSALS[run.rehearsal]
                        told = rehearsal.figures(run, _find(settings, Training), launch.world_size())
                        print(json.dumps(told)) if as_json else rehearsal.show(told)
                        if not told.get("fitted", True):
                            raise RunError(told["verdict"])
                    elif not run.rehearsal:
                        _publish(run, settings["output"])
                except (RequestError, RunError) as error:
                    failures.tell(error)
                    raise
        except (RequestError, RunError, KeyboardInterrupt) as error:
            failures.tell(error)
            if debug:
                raise
            sys.exit({RequestError: 2, RunError: 1}.get(type(error), 130))

    def queue(self, argv: list[str], processes: int = 1, holds_queue: bool = False, parent: str | None = None) -> Run:
        """Makes the folder of a run that is to start later; leaves this process as it was.

        Args:
            parent: the id of the run that this one does again with other settings.

        Raises:
            RequestError: the settings cannot be carried out, as far as that shows before data and weights are read.
        """
        if flag := self.parse(argv)["output"].rehearsal:
            again = shlex.join([*launch.command(processes), f"recipes/{self.path.name}", *argv])
            raise RequestError(f"--{flag} keeps nothing, so there is nothing to queue: {again}")
        with launch.environment_kept():
            run, _, _ = self._start(argv, "queued", processes, holds_queue=holds_queue, parent=parent)
        run.unlock()
        return run

    def check_resume(self, run: Run, argv: list[str]) -> None:
        """Makes sure that a run could be resumed with these flags.

        Raises:
            RequestError: one of them asks for something else than the run was started with, or for a file that is
                not there.
        """
        check_files(_find(self._agreed(run, argv), Data))

    def _start(
        self,
        argv: list[str],
        state: str = "starting",
        processes: int | None = None,
        holds_queue: bool = False,
        parent: str | None = None,
    ) -> tuple[Run, dict[str, Settings], bool]:
        """The run folder, new or resumed, and its settings."""
        os.umask(0o077)  # run folders hold data: they are for their owner
        processes = processes or launch.world_size()
        launch.check_launcher()
        launch.set_threads()
        launch.use_one_gpu()
        launch.be_quiet()
        settings = self.parse(argv)
        output = settings["output"]
        if output.push_to_hub and launch.rank() == 0:
            from studio.export import hub

            hub.check(output.hub_model_id)
        if output.resume_from_checkpoint:
            run, settings = self._resumed(Path(output.output_dir), argv)
        data, model, training = (_find(settings, kind) for kind in (Data, ModelChoice, Training))
        check_files(data)
        launch.settle_hub([data.dataset_name, model.model_name_or_path])
        located(model.model_name_or_path)
        if not output.resume_from_checkpoint:
            folder = launch.from_rank_zero(lambda: _place(output, self.path.stem))
            run = Run(folder, writes=launch.rank() == 0)
            run.rehearsal = output.rehearsal
            command = launch.command(processes)
            again = shlex.join([*command, f"recipes/{self.path.name}", "--config", str(run.config)])
            header = (
                f"# {self.title}: runs again by\n#   {again}\n"
                "# It says what was run; where it is kept and published (--output_dir, --push_to_hub) is said anew.\n\n"
            )
            run.create(
                recipe=self.path.stem,
                task=self.task,
                command=[*command, f"recipes/{self.path.name}", *argv],
                start={
                    "recipe": str(self.path.absolute()),
                    "arguments": _later(output),
                    "processes": processes,
                    "cwd": str(Path.cwd()),
                    "holds_queue": holds_queue,
                },
                parent=parent,
                metric_for_best_model=training.metric_for_best_model,
                state=state,
                settings=header + frozen(settings),
                seed=training.seed,
            )
            launch.from_rank_zero(lambda: None)  # no rank goes on, or fails, before the folder is there
        return run, settings, not output.resume_from_checkpoint

    def _resumed(self, folder: Path, argv: list[str]) -> tuple[Run, dict[str, Settings]]:
        """A run to go on with, under the settings it was started with.

        Raises:
            RequestError: it is no run of this recipe, it is finished, or a flag asks for another setting.
        """
        run = Run(folder, writes=launch.rank() == 0)
        record = run.record()
        if record["recipe"] != self.path.stem:
            raise RequestError(f"{folder} is a run of recipes/{record['recipe']}.py: resume it with that recipe")
        if run.state() == "finished":
            raise RequestError(f"{folder} is finished: nothing is left to resume. Start a new run from its config.yaml")
        run.lock()
        run.resumed = True
        run.forget("train.rank*.log")
        if not os.environ.get("STUDIO_SUPERVISED"):  # else they are of this start, a request that came early too
            run.forget(REQUEST, "exit.json", "supervisor.json")
        elif run.state() == "cancelled":
            raise RequestError(f"{folder} was taken out of the queue while it was being started")
        return run, self._agreed(run, argv)

    def _agreed(self, run: Run, argv: list[str]) -> dict[str, Settings]:
        """The settings of a run, with what a resume may say anew.

        Raises:
            RequestError: a flag asks for another setting.
        """
        asked = self.parse(["--config", str(run.config), *argv])
        before, now = (yaml.safe_load(frozen(s)) for s in (self.parse(["--config", str(run.config)]), asked))
        # the rows themselves are compared by their ids, so that the data may lie elsewhere, as on another machine
        moved = {spec.name for spec in specs(type(_find(asked, Data))) if spec.path}
        for name, new in now.items():
            if new != before.get(name) and name not in moved:
                raise RequestError(
                    f"--{name} {new} differs from the run's own {before.get(name)}, and a resumed run keeps its "
                    f"settings: leave the flag out, or start a new run by --config {run.config} --{name} {new}"
                )
        return asked

    def _carry_out(self, run: Run, settings: dict[str, Settings], created: bool) -> None:
        """Calls the recipe's function and records how it went."""
        SIGNALS.listen()
        try:
            self._recorded(run, settings, created)
        finally:
            SIGNALS.listen()

    def _recorded(self, run: Run, settings: dict[str, Settings], created: bool) -> None:
        try:
            run.set_state("running")
            groups = {name: group for name, group in settings.items() if name != "output"}
            try:
                if launch.from_rank_zero(lambda: stopping.asked(run.folder)):
                    raise Stopped
                with heartbeat.beating(run):
                    self.run(**(_REHEARSALS[run.rehearsal].shorten(groups) if run.rehearsal else groups), run=run)
            finally:
                SIGNALS.deaf = True  # until it is written how the run has ended
            run.set_state("finished")
        except RequestError as error:
            run.set_state("failed", redacted(str(error)), "request")
            if created:
                run.discard()  # nothing was trained: what remains would only be in the way
            raise
        except KeyboardInterrupt as stop:
            if why := run.why_a_rank_failed():  # the launcher stops all ranks when one has failed
                raise self._failed(run, why) from stop
            saved = getattr(stop, "saved", False)
            again = [*launch.command(launch.world_size()), f"recipes/{self.path.name}", "--output_dir", str(run.folder)]
            run.set_state("stopped", "saved when asked to stop" if saved else "interrupted")
            if run.writes and not run.rehearsal:
                told = f"{shlex.join(again)} --resume_from_checkpoint"
                where = "where it stopped" if saved else "its last checkpoint"
                where = where if run.checkpoint_folders() else "its beginning"
                print(f"stopped. Go on from {where}: {told}", file=sys.stderr)
            raise
        except Exception as error:
            if stopping.asked(run.folder) in ("force", "discard"):  # what it works with is being ended around it
                run.set_state("stopped", "stopped by force: it goes on from its last checkpoint")
                raise Stopped from error
            failure = failures.failure(error)
            if failure.cause == "disk":
                run.make_room()
            if not run.writes:
                run.tell_rank_zero(launch.rank(), failure, redacted(traceback.format_exc()))
            with contextlib.suppress(OSError):
                run_log().write(redacted(traceback.format_exc()))
            raise self._failed(run, run.why_a_rank_failed() or failure) from error

    def _failed(self, run: Run, failure: RunError) -> RunError:
        """Records the failure; returns what the person is told."""
        with contextlib.suppress(OSError):  # a full disk may have no room for the state either
            run.set_state("failed", str(failure), failure.cause)
        where = f"The run is in {run.folder} (train.log has the details, --debug shows them here)"
        if run.rehearsal:
            what = "dry run" if run.rehearsal == "dry_run" else "trial on one batch"
            where = f"It was a {what}, of which nothing is kept (--debug shows the details)"
        return RunError(f"{failure}. {where}", failure.cause)


def _given(flags: list[str]) -> dict[str, str]:
    """The values of flags by name, as they are written; of several values the first."""
    found = {}
    for flag, following in zip_longest(flags, flags[1:], fillvalue=""):
        if flag.startswith("--"):
            name, equals, value = flag.removeprefix("--").partition("=")
            found[name] = value if equals else following
    return found


def _publish(run: Run, output: Output) -> None:
    """Puts the finished model on the Hub; a failure there leaves the run as it is."""
    if output.push_to_hub and run.writes:
        from studio.export import hub

        print(f"hub     {hub.push(run.model, output.hub_model_id, private=output.hub_private_repo)}")


def _config_first(argv: list[str]) -> tuple[list[str], list[str]]:
    """The flags that --config FILE stands for, and the remaining flags."""
    flags, rest, waiting = [], [], iter(argv)
    for word in waiting:
        if word == "--config" or word.startswith("--config="):
            file = word.partition("=")[2] or next(waiting, None)
            if file is None:
                raise RequestError("--config needs the name of a YAML file")
            flags += to_flags(read_yaml(file))
        else:
            rest.append(word)
    return flags, rest


def _place(output: Output, recipe: str) -> str:
    """The folder of a new run; a trial has one of its own on the same disk."""
    folder = Path(output.output_dir or new_folder(recipe))
    if not output.rehearsal:
        return str(folder)
    return tempfile.mkdtemp(prefix="dry-run-", dir=next(p for p in folder.absolute().parents if p.is_dir()))


def _later(output: Output) -> list[str]:
    """The flags that config.yaml does not hold and that differ from what they are by themselves."""
    of_this_start = ("output_dir", "resume_from_checkpoint", *_REHEARSALS)
    return to_flags(
        {
            s.name: v
            for s in specs(Output)
            if s.name not in of_this_start and (v := getattr(output, s.name)) != s.default
        }
    )


def check_files(data: Data) -> None:
    """Makes sure that the files and folders which the settings name are there.

    Raises:
        RequestError: one is not.
    """
    for spec in specs(type(data)):
        if spec.path and (name := getattr(data, spec.name)) and launch.missing_file(name):
            from studio.data.reading import files

            files.parts(Path(name), "text")  # says what is not there


def frozen(settings: dict[str, Settings]) -> str:
    """The settings as config.yaml keeps them: all but where the run is kept and published."""
    return to_yaml([group for name, group in settings.items() if name != "output"], _find(settings, Training).more)


def _find(settings: dict[str, Settings], kind: type) -> Any:
    return next(group for group in settings.values() if isinstance(group, kind))


@contextlib.contextmanager
def _logged(run: Run):
    """Copies what the job prints to train.log, on rank zero, unless a supervisor already does."""
    if not run.writes or os.environ.get("STUDIO_SUPERVISED"):
        yield
        return
    with (run.folder / "train.log").open("a") as log:
        screens = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = launch.Tee(sys.stdout, log), launch.Tee(sys.stderr, log)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = screens


def run_log():
    """Where a traceback goes that the person should not have to see: the log alone, or stderr under a supervisor."""
    return sys.stderr.log if isinstance(sys.stderr, launch.Tee) else sys.stderr
