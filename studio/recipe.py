"""A recipe: a function with typed settings that can be read from flags and YAML, launched and resumed."""

import contextlib
import errno
import importlib.util
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, get_type_hints

from studio import launch
from studio.config import Data, ModelChoice, Output, Training
from studio.errors import RequestError, RunError
from studio.fields import Parser, Settings, nearest, read_yaml, specs, to_flags, to_yaml
from studio.models.folder import located
from studio.runs import Run, new_folder

# Arguments of the Trainer that a recipe takes care of itself, and what to do instead.
_OWNED = {
    "hub_token": "a token on the command line ends up in logs: set HF_TOKEN or log in by `hf auth login`",
    "remove_unused_columns": "the recipe knows which columns its model needs",
    "load_best_model_at_end": "the best checkpoint is always loaded at the end",
    "save_strategy": "a checkpoint is saved at each validation: set --eval_strategy",
    "save_steps": "a checkpoint is saved at each validation: set --eval_steps",
    "train_sampling_strategy": "texts are always grouped by length, pictures shuffled",
    "logging_nan_inf_filter": "a loss that is not a number stops the run",
}


@dataclass(frozen=True)
class Recipe:
    """A function and what is particular to it.

    Args:
        run: takes settings groups and a Run, told by its annotations; returns the test metrics.
        task: the Hub's name of the task.
        sample: settings of a run that names neither data nor model: a sample and a model that fits it.
        defaults: where a run on a person's own data deviates from the groups' defaults.
    """

    run: Callable[..., dict[str, float]]
    title: str
    task: str
    sample: dict[str, Any]
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
        sample = self.sample["dataset_name"]
        own_data = given.get("dataset_name", sample) != sample or "train_file" in given
        if not own_data and "model_name_or_path" not in given:
            defaults = self.defaults | self.sample
        else:
            defaults = self.defaults | ({} if own_data else {"dataset_name": sample})
        about = (
            f"{self.run.__globals__['__doc__']}\n"
            "Settings can also stand in a YAML file: --config FILE (flags win). Every field of transformers'\n"
            "TrainingArguments is accepted besides those listed. --debug shows the traceback of an error."
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
            _find(settings, Training).more = _trainer_arguments(leftover, parser.names)
        return settings

    def launch(self, argv: list[str] | None = None) -> None:
        """Runs the recipe as a program: exit code 0, 1 for a failed run, 2 for a bad request."""
        argv = list(sys.argv[1:] if argv is None else argv)
        debug = "--debug" in argv
        os.umask(0o077)  # run folders hold data: they are for their owner
        try:
            run, settings, created = self._start([flag for flag in argv if flag != "--debug"])
            with _logged(run):
                try:
                    self._carry_out(run, settings, created)
                    _publish(run, settings["output"])
                except (RequestError, RunError) as error:
                    _tell(error)
                    raise
        except (RequestError, RunError, KeyboardInterrupt) as error:
            _tell(error)
            if debug:
                raise
            sys.exit({RequestError: 2, RunError: 1}.get(type(error), 130))

    def _start(self, argv: list[str]) -> tuple[Run, dict[str, Settings], bool]:
        """The run folder, new or resumed, and its settings."""
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
        launch.settle_hub([data.dataset_name, model.model_name_or_path])
        located(model.model_name_or_path)
        if not output.resume_from_checkpoint:
            folder = launch.shared_name(output.output_dir or str(new_folder(self.path.stem)))
            run = Run(folder, writes=launch.rank() == 0)
            frozen = to_yaml([group for group in settings.values() if group is not output], training.more)
            header = (
                f"# {self.title}: runs again by\n#   python recipes/{self.path.name} --config {run.config}\n"
                "# It says what was run; where it is kept and published (--output_dir, --push_to_hub) is said anew.\n\n"
            )
            run.create(
                recipe=self.path.stem,
                task=self.task,
                command=["python", *sys.argv],
                settings=header + frozen,
                seed=training.seed,
            )
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
        asked = self.parse(["--config", str(run.config), *argv])
        before = self.parse(["--config", str(run.config)])
        for name, group in before.items():
            for spec in specs(type(group)):
                old, new = getattr(group, spec.name), getattr(asked[name], spec.name)
                if old != new and not isinstance(group, Output):
                    raise RequestError(
                        f"--{spec.name} {new} differs from the run's own {old}, and a resumed run keeps its settings: "
                        f"leave the flag out, or start a new run by --config {run.config} --{spec.name} {new}"
                    )
        return run, asked

    def _carry_out(self, run: Run, settings: dict[str, Settings], created: bool) -> None:
        """Calls the recipe's function and records how it went."""
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            run.set_state("running")
            self.run(**{name: group for name, group in settings.items() if name != "output"}, run=run)
            run.set_state("finished")
        except RequestError as error:
            run.set_state("stopped", str(error))
            if created:
                run.discard()  # nothing was trained: what remains would only be in the way
            raise
        except KeyboardInterrupt:
            again = f"python recipes/{self.path.name} --output_dir {run.folder} --resume_from_checkpoint"
            run.set_state("stopped", "interrupted")
            if run.writes:
                print(f"stopped. Go on from the last checkpoint: {again}", file=sys.stderr)
            raise
        except Exception as error:
            traceback.print_exc(file=run_log())
            reason = _reason(error)
            with contextlib.suppress(OSError):  # a full disk may have no room for the state either
                run.set_state("failed", reason)
            where = f"{reason}. The run is in {run.folder} (train.log has the details, --debug shows them here)"
            raise RunError(where) from error


def find(folder: Path) -> list[Recipe]:
    """The recipes in a folder, by file name; what is no recipe is passed over."""
    found = []
    for file in sorted(folder.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"recipe_{file.stem}", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if isinstance(getattr(module, "RECIPE", None), Recipe):
            found.append(module.RECIPE)
    return found


def _tell(error: BaseException) -> None:
    """Prints a person's error once, naming the rank where it is not the first."""
    if not isinstance(error, KeyboardInterrupt) and not getattr(error, "told", False):
        rank = f"rank {launch.rank()}: " if launch.rank() else ""
        print(f"{rank}error: {error}", file=sys.stderr)
        error.told = True


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


def _trainer_arguments(flags: list[str], own_names: list[str]) -> dict[str, Any]:
    """Flags that are no settings of ours, read as fields of TrainingArguments; only those that were given.

    Raises:
        RequestError: the Trainer does not know a flag either, or the recipe takes care of it.
    """
    for flag in flags:
        name = flag.lstrip("-").partition("=")[0]
        if flag.startswith("--") and name in _OWNED:
            raise RequestError(f"--{name} cannot be set: {_OWNED[name]}")

    from transformers import HfArgumentParser, TrainingArguments

    parser = HfArgumentParser(TrainingArguments, allow_abbrev=False, argument_default=None, add_help=False)
    known = {action.dest for action in parser._actions}
    for flag in flags:
        name = flag.lstrip("-").partition("=")[0].replace("-", "_")
        if flag.startswith("--") and name not in known:
            raise RequestError(f"unknown setting --{name} ({nearest(name, [*own_names, *known])})")
    parser.error = _refuse
    for action in parser._actions:
        action.default = None
        action.required = False
    values, unknown = parser.parse_known_args(flags)
    if unknown:
        raise RequestError(f"{unknown[0]!r} follows no setting: write --NAME VALUE (--help lists every setting)")
    found = {name: value for name, value in vars(values).items() if value is not None}
    for tracker in {"wandb", "trackio", "mlflow"} & set(str(found.get("report_to", "")).split(",")):
        if importlib.util.find_spec(tracker) is None:
            raise RequestError(f"--report_to {tracker} needs that package: pip install {tracker}")
    return found


def _refuse(message: str) -> None:
    raise RequestError(message.removeprefix("argument "))


def _find(settings: dict[str, Settings], kind: type) -> Any:
    return next(group for group in settings.values() if isinstance(group, kind))


def _interrupt(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _reason(error: BaseException) -> str:
    """One sentence on why a run failed, with the remedy where there is one."""
    if isinstance(error, RunError):  # from a loader process it comes with that process's traceback before it
        return str(error).strip().splitlines()[-1].removeprefix("studio.errors.RunError: ")
    text = " ".join(str(error).split()) or type(error).__name__
    no_space = isinstance(error, OSError) and error.errno == errno.ENOSPC
    if no_space or "No space left" in text or "os error 28" in text or "PytorchStreamWriter failed" in text:
        return "the disk is full: make room (`df -h` shows how much there is) and resume, or lower --save_total_limit"
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text.lower():
        return (
            "out of memory: halve --per_device_train_batch_size and double --gradient_accumulation_steps "
            "(same result), or set --activation_checkpointing"
        )
    return f"{type(error).__name__}: {text.rstrip('.')}"


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
