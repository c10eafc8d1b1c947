"""Kinds of numbers that settings share."""

from typing import Annotated

from studio.fields import Range

Count = Annotated[int, Range(1)]
