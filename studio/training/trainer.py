"""StudioTrainer: the Hugging Face Trainer with the studio's house rules."""

import contextlib
import math
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, Dataset, Sampler, SequentialSampler
from transformers import (
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
from transformers.utils import logging

from studio import events
from studio.config import Balance, Strategy, Training
from studio.data.images import Pictures
from studio.data.words import VariedTexts
from studio.errors import RequestError, RunError
from studio.evaluation import metrics, modules, multilabel
from studio.runs import ASIDE, Run, manifest_fault, size_bytes
from studio.stopping import SIGNALS, Stopped
from studio.training import balancing, optimizers, rates, schedules, workers
from studio.training.arguments import training_arguments
from studio.training.average import Average
from studio.training.batches import collator
from studio.training.callbacks import (
    EarlyStopping,
    Events,
    NewEpoch,
    ProgressBar,
    SealCheckpoints,
    StoppedInEvaluation,
    StopWhenAsked,
    StopWhenFitted,
)
from studio.training.diagnosis import Diagnosis
from studio.training.findings import label_counts
from studio.training.sampling import LengthGrouped, Shuffled

NOT_EVALUATED = "not_evaluated"  # in a checkpoint: its evaluation was broken off


class StudioTrainer(Trainer):
    """A Trainer for classifiers of texts or pictures.

    It differs from the Trainer in this: the loss is scaled right for every architecture; texts are grouped by
    length in an order that follows from seed and epoch; 16-bit floats and the channels-last layout are used where
    they pay; evaluation keeps the order of its rows; what happens is written to the run's event stream.

    Args:
        network: a classifier whose outputs have logits of shape (batch, classes).
        tokens: the datasets "train" and "validation", as text.tokenise or images.prepare make them.
        processor: the tokenizer or image processor, saved beside the weights.
        labels: class names in id order.
        balance: what is done about classes of different sizes; nothing when None.
        strategy: gives the learning rates of the network's parts.
        evaluate_first: whether the network is good enough as it is to be the first checkpoint.
    """

    def __init__(
        self,
        network: PreTrainedModel,
        training: Training,
        tokens: dict[str, Dataset],
        processor: Any,
        run: Run,
        labels: list[str],
        balance: Balance | None = None,
        strategy: Strategy | None = None,
        evaluate_first: bool = False,
    ):
        logging.disable_progress_bar()
        self.run = run
        self.training = training
        self.strategy = strategy or Strategy(strategy="full")
        self.evaluate_first = evaluate_first
        self.plateau = schedules.Plateau(training)
        pictures = isinstance(tokens["train"], Pictures)
        truth = np.asarray(_labels(tokens["train"])[:])
        several = truth.ndim == 2
        balance = balance or Balance()
        self.deal = balancing.deal(balance, truth, training.seed)
        if pictures:
            network = network.to(memory_format=torch.channels_last)
        # Says that the model does not divide by the rows of the whole step; the losses here do.
        network.accepts_loss_kwargs = False
        # Tells those who load the model whether its probabilities add up to 1.
        network.config.problem_type = "multi_label_classification" if several else None
        _check_metric(training.metric_for_best_model, (multilabel if several else metrics).SCORES)
        rows_per_epoch = len(tokens["train"] if self.deal is None else self.deal)
        arguments = training_arguments(training, network, tokens["train"], rows_per_epoch, run)
        loss = balancing.loss(balance, truth, len(labels), arguments.label_smoothing_factor)
        _check_disk(network, training, run)
        rows_per_step = arguments.train_batch_size * arguments.gradient_accumulation_steps * arguments.world_size
        self.events = Events(run, rows_per_step)
        counts = None if several else label_counts(truth)
        unknown = processor.unk_token_id if isinstance(tokens["train"], datasets.Dataset | VariedTexts) else None
        self.diagnosis = Diagnosis(run, labels, counts, training.metric_for_best_model, unknown, natural=balance.idle)
        super().__init__(
            model=network,
            args=arguments,
            train_dataset=tokens["train"],
            eval_dataset=tokens["validation"],
            data_collator=collator(tokens["train"], processor),
            processing_class=processor,
            compute_metrics=self.diagnosis.counting(modules.compute_metrics(labels, several=several)),
            compute_loss_func=self.diagnosis.listening(loss),
            optimizer_cls_and_kwargs=optimizers.chosen(training, arguments),
            callbacks=[
                self.plateau,
                self.events, self.diagnosis, SealCheckpoints(run, training.save_total_limit), StopWhenAsked(run)
            ],
        )  # fmt: skip
        if run.rehearsal == "overfit_batch":
            self.add_callback(StopWhenFitted())
        if training.early_stopping_patience:
            self.add_callback(EarlyStopping(training.early_stopping_patience, training.early_stopping_threshold))
        self.add_callback(NewEpoch(tokens["train"]))
        self.average = self._average()
        self.add_callback(SettleFirst(self))
        self.remove_callback(PrinterCallback)
        self.remove_callback(ProgressCallback)
        self.bar = ProgressBar()
        self.add_callback(self.bar)

    def train(self, resume_from_checkpoint: str | None = None, **kwargs: Any) -> Any:
        """As Trainer.train. A run that was killed after its last step is not trained any further."""
        if resume_from_checkpoint:
            resume_from_checkpoint = self._in_place(Path(resume_from_checkpoint))
        if resume_from_checkpoint and self._was_trained(Path(resume_from_checkpoint)):
            return None
        self._resumed_from = resume_from_checkpoint
        try:
            done = super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)
        finally:
            self.bar.close()
        if self.average and self.state.best_model_checkpoint is None:
            self.average.swap()
        SIGNALS.patient = False  # but not when it was broken off: what follows then must not be
        return done

    def create_scheduler(self, num_training_steps: int, optimizer: Optimizer | None = None) -> LRScheduler:
        """Sets the course of the learning rate, of which the Trainer knows fewer kinds."""
        if self.lr_scheduler is None:
            optimizer = optimizer or self.optimizer
            self.lr_scheduler = schedules.scheduler(optimizer, self.training, num_training_steps, self.plateau)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> tuple[list, torch.Tensor | int | None]:
        """As the Trainer's; the events learn how long it took, and the diagnosis sees what came."""
        begun = time.perf_counter()
        batches = super().get_batch_samples(*args, **kwargs)
        self.events.waited += time.perf_counter() - begun
        self.diagnosis.look_at(batches[0])
        return batches

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> float:
        """The length of the gradient; called before the optimizer's step, which must not take one that is no number.

        Raises:
            RunError: it is not finite (under fp16 such steps are left out by the gradient scaler).
        """
        norm = super()._get_grad_norm(model, grad_norm)
        if not self.args.fp16 and not math.isfinite(norm):
            step = self.state.global_step + 1
            self.run.log("alert", {"message": f"the gradient of step {step} is not a number"})
            raise RunError(
                f"the loss is not a number at step {step}: lower --learning_rate ({self.args.learning_rate:g} now), "
                "or set --bf16 false; the weights before that step are as they were",
                cause="nan",
            )
        self.diagnosis.grad_norm = norm
        return norm

    def _maybe_log_save_evaluate(
        self, tr_loss: torch.Tensor, grad_norm: Any, model: nn.Module, trial: Any, *args, **kw
    ):
        """As the Trainer's. An evaluation that is broken off leaves a checkpoint that says it has to be made."""
        if not self.control.should_evaluate:
            return super()._maybe_log_save_evaluate(tr_loss, grad_norm, model, trial, *args, **kw)
        with tempfile.TemporaryDirectory() as chance:
            self._save_rng_state(chance)
            try:
                super()._maybe_log_save_evaluate(tr_loss, grad_norm, model, trial, *args, **kw)
            except StoppedInEvaluation:
                self._load_rng_state(chance)  # an evaluation draws numbers too
                self._save_checkpoint(model, trial)
                if self.args.should_save:
                    (self._checkpoint() / NOT_EVALUATED).touch()
                self.callback_handler.on_save(self.args, self.state, self.control)  # seals it
                raise Stopped(saved=True) from None

    def _evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """As the Trainer's, which it calls in training; of the averaged weights, where there are any."""
        if not self.average:
            return super()._evaluate(*args, **kwargs)
        self.average.agree()
        with self.average.in_place():
            return super()._evaluate(*args, **kwargs)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        if self.average:
            self.average.load(Path(resume_from_checkpoint))

    def settle_first(self) -> None:
        """Makes the first checkpoint of a network that is good as it is; of a resumed run see `settle_resumed`."""
        if self._resumed_from:
            self.settle_resumed()
        elif self.evaluate_first:
            self._evaluate_and_save(epoch=0.0)

    def settle_resumed(self) -> None:
        """Finds the best checkpoint where the run folder was moved, and makes an evaluation that was broken off."""
        best = self.run.checkpoints / f"{PREFIX_CHECKPOINT_DIR}-{self.state.best_global_step}"
        if self.state.best_model_checkpoint is None and best.is_dir():
            self.state.best_model_checkpoint = str(best)
        if not (Path(self._resumed_from) / NOT_EVALUATED).exists():
            return
        self._load_rng_state(self._resumed_from)
        self.accelerator.wait_for_everyone()
        former = Path(self._resumed_from)
        if self.args.should_save:  # sealed as it is, it is what a kill leaves while the new one is written
            former.rename(former.with_name(ASIDE + former.name))
        self._evaluate_and_save(self.state.epoch)

    def _evaluate_and_save(self, epoch: float) -> None:
        """Makes a validation and a checkpoint out of their turn."""
        self.control.should_evaluate = self.control.should_save = True
        self._maybe_log_save_evaluate(self._tr_loss, None, self.model_wrapped, None, epoch, None, 0.0)
        self.control.should_evaluate = self.control.should_save = False

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """As the Trainer's; of two validations with the same metric the one with the lower loss is the better."""
        better = super()._determine_best_metric(metrics, trial)
        metric = metrics[f"eval_{self.args.metric_for_best_model.removeprefix('eval_')}"]
        if not better and metric == self.state.best_metric:
            of_best = [log for log in self.state.log_history if log["step"] == self.state.best_global_step]
            better = metrics["eval_loss"] < min(
                (log["eval_loss"] for log in of_best if "eval_loss" in log), default=0.0
            )
            self.state.best_global_step = self.state.global_step if better else self.state.best_global_step
        if better:
            self.state.best_model_checkpoint = str(self._checkpoint())  # the Trainer forgets that of step 0
        return better

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """As the Trainer's, with a learning rate for each depth of the network where --layer_decay or
        --head_lr_multiplier ask for it.
        """
        if self.optimizer is None and (self.strategy.layer_decay, self.strategy.head_lr_multiplier) != (1.0, 1.0):
            model = model or self.model
            kind, more = self.optimizer_cls_and_kwargs
            decaying = set(self.get_decay_parameter_names(model))
            self.optimizer = kind(rates.groups(model, self.args, self.strategy, decaying), **more)
        return super().create_optimizer(model)

    def take_whole(self, rows: dict[str, Dataset]) -> None:
        """Goes on with the rows themselves after features of them were trained on."""
        self.data_collator = collator(rows["train"], self.processing_class)
        self._signature_columns = None

    def _in_place(self, checkpoint: Path) -> str:
        """Gives a checkpoint that a kill has left aside its name back; returns its path."""
        name = checkpoint.with_name(checkpoint.name.removeprefix(ASIDE))
        if name != checkpoint:
            self.accelerator.wait_for_everyone()  # until all have found it where it is
            if self.args.should_save:
                shutil.rmtree(name, ignore_errors=True)  # what was being written
                checkpoint.rename(name)
            self.accelerator.wait_for_everyone()
        return str(name)

    def _checkpoint(self) -> Path:
        """Where the checkpoint of the current step is kept."""
        return self.run.checkpoints / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"

    def _save(self, output_dir: str | None = None, state_dict: dict[str, torch.Tensor] | None = None) -> None:
        """Writes weights, configuration and processor.

        The finished model names its weights as on the Hub, a checkpoint as they are called in memory: the Trainer
        fills them in from there by name, and passes over names it does not know (transformers 5.23, of which ViT and
        others call their weights anew). There is no training_args.bin: it is a pickle, and config.yaml says the same.
        """
        if self.args.should_save:
            checkpoint = Path(output_dir).parent == self.run.checkpoints
            averaged = self.average if checkpoint else None
            with averaged.in_place() if averaged else contextlib.nullcontext():
                self.model.save_pretrained(output_dir, state_dict=state_dict, save_original_format=not checkpoint)
                if averaged:
                    averaged.save(Path(output_dir))
            self.processing_class.save_pretrained(output_dir)

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """Refuses a checkpoint that fills the network in part only.

        Raises:
            RunError: weights are missing from it, or have other names.
        """
        missing = set(load_result.missing_keys) - set(self.model._keys_to_ignore_on_save or ())
        odd = sorted(missing.union(load_result.unexpected_keys))
        if odd:
            raise RunError(f"a checkpoint does not fit the network: {len(odd)} weights differ, among them {odd[0]}")

    def _was_trained(self, checkpoint: Path) -> bool:
        """Whether training had come to its end at `checkpoint`; the best weights are then put in place."""
        state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        ends = [e for e in events.read(self.run.events)[0] if "train_runtime" in e.data and e.step == state.global_step]
        if not ends:
            return False
        self.state = state
        self.state.log_history.append(ends[-1].data)
        best = checkpoint.with_name(Path(state.best_model_checkpoint).name)
        _check_whole(best)
        self._issue_warnings_after_load(self.model.load_state_dict(load_file(best / "model.safetensors"), strict=False))
        return True

    def _load_best_model(self) -> None:
        _check_whole(Path(self.state.best_model_checkpoint))
        super()._load_best_model()

    def _average(self) -> Average | None:
        """What keeps a moving average of the weights, if one is asked for.

        Raises:
            RequestError: each process would hold only a part of the network.
        """
        if self.training.ema_decay is None:
            return None
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            raise RequestError(
                f"--ema_decay {self.training.ema_decay:g} averages whole networks, and FSDP and DeepSpeed divide them "
                "among the processes: leave one of them out"
            )
        average = Average(self.model, self.training.ema_decay)
        self.add_callback(average)
        return average

    def _get_dataloader(self, *args: Any, **kwargs: Any) -> DataLoader:
        """As the Trainer's. Loaders with workers draw their seeds from a generator of their own.

        Workers that outlive an epoch are seeded once in a process: drawn from torch's own generator, a resumed run
        would draw once more than one that never stopped, and its dropout differ from there on.
        """
        loader = super()._get_dataloader(*args, **kwargs)
        if loader.num_workers:
            loader.base_dataloader.generator = torch.Generator().manual_seed(self.args.seed)
            workers.shield(loader.base_dataloader)
        return loader

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        if not isinstance(self.train_dataset, datasets.Dataset | VariedTexts):
            if self.deal is None:
                return super()._get_train_sampler(train_dataset)
            varied = len(self.train_dataset) if isinstance(self.train_dataset, Pictures) else 0
            return Shuffled(self.deal, varied, self.args.seed)
        varied = isinstance(self.train_dataset, VariedTexts)
        lengths = self.train_dataset.lengths if varied else self.train_dataset["length"][:]
        rows = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return LengthGrouped(lengths, rows, self.args.seed, self.deal)

    def num_examples(self, dataloader: DataLoader) -> int:
        """The rows of an epoch, which the Trainer asks for where it counts those it has trained on."""
        return super().num_examples(dataloader) if self.deal is None else len(self.deal)

    def _get_eval_sampler(self, eval_dataset: Dataset) -> Sampler | None:
        return SequentialSampler(eval_dataset)


