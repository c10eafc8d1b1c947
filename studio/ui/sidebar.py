"""The side bar."""

from studio.ui.shared import Shared


def build(shared: Shared) -> None:
    """Builds the side bar."""
