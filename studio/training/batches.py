"""How rows become a batch: texts padded, pictures and features stacked."""

from typing import Any

import datasets
from torch.utils.data import Dataset

from studio.data import images, text
from studio.data.images import Pictures
from studio.data.words import VariedTexts
from studio.training import features


def collator(rows: Dataset, processor: Any) -> Any:
    """The function that makes a batch of such rows."""
    if isinstance(rows, Pictures):
        return images.collate
    return text.collator(processor) if isinstance(rows, datasets.Dataset | VariedTexts) else features.collate
