"""Toy models and data shared by the tests; nothing is downloaded and nothing outside the clone is read."""

import csv
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from tests.warm import Warm

ROOT = Path(__file__).parent.parent
WORDS = ["good", "great", "lovely", "bad", "awful", "dull"]  # three of each kind, then words that say nothing
WORDS += ["the", "a", "film", "song", "day", "was", "is", "very", "quite", "so", "and", "but", "not", "at", "all"]
NO_BROWSER = "no Chromium is installed, so the page was NOT tried in a browser"
HOSTILE = "<img src=x onerror=alert(1)>"

# Tests run two at a time: one thread each is faster than four threads on two cores.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Prepared data goes to a folder of the test run, not to the person's cache; set before anything imports datasets.
_cache = tempfile.TemporaryDirectory(prefix="studio-tests-")
os.environ["HF_DATASETS_CACHE"] = _cache.name


# How many random data sets the slowest property tests draw: few each time, many by `make test-properties`.
settings.register_profile("few", max_examples=50)
settings.register_profile("many", max_examples=500)
settings.load_profile("few")


def pytest_terminal_summary(terminalreporter) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if NO_BROWSER in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests left out: {NO_BROWSER}", red=True, bold=True)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory) -> Path:
    """A BERT folder with 16 hidden units, random weights and a vocabulary of a few words."""
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("bert")
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    tokenizer = BertTokenizer(vocab={word: i for i, word in enumerate(vocab)})
    config = BertConfig(
        vocab_size=len(vocab),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def reviews(tmp_path_factory) -> Path:
    """A csv of 240 sentences of different lengths, half of them good and half bad."""
    chance = random.Random(0)
    rows = []
    for i in range(240):
        good = i % 2 == 0
        words = chance.sample(WORDS[6:], chance.randint(2, 12))
        words.insert(chance.randint(0, len(words)), chance.choice(WORDS[:3] if good else WORDS[3:6]))
        rows.append((f"{' '.join(words)} {i}", "positive" if good else "negative"))
    file = tmp_path_factory.mktemp("reviews") / "reviews.csv"
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])
    return file


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """An image folder of 60 noisy pictures of 20 pixels, red ones and blue ones."""
    import numpy as np
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    noise = np.random.default_rng(0)
    for i in range(60):
        colour = "red" if i % 2 else "blue"
        pixels = noise.integers(0, 120, (20, 20, 3), dtype=np.uint8)
        pixels[:, :, 0 if colour == "red" else 2] += 100
        (folder / colour).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / colour / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def tiny_resnet(tmp_path_factory) -> Path:
    """A ResNet folder for pictures of 16 pixels."""
    from transformers import ResNetConfig, ResNetForImageClassification, ViTImageProcessor

    folder = tmp_path_factory.mktemp("resnet")
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=2)
    ResNetForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def text_classifier(tmp_path_factory, tiny_bert) -> Path:
    """Untrained, telling texts apart all the same; one of its labels is a piece of HTML."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("classifiers") / "text"
    config = BertConfig.from_pretrained(
        tiny_bert, id2label={0: "bad", 1: HOSTILE, 2: "good"}, initializer_range=0.5, text_pairs=False
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def image_classifier(tmp_path_factory) -> Path:
    """Untrained, telling pictures apart all the same."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("classifiers") / "image"
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = ViTConfig(image_size=16, patch_size=4, **small, id2label={0: "ant", 1: "bee"}, initializer_range=0.5)
    ViTForImageClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def warm():
    """Runs programs in forks of a process that has imported torch already."""
    process = Warm()
    yield process
    process.close()


@pytest.fixture(scope="session")
def program(warm):
    """Runs Python with arguments from the project's folder and returns what came out.

    `fresh` gives it an interpreter of its own, in which nothing is loaded yet; so does a launcher.
    """

    def run(*arguments, env=None, launcher: tuple[str, ...] = (), fresh: bool = False, cwd=ROOT, timeout: float = 300):
        words, env = [str(word) for word in arguments], os.environ | (env or {})
        with tempfile.NamedTemporaryFile("r") as out, tempfile.NamedTemporaryFile("r") as err:
            if fresh or launcher or words[0] in ("-c", "-X"):
                words = [*(launcher or (sys.executable,)), *words]
                with open(out.name, "w") as to, open(err.name, "w") as wrong:
                    code = subprocess.run(words, cwd=cwd, env=env, stdout=to, stderr=wrong, timeout=timeout).returncode
            else:
                code = warm.run(words, env, out, err, cwd, timeout)
            return subprocess.CompletedProcess(words, code, out.read(), err.read())

    return run
