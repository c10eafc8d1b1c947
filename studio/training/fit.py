"""Trains a network as the settings say; what every recipe does between reading its rows and scoring the result."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import Dataset
from transformers import PreTrainedModel

from studio import launch
from studio.config import Balance, Data, Strategy, Training
from studio.data import text
from studio.data.images import Pictures
from studio.models import layers, probe
from studio.models.frozen import Frozen
from studio.runs import Run
from studio.training import auto, budget, features, strategies
from studio.training.auto import Choice
from studio.training.batches import collator
from studio.training.trainer import StudioTrainer

_PROBED = 20_000  # rows; more make no better start
_REHEARSED = 128


def fit(
    network: PreTrainedModel,
    processor: Any,
    rows: dict[str, Dataset],
    labels: list[str],
    run: Run,
    data: Data,
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
    if run.rehearsal == "overfit_batch" and strategy.strategy in ("auto", "probe_then_full"):
        strategy = Strategy(strategy="full")  # a head that starts from a probe knows the batch by heart already
    seed = training.seed
    choice = launch.from_rank_zero(lambda: _chosen(network, processor, rows, labels, run, strategy, training))
    strategy, training = auto.settled(choice, strategy, training)
    start = _start(run)
    if start:
        probe.put(start, layers.last_linear(network))
    with _prepared(network, processor, rows, run, strategy, seed) as (learner, learnt_from, callbacks):
        trainer = StudioTrainer(
            learner,
            training,
            learnt_from,
            processor,
            run,
            labels,
            balance=balance,
            strategy=strategy,
            evaluate_first=start is not None,
        )
        for callback in callbacks:
            trainer.add_callback(callback)
        trainer.events.about = _told(learner, choice)
        trainer.train(resume_from_checkpoint=run.last_good_checkpoint())  # None for a new run
    trainer.take_whole(rows)
    return trainer


@contextlib.contextmanager
def _prepared(
    network: PreTrainedModel, processor: Any, rows: dict[str, Dataset], run: Run, strategy: Strategy, seed: int
) -> Iterator[tuple[PreTrainedModel, dict[str, Dataset], list]]:
    """What is trained, on which rows, with which callbacks; afterwards the network is whole and of its own kind."""
    name = strategy.strategy
    if name == "features" and (parted := _parted(network, processor, rows)):
        computed = {
            split: features.kept(run, split, lambda split=split: _compute(parted, processor, rows[split]))
            for split in ("train", "validation")
        }
        with parted.head() as head:
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
    labels: list[str],
    run: Run,
    strategy: Strategy,
    training: Training,
) -> Choice:
    """What is trained and how, told by the run where it goes on; a probe, where there is one, is left in the run."""
    kept = run.folder / "strategy.json"
    if run.resumed and kept.is_file():
        said = json.loads(kept.read_text())
        return Choice(**{name: said[name] for name in Choice.__dataclass_fields__})
    found = None
    if network.name_or_path and strategy.strategy in ("auto", "probe_then_full", "features"):
        found = _probe(network, processor, rows["train"], run, training.seed)
    choice = auto.choose(
        strategy, training, network, len(rows["train"]), len(labels), found.accuracy if found else None
    )
    if found:
        folder = run.folder / "features"
        folder.mkdir(exist_ok=True)
        save_file({"weight": found.weight, "bias": found.bias}, folder / "probe.safetensors")
    auto.remember(run, choice, probe_accuracy=found.accuracy if found else None)
    return choice


def _probe(network: PreTrainedModel, processor: Any, train: Dataset, run: Run, seed: int) -> probe.Probe | None:
    """A linear classifier for the network's last layer; None where that is not a linear one on one vector a row."""
    last = layers.last_linear(network)
    some = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
    some = some[: _REHEARSED if run.rehearsal else _PROBED].sort().values
    rows = train.plain(some) if isinstance(train, Pictures) else train.select(some.numpy())
    if last is None or not (parted := _parted(network, processor, {"train": rows})):
        return None
    computed = _compute(parted, processor, rows)
    seen = []
    hook = last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].flatten(1)))
    try:
        with parted.head() as head, torch.inference_mode():
            head.eval()
            head(**{computed.name: computed.values})
    finally:
        hook.remove()
    return probe.fit(seen[0].clone(), computed.labels, network.config.num_labels, seed)


def _parted(network: PreTrainedModel, processor: Any, rows: dict[str, Dataset]) -> Frozen | None:
    """The network in two parts, tried on a few training rows; None where it cannot be parted."""
    train = rows["train"]
    few = _inputs(train.select(range(min(4, len(train))))) if not isinstance(train, Pictures) else train
    batch = collator(train, processor)([few[at] for at in range(min(4, len(train)))])
    batch.pop("labels")
    try:
        return Frozen(network, dict(batch))
    except ValueError:
        return None


def _compute(parted: Frozen, processor: Any, rows: Dataset) -> features.Features:
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
    parted.network.to(device)
    inputs = rows.plain() if isinstance(rows, Pictures) else _inputs(text.by_length(rows))
    return features.compute(parted, inputs, collator(rows, processor), device)


def _inputs(rows: Dataset) -> Dataset:
    """Rows of texts with what a network takes and their labels alone."""
    return rows.remove_columns([name for name in ("row_id", "length") if name in rows.column_names])


def _start(run: Run) -> probe.Probe | None:
    """The probe that the run begins with, if it has one."""
    file = run.folder / "features" / "probe.safetensors"
    if not file.is_file():
        return None
    stored = load_file(file)
    return probe.Probe(stored["weight"], stored["bias"], float("nan"))


def _told(network: PreTrainedModel, choice: Choice) -> dict[str, Any]:
    """Prints what is trained, and why; returns what of it the run's events keep."""
    trained, all_of_them = budget.trainable(network)
    if launch.rank() == 0:
        print(f"strategy {choice.strategy}: {trained:,} of {all_of_them:,} parameters are trained", flush=True)
        print("".join(f"  {reason}\n" for reason in choice.reasons), end="", flush=True)
    return {"strategy": choice.strategy, "trainable_parameters": trained, "parameters": all_of_them}
