"""Settings about the rows: where they come from, how they are divided and brought to a network."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from studio.config.common import Count
from studio.errors import RequestError
from studio.fields import Range, Settings, arg

Fraction = Annotated[float, Range(0.01, 0.9)]


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


# Settings of these groups that say what is read; the others say how it is divided and brought to a network.
READING = {"dataset_name", "dataset_config_name", "dataset_revision", "text_column_name", "text_pair_column_name"}
READING |= {"image_column_name", "label_column_name", "label_delimiter", "group_column_name", "column_names"}
READING |= {"merge_label_spellings", "max_predict_samples"}
