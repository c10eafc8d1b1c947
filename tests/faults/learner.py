"""A recipe of a tiny BERT with dropout and accumulation: 8 steps, carried out as any recipe is, in a second."""

from collections.abc import Callable
from pathlib import Path

from studio import events
from studio.config import ModelChoice, TextData, Training
from studio.recipe import Recipe
from studio.runs import Run
from tests.training.test_stopping import figures, train

STEPS, INTERVAL = 8, 2
EVERY = {"eval_strategy": "steps", "eval_steps": INTERVAL}


def launch(folder: Path, *callbacks, learner: Callable = train, **settings) -> None:
    """Starts the run of a folder, or goes on with it; ends the process as the program does."""

    def finetune(data: TextData, model: ModelChoice, training: Training, run: Run) -> dict[str, float]:
        trainer = learner(run.folder, *callbacks, **(EVERY | settings))
        with run.writing_model() as finished:
            trainer.save_model(str(finished))
        return {}

    resume = ["--resume_from_checkpoint"] if (folder / "run.json").exists() else []
    recipe = Recipe(finetune, "Trial", "text-classification", {"dataset_name": "sample:tweets"})
    recipe.launch(["--output_dir", str(folder), *resume])


def same(one: Path, other: Path) -> bool:
    """Whether two runs have come to the same bits: the last step's weights, the best ones, and all figures."""
    files = ("model/model.safetensors", f"checkpoints/checkpoint-{STEPS}/model.safetensors")
    return figures(one) == figures(other) and all((one / f).read_bytes() == (other / f).read_bytes() for f in files)


def last_step(folder: Path) -> int:
    """The newest step that the event stream knows of."""
    return max((e.step for e in events.read(folder / "events.jsonl")[0] if e.kind == "metric"), default=0)


def last_good(folder: Path) -> int:
    """The step of the newest checkpoint that verifies; 0 without one."""
    return int((Run(folder, writes=False).last_good_checkpoint() or "-0").rsplit("-", 1)[1])
