"""Whether data are texts or pictures, told before they are read."""

from pathlib import Path

from studio.config import Data, ImageData, TextData
from studio.data import sources
from studio.data.reading import columns, pictures

TASKS = {"text-classification": TextData, "image-classification": ImageData}
_OF_TEXTS = {"text_column_name", "text_pair_column_name"}


def guess(data: Data, given: set[str]) -> str:
    """The Hub's name of the task. `given` are the names of the settings that a person gave.

    Raises:
        RequestError: there is no data, or it cannot be read.
    """
    if given & _OF_TEXTS:
        return "text-classification"
    if "image_column_name" in given or data.dataset_name == "sample:mnist":
        return "image-classification"
    found = sources.training_table(data, "image")
    if found is None:
        return "text-classification"
    if isinstance(found, Path):
        are_pictures = next(pictures.by_folder(found), None) is not None
    else:
        place = Path(data.dataset_name or data.train_file).expanduser()
        beside = place.is_dir() or place.suffix.lower() == ".zip"  # then what lies with the table belongs to it
        are_pictures = columns.hold_pictures(found) or (beside and pictures.named_in(found.path))
    return "image-classification" if are_pictures else "text-classification"