def _check_whole(best: Path) -> None:
    """Refuses a checkpoint that is to become the model and is not as it was written.

    Raises:
        RunError: it is not.
    """
    if fault := manifest_fault(best):
        raise RunError(
            f"the best checkpoint, {best}, cannot become the model: {fault}. Remove it and those after it, and "
            "resume: the run goes on from the one before"
        )


class SettleFirst(TrainerCallback):
    """Calls `settle_first` when all is loaded and before anything is trained."""

    def __init__(self, trainer: StudioTrainer):
        self.trainer = trainer

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        self.trainer.settle_first()


def _labels(rows: Dataset) -> Sequence:
    """The labels of rows, in their order: class ids, or a number for every class where rows have several labels."""
    return rows["labels"] if isinstance(rows, datasets.Dataset) else rows.labels


def _check_metric(name: str, scores: dict[str, str]) -> None:
    """Refuses f1_micro where each row has one label.

    Raises:
        RequestError: it was chosen all the same.
    """
    if name != "loss" and name not in scores:
        raise RequestError(
            f"--metric_for_best_model {name} is for rows with several labels; where each has one, it is the accuracy: "
            "--metric_for_best_model accuracy"
        )


def _check_disk(network: nn.Module, training: Training, run: Run) -> None:
    """Refuses a run whose checkpoints would not fit on the disk.

    A checkpoint holds the weights and Adam's two moments, and perhaps an average; beside the kept ones there are the
    best one, one being written, and the final model. A resumed run has some of them already.

    Raises:
        RequestError: there is too little space.
    """
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    parts = 3 if training.ema_decay is None else 4
    needed = parts * weights * (training.save_total_limit + 2) + weights - size_bytes(run.checkpoints)
    free = shutil.disk_usage(run.folder).free
    if run.writes and free < needed:
        raise RequestError(
            f"{run.folder.parent} has {free / 1e9:.1f} GB free, and this run needs about "
            f"{math.ceil(needed / 1e8) / 10} GB {'more ' if run.resumed else ''}for its checkpoints: make room, "
            "put --output_dir on another disk, or lower --save_total_limit"
        )
