"""Settings for classes of very different sizes."""

from dataclasses import dataclass
from typing import ClassVar

from studio.fields import Settings


@dataclass
class Balance(Settings):
    """What is done about classes of very different sizes."""

    title: ClassVar[str] = "Classes of different sizes"
