"""Settings about what of the network is trained, and how fast each part of it learns."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from studio.fields import Settings, arg


@dataclass
class Strategy(Settings):
    """What of the network is trained, when, and how fast."""

    title: ClassVar[str] = "Strategy"

    strategy: Literal["full"] = arg("full", "what of the network is trained: full, all of it")
