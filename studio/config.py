"""The settings groups that recipes share; each field is a flag, a YAML key and a form field of the same name.

Names follow transformers (the Trainer's arguments and its example scripts), so that what a person
knows from there works here.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from studio.errors import RequestError
from studio.fields import Range, Settings, arg

Fraction = Annotated[float, Range(0.01, 0.9)]
Count = Annotated[int, Range(1)]


@dataclass
class Data(Settings):
    """Where the labelled rows come from and how they are divided; what text and images have in common."""

    title: ClassVar[str] = "Data"

    dataset_name: str | None = arg(
        None, "a file, a folder, a data set on the Hub, or one of the samples (sample:tweets, sample:mnist)", path=True
    )
    dataset_config_name: str | None = arg(None, "configuration of a Hub data set", advanced=True)
    dataset_revision: str | None = arg(None, "branch, tag or commit of a Hub data set", advanced=True)
    train_file: str | None = arg(None, "training rows, when they stand in a file or folder of their own", path=True)
    validation_file: str | None = arg(None, "validation rows in a file or folder of their own", path=True)
    test_file: str | None = arg(None, "test rows in a file or folder of their own", path=True)
    label_column_name: str | None = arg(None, "column that holds the label (found by name when not given)")
    label_delimiter: str | None = arg(
        None,
        "what stands between the labels of a row that may have several, such as ';' (a cell with nothing but that has "
        "no label, an empty one is left out; columns of lists need no delimiter)",
    )
    group_column_name: str | None = arg(
        None, "column that says to whom or what a row belongs (a patient, an author): no group is in two splits"
    )
    column_names: list[str] = arg([], "names for the columns of a file that has no header row")
    curation_file: str | None = arg(
        None,
        "decisions about rows and labels, as `python -m studio check` writes them; the data stay as they are",
        path=True,
    )
    merge_label_spellings: bool = arg(False, "labels that differ only in case or spaces are one class")
    validation_fraction: Fraction = arg(
        0.1, "share of the training rows to validate on when no validation rows are given"
    )
    test_fraction: Fraction = arg(0.15, "share of the training rows to test on when no test rows are given")
    near_duplicates: bool = arg(
        False, "texts with four fifths of their words in common, or pictures that look alike, are in one split"
    )
    drop_overlap: bool = arg(
        False, "leave out training rows that stand in the given validation or test rows as well (these are kept)"
    )
    splits_from: str | None = arg(
        None, "run folder whose division into train, validation and test is used again", advanced=True, path=True
    )
    max_train_samples: Count | None = arg(None, "use at most this many training rows (drawn stratified)")
    max_eval_samples: Count | None = arg(
        None, "use at most this many validation rows (drawn stratified)", advanced=True
    )
    max_predict_samples: Count | None = arg(None, "use at most this many test rows (drawn stratified)", advanced=True)

    def __post_init__(self):
        super().__post_init__()
        if self.validation_fraction + self.test_fraction > 0.9:
            raise RequestError(
                f"--validation_fraction {self.validation_fraction:g} and --test_fraction {self.test_fraction:g} "
                "leave less than a tenth of the rows to train on: lower one of them"
            )
        if self.dataset_name and self.train_file:
            raise RequestError("--dataset_name and --train_file both say where the training rows are: give one of them")
        if (self.validation_file or self.test_file) and not (self.train_file or self.dataset_name):
            raise RequestError("--validation_file and --test_file need --train_file (or --dataset_name) beside them")
        if self.label_delimiter is not None and not self.label_delimiter.strip(" "):
            raise RequestError("--label_delimiter needs a character other than a space, such as ';' or ','")
        if self.group_column_name and self.group_column_name == self.label_column_name:
            raise RequestError(
                f"--group_column_name {self.group_column_name} is the label column: each class would be in one split "
                "only; name the column of what the rows belong to, or leave the flag out"
            )
        dividing = {"group_column_name", "near_duplicates", "drop_overlap"}
        if self.splits_from and (idle := sorted(name for name in dividing if getattr(self, name))):
            raise RequestError(
                f"--splits_from {self.splits_from} takes the division of another run as it is, "
                f"so that --{idle[0]} would change nothing: leave one of them out"
            )


@dataclass
class TextData(Data):
    """Labelled texts."""

    text_column_name: str | None = arg(None, "column that holds the text (found by name and content when not given)")
    text_pair_column_name: str | None = arg(None, "column that holds the second text, where texts come in pairs")
    max_seq_length: Annotated[int, Range(8, 8192)] = arg(128, "longer texts are cut to this many tokens")

    def __post_init__(self):
        super().__post_init__()
        pair = self.text_pair_column_name
        if pair and pair in (self.text_column_name, self.label_column_name):
            raise RequestError(
                f"--text_pair_column_name {pair} is named as the text or the label too: name the column of second texts"
            )


@dataclass
class ImageData(Data):
    """Labelled pictures."""

    image_column_name: str | None = arg(None, "column that holds the picture or its file name")
    image_size: Annotated[int, Range(16, 1024)] | None = arg(
        None, "side in pixels that pictures are brought to (the model's own when not given)"
    )
    augmentation: Literal["none", "crop", "crop_and_flip"] = arg(
        "crop",
        "how training pictures are varied: crop suits digits and documents, crop_and_flip suits photos",
    )


# Settings of these groups that say what is read; the others say how it is divided and brought to a network.
READING = {"dataset_name", "dataset_config_name", "dataset_revision", "text_column_name", "text_pair_column_name"}
READING |= {"image_column_name", "label_column_name", "label_delimiter", "group_column_name", "column_names"}
READING |= {"merge_label_spellings", "max_predict_samples"}


@dataclass
class ModelChoice(Settings):
    """The network that training starts from."""

    title: ClassVar[str] = "Model"

    model_name_or_path: str = arg(
        "sample:minilm",
        "a model on the Hub, a model folder, a sample (sample:minilm, sample:efficientnet_lite0) "
        "or timm:ARCHITECTURE for fresh weights",
        path=True,
    )
    model_revision: str | None = arg(None, "branch, tag or commit of a Hub model", advanced=True)
    model_kwargs: str | None = arg(
        None,
        "keyword arguments of a timm: architecture as YAML, such as '{patch_size: 4, depth: 6}'",
        advanced=True,
    )

    def __post_init__(self):
        super().__post_init__()
        if self.model_kwargs and not self.model_name_or_path.startswith("timm:"):
            raise RequestError(
                "--model_kwargs shapes a fresh timm: architecture; "
                f"{self.model_name_or_path} brings its own shape, so leave --model_kwargs out"
            )


@dataclass
class Training(Settings):
    """How the Trainer runs. Fields of TrainingArguments that are not listed here are accepted as flags too."""

    title: ClassVar[str] = "Training"

    num_train_epochs: Annotated[float, Range(0.01, 10_000)] = arg(2.0, "passes over the training rows")
    max_steps: Annotated[int, Range(-1)] = arg(
        -1, "stop after this many steps instead of epochs (-1: by epochs)", advanced=True
    )
    learning_rate: Annotated[float, Range(1e-7, 1.0, log=True)] | None = arg(
        None, "step size at its highest point (when not given: 2e-4 for networks up to 50 M parameters, else 2e-5)"
    )
    per_device_train_batch_size: Annotated[int, Range(1, 4096, log=True)] = arg(32, "rows per step and device")
    per_device_eval_batch_size: Annotated[int, Range(1, 4096, log=True)] = arg(
        64, "rows per evaluation step and device", advanced=True
    )
    gradient_accumulation_steps: Annotated[int, Range(1, 1024)] = arg(
        1, "batches that make one step: raise it and lower the batch size when memory runs out", advanced=True
    )
    activation_checkpointing: bool = arg(
        False, "recompute activations: less memory, about a third slower", advanced=True
    )
    weight_decay: Annotated[float, Range(0.0, 1.0)] = arg(0.01, "pull of the weights towards zero", advanced=True)
    warmup_steps: Annotated[float, Range(0.0)] = arg(
        0.1, "steps (or, below 1, share of all steps) of rising learning rate", advanced=True
    )
    lr_scheduler_type: Literal[
        "linear",
        "cosine",
        "cosine_with_restarts",
        "polynomial",
        "constant",
        "constant_with_warmup",
        "inverse_sqrt",
    ] = arg("linear", "course of the learning rate", advanced=True)
    max_grad_norm: Annotated[float, Range(0.0)] = arg(1.0, "gradients longer than this are shortened", advanced=True)
    bf16: bool | None = arg(None, "16-bit brain floats (when not given: wherever they are faster)", advanced=True)
    metric_for_best_model: Literal[
        "f1_macro", "f1_micro", "f1_weighted", "accuracy", "precision_macro", "recall_macro", "loss"
    ] = arg("f1_macro", "validation metric that picks the best checkpoint")
    early_stopping_patience: Count | None = arg(None, "stop after this many evaluations without a better metric")
    early_stopping_threshold: Annotated[float, Range(0.0, 1.0)] = arg(
        0.0, "smallest gain that counts as better", advanced=True
    )
    eval_strategy: Literal["epoch", "steps"] = arg("epoch", "when to validate and to save a checkpoint", advanced=True)
    eval_steps: Count | None = arg(None, "steps between validations with --eval_strategy steps", advanced=True)
    logging_steps: Count | None = arg(
        None, "steps between points of the training curve (when not given: 10, or fewer on small data)", advanced=True
    )
    save_total_limit: Count = arg(2, "newest checkpoints to keep; the best one is kept besides", advanced=True)
    dataloader_num_workers: Annotated[int, Range(0, 64)] | None = arg(
        None, "processes that prepare batches (when not given: from the device and the cores)", advanced=True
    )
    seed: Annotated[int, Range(0, 2**32 - 1)] = arg(42, "everything random follows from it")
    more: dict[str, Any] = field(init=False, default_factory=dict)  # other fields of TrainingArguments, as given

    def __post_init__(self):
        super().__post_init__()
        if self.eval_strategy == "steps" and self.eval_steps is None:
            raise RequestError("--eval_strategy steps needs --eval_steps, the number of steps between validations")
        if self.eval_steps is not None and self.eval_strategy != "steps":
            raise RequestError("--eval_steps needs --eval_strategy steps")
        if self.max_steps == 0:
            raise RequestError("--max_steps 0 would train nothing: name a number of steps, or leave it out")
        if self.early_stopping_threshold and self.early_stopping_patience is None:
            raise RequestError("--early_stopping_threshold needs --early_stopping_patience, such as 3")


@dataclass
class Output(Settings):
    """Where the run is kept and published."""

    title: ClassVar[str] = "Output"

    output_dir: str | None = arg(None, "the run folder (when not given: a new one under $STUDIO_RUNS or ./runs)")
    resume_from_checkpoint: bool = arg(
        False, "go on with the run in --output_dir, with the settings it was started with"
    )
    dry_run: bool = arg(
        False, "try a few steps, an evaluation and a checkpoint, keep nothing, and say what the whole run will take"
    )
    overfit_batch: bool = arg(
        False,
        "try whether one batch can be learnt by heart, keep nothing, and say so: if not, more training would not help",
        advanced=True,
    )
    push_to_hub: bool = arg(False, "publish the finished model on the Hugging Face Hub")
    hub_model_id: str | None = arg(None, "name on the Hub, such as my-name/my-model")
    hub_private_repo: bool = arg(True, "keep the published model private", advanced=True)

    def __post_init__(self):
        super().__post_init__()
        if self.resume_from_checkpoint and not self.output_dir:
            raise RequestError("--resume_from_checkpoint needs --output_dir, the folder of the run to go on with")
        if self.dry_run and self.overfit_batch:
            raise RequestError("--dry_run and --overfit_batch are two trials: make one after the other")
        if self.rehearsal and self.resume_from_checkpoint:
            raise RequestError(
                f"--{self.rehearsal} keeps nothing that could be resumed: leave --resume_from_checkpoint out"
            )
        if self.push_to_hub and not self.hub_model_id:
            raise RequestError("--push_to_hub needs --hub_model_id, such as my-name/my-model")
        if self.hub_model_id and not self.push_to_hub:
            raise RequestError(f"--hub_model_id {self.hub_model_id} publishes nothing by itself: add --push_to_hub")
        if self.output_dir and Path(self.output_dir).is_file():
            raise RequestError(f"--output_dir {self.output_dir} is a file: name a folder")

    @property
    def rehearsal(self) -> str | None:
        """The setting that makes this run a trial of which nothing is kept, if one does."""
        return "dry_run" if self.dry_run else "overfit_batch" if self.overfit_batch else None
