"""Trains a network as the settings say; what every recipe does between reading its rows and scoring the result."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from safetensors.torch import load_file, save_file
from torch.utils.data import Dataset
from transformers import PreTrainedModel, TrainerCallback

from studio import launch
from studio.config import Augmentation, Balance, Strategy, Training
from studio.data.words import VariedTexts
from studio.models import layers, probe
from studio.runs import Run
from studio.training import auto, budget, features, probing, strategies
from studio.training.augmented import AugmentedTrainer
from studio.training.auto import Choice
from studio.training.trainer import StudioTrainer

_PROBED = 20_000  # rows; more make no better start
_REHEARSED = 128


def fit(
    network: PreTrainedModel,
    processor: Any,
    rows: dict[str, Dataset],
    labels: list[str],
    run: Run,
    augmentation: Augmentation,
    strategy: Strategy,
    balance: Balance,
    training: Training,
) -> StudioTrainer:
    """A trainer that holds the best network it found, ready for `finish`; goes on where a resumed run had stopped.

    Args:
        processor: the tokenizer or image processor, saved beside the weights.
        rows: the datasets train, validation and test, as text.tokenise or images.prepare make them.
        labels: class names in id order.
    """
    run.log("status", {"state": "running", "fitting": True})  # its time counts from here where runs are compared
    if run.rehearsal == "overfit_batch" and strategy.strategy in ("auto", "probe_then_full"):
        strategy = Strategy(strategy="full")  # a head that starts from a probe knows the batch by heart already
    plain = rows | {"train": rows["train"].plain()} if isinstance(rows["train"], VariedTexts) else rows
    choice = launch.from_rank_zero(lambda: _chosen(network, processor, plain, run, strategy, training))
    strategy, training = auto.settled(choice, strategy, training)
    start = _start(run)
    if start:
        probe.put(start, layers.last_linear(network))
        strategies.keep_statistics(network)
    if strategy.strategy == "scratch" and network.name_or_path:
        strategies.start_anew(network, training.seed)
    with _prepared(network, processor, plain, run, strategy) as (learner, learnt, callbacks):
        if learnt is plain:
            learnt = rows
        else:
            augmentation = _unheeded(augmentation)
        trainer = AugmentedTrainer(
            learner, training, learnt, processor, run, labels, augmentation=augmentation, balance=balance,
            strategy=strategy, evaluate_first=start is not None,
        )  # fmt: skip
        trainer.events.about = _told(learner, choice)
        for callback in callbacks:
            trainer.add_callback(callback)
        trainer.train(resume_from_checkpoint=run.last_good_checkpoint())  # None for a new run
    trainer.take_whole(rows)
    return trainer


def _unheeded(augmentation: Augmentation) -> Augmentation:
    """What is left of an augmentation where each row is looked at once; says so."""
    if augmentation != type(augmentation)() and launch.rank() == 0:
        print("  the features are those of the rows as they are: what Augmentation says is not heeded", flush=True)
    return type(augmentation)()


@contextlib.contextmanager
def _prepared(
    network: PreTrainedModel, processor: Any, rows: dict[str, Dataset], run: Run, strategy: Strategy
) -> Iterator[tuple[PreTrainedModel, dict[str, Dataset], list[TrainerCallback]]]:
    """What is trained, on which rows, with which callbacks; afterwards the network is whole and of its own kind."""
    name = strategy.strategy
    if name == "features" and (frozen := probing.parted(network, rows["train"], processor)):
        computed = {
            split: features.kept(
                run.folder / "features" / f"{split}.safetensors",
                run.writes,
                lambda split=split: probing.features(frozen, rows[split], processor),
            )
            for split in ("train", "validation")
        }
        with frozen.head() as head:
            yield head, computed, []
        return
    if name == "features":
        strategies.train_head(network)
    elif name == "partial":
        strategies.train_last_blocks(network, strategy.trained_blocks)
    adapted = strategies.add_lora(network, strategy) if name == "lora" else None
    yield network, rows, [strategies.Gradual(network, strategy)] if name == "gradual" else []
    if adapted:
        adapted.merge_and_unload()


def _chosen(
    network: PreTrainedModel,
    processor: Any,
    rows: dict[str, Dataset],
    run: Run,
    strategy: Strategy,
    training: Training,
) -> Choice:
    """What is trained and how, as the run has it where it goes on. A probe, where there is one, is left in the run."""
    kept = run.folder / "strategy.json"
    if run.resumed and kept.is_file():
        said = json.loads(kept.read_text())
        return Choice(**{name: said[name] for name in Choice.__dataclass_fields__})
    found = None
    if network.name_or_path and strategy.strategy in ("auto", "probe_then_full", "features"):
        most = _REHEARSED if run.rehearsal else _PROBED
        found = probing.probed(network, rows["train"], processor, most, training.seed)
    accuracy = found.accuracy if found else None
    sizes = len(rows["train"]), len(rows["validation"])
    choice = auto.choose(strategy, training, network, *sizes, network.config.num_labels, accuracy)
    if found:
        (run.folder / "features").mkdir(exist_ok=True)
        save_file({"weight": found.weight, "bias": found.bias}, run.folder / "features" / "probe.safetensors")
    auto.remember(run, choice, probe_accuracy=accuracy)
    return choice


def _start(run: Run) -> probe.Probe | None:
    """The probe that the run begins with, if it has one."""
    file = run.folder / "features" / "probe.safetensors"
    return probe.Probe(**load_file(file), accuracy=float("nan")) if file.is_file() else None


def _told(network: PreTrainedModel, choice: Choice) -> dict[str, Any]:
    """Prints what is trained, and why; returns what of it the run's events keep."""
    trained, all_of_them = budget.trainable(network)
    if launch.rank() == 0:
        print(f"strategy {choice.strategy}: {trained:,} of {all_of_them:,} parameters are trained", flush=True)
        print("".join(f"  {reason}\n" for reason in choice.reasons), end="", flush=True)
    return {"strategy": choice.strategy, "trainable_parameters": trained, "parameters": all_of_them}
