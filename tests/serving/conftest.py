"""Models of a few numbers, untrained, that tell inputs apart all the same; and what serves them."""

import io
from pathlib import Path

import pytest
from PIL import Image

from studio.serving.client import Models

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="session")
def text_model(tmp_path_factory, tiny_bert) -> Path:
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("served") / "text"
    config = BertConfig.from_pretrained(
        tiny_bert, id2label={0: "bad", 1: HOSTILE, 2: "good"}, initializer_range=0.5, text_pairs=False
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def image_model(tmp_path_factory) -> Path:
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("served") / "image"
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = ViTConfig(image_size=16, patch_size=4, **small, id2label={0: "ant", 1: "bee"}, initializer_range=0.5)
    ViTForImageClassification(config).save_pretrained(folder)
    return folder


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
