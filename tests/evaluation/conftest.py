"""Tiny models that have really learned something, so that one knows what an explanation of them has to show."""

import csv
from pathlib import Path

import numpy as np
import pytest

SIDE, SQUARE = 32, 10  # pixels of the pictures, and of the square that tells their class


@pytest.fixture(scope="session")
def taught_texts(tmp_path_factory, tiny_bert, reviews) -> Path:
    """A BERT that has learned from `reviews` which words are good and which are bad."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("taught") / "texts"
    with reviews.open(newline="") as file:
        rows = list(csv.DictReader(file))
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    config = BertConfig.from_pretrained(tiny_bert, id2label={0: "negative", 1: "positive"})
    config.text_pairs = False
    network = BertForSequenceClassification(config)
    inputs = tokenizer([row["text"] for row in rows], padding=True, return_tensors="pt")
    labels = torch.tensor([int(row["label"] == "positive") for row in rows])
    _teach(network, inputs, labels, mask=tokenizer.mask_token_id)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session", params=["resnet", "vit"])
def taught_pictures(request, tmp_path_factory) -> Path:
    """A network that has learned to tell a red square from a blue one, wherever it is in a noisy picture."""
    import torch
    from transformers import (
        ResNetConfig,
        ResNetForImageClassification,
        ViTConfig,
        ViTForImageClassification,
        ViTImageProcessor,
    )

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("taught") / request.param
    processor = ViTImageProcessor(size={"height": SIDE, "width": SIDE})
    names = {"id2label": {0: "red", 1: "blue"}}
    if request.param == "resnet":
        config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", **names)
        config.downsample_in_first_stage = False
        network = ResNetForImageClassification(config)
    else:
        small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
        network = ViTForImageClassification(ViTConfig(image_size=SIDE, patch_size=4, **small, **names))
    drawn = [square(seed, seed % 2) for seed in range(128)]
    inputs = processor([picture for picture, _ in drawn], return_tensors="pt")
    _teach(network, inputs, torch.arange(128) % 2)
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def square(seed: int, blue: int) -> tuple["Image.Image", tuple[int, int]]:  # noqa: F821
    """A noisy picture with a red or blue square, and where that begins: (row, column) in pixels."""
    from PIL import Image

    chance = np.random.default_rng(seed)
    pixels = chance.integers(60, 140, (SIDE, SIDE, 3), dtype=np.uint8)
    row, column = chance.integers(0, SIDE - SQUARE, 2)
    pixels[row : row + SQUARE, column : column + SQUARE] = (20, 20, 240) if blue else (240, 20, 20)
    return Image.fromarray(pixels), (row, column)


def _teach(network, inputs, labels, mask: int | None = None) -> None:
    """A few steps; with a `mask`, after as many with some tokens hidden, as a pretrained model has come to know it."""
    import torch

    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for step in range(80 if mask is None else 160):
        given = dict(inputs)
        if mask is not None and step % 2:
            hidden = torch.rand(given["input_ids"].shape) < 0.5
            given["input_ids"] = torch.where(hidden & (given["input_ids"] > mask), mask, given["input_ids"])
        loss = network(**given, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        loss = network(**inputs, labels=labels).loss
    assert loss.item() < 0.2, "it has not learned what the tests are about"
