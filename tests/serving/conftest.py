"""What asks models, and pictures to ask about."""

import io

import pytest
from PIL import Image

from studio.serving.client import Models


@pytest.fixture(scope="module")
def models():
    """Nothing that it has started outlives it."""
    found = Models()
    yield found
    found.unload()


def png(colour: str) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (24, 24), colour).save(content, "PNG")
    return content.getvalue()
