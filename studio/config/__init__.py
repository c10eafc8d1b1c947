"""The settings groups that recipes share; each field is a flag, a YAML key and a form field of the same name.

Names follow transformers (the Trainer's arguments and its example scripts), so that what a person
knows from there works here.
"""

from studio.config.augmentation import Augmentation, ImageAugmentation, TextAugmentation
from studio.config.balance import Balance
from studio.config.data import READING, Data, ImageData, TextData
from studio.config.model import ModelChoice
from studio.config.output import Output
from studio.config.strategy import Strategy
from studio.config.training import Training

__all__ = [
    "READING", "Augmentation", "Balance", "Data", "ImageAugmentation", "ImageData", "ModelChoice", "Output", "Strategy",
    "TextAugmentation", "TextData", "Training",
]  # fmt: skip
