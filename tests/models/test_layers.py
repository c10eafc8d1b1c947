"""Where parameters stand in a network, of every family that is trained."""

import pytest
import torch

from studio.models import layers
from tests.training import scaling
from tests.training.scaling import IMAGES

HEADS = {
    "bert": {"classifier.weight", "classifier.bias"},
    "roberta": {f"classifier.{part}" for part in ("dense.weight", "dense.bias", "out_proj.weight", "out_proj.bias")},
    "vit": {"classifier.weight", "classifier.bias"},
    "timm": {"timm_model.fc.weight", "timm_model.fc.bias"},
}


def network(family: str):
    return scaling.network(family).eval()


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "modernbert", "vit", "resnet", "convnext", "timm"])
def test_depths_rise_from_the_input_to_the_head(family):
    one = network(family)
    deep = layers.depths(one)
    assert list(deep) == [name for name, _ in one.named_parameters()]
    assert min(deep.values()) == 0 and set(deep.values()) == set(range(max(deep.values()) + 1))
    assert {deep[name] for name in layers.head(one)} == {max(deep.values())}


@pytest.mark.parametrize("family", HEADS)
def test_the_head_is_what_no_pretraining_has_made(family):
    assert layers.head(network(family)) == HEADS[family]


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "modernbert", "vit", "clip", "resnet", "timm"])
def test_the_last_linear_layer_gives_the_logits(family):
    one = network(family)
    name = "pixel_values" if family in IMAGES else "input_ids"
    value = torch.rand(2, 3, 32 if family == "timm" else 16, 32 if family == "timm" else 16)
    seen = []
    layers.last_linear(one).register_forward_hook(lambda _, inputs, output: seen.append(output))
    logits = one(**{name: value if family in IMAGES else torch.tensor([[2, 6, 7, 3], [2, 8, 9, 3]])}).logits
    assert torch.equal(seen[0].reshape(logits.shape), logits)
