"""Grad-CAM: worked out by hand, as captum has it, and for every kind of network the recipes build."""

from types import SimpleNamespace

import pytest
import timm
import torch
from captum.attr import LayerGradCam
from torch import nn
from transformers import (
    ConvNextConfig,
    ConvNextForImageClassification,
    DeiTConfig,
    DeiTForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
    SwinConfig,
    SwinForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)

from studio.errors import RequestError
from studio.evaluation.gradcam import grad_cam
from studio.predictor import Predictor
from tests.evaluation.conftest import SIDE, SQUARE, square


class Toy(nn.Module):
    """Colours, their means over the picture, and two labels: red less blue, and the other way round."""

    config = SimpleNamespace(model_type="toy")

    def __init__(self):
        super().__init__()
        self.maps = nn.Conv2d(3, 3, 1, bias=False)
        self.maps.weight.data = torch.eye(3)[:, :, None, None]

    def forward(self, pixel_values):
        red, _, blue = self.maps(pixel_values).mean((2, 3)).unbind(1)
        return SimpleNamespace(logits=torch.stack([red - blue, blue - red], 1))


def test_it_is_what_one_works_out_by_hand():
    pixels = torch.zeros(1, 3, 4, 4)
    pixels[0, 0, 1, 2], pixels[0, 0, 3, 3], pixels[0, 2, 0, 0] = 1.0, 0.5, 0.8
    expected = torch.zeros(4, 4)
    expected[1, 2], expected[3, 3] = 1.0, 0.5
    assert torch.allclose(grad_cam(Toy(), pixels.clone(), 0), expected)
    other = torch.zeros(4, 4)
    other[0, 0] = 1.0
    assert torch.allclose(grad_cam(Toy(), pixels.clone(), 1), other)


def test_where_nothing_speaks_for_a_label_the_grid_is_empty():
    pixels = torch.zeros(1, 3, 4, 4)
    pixels[0, 0] = 1.0
    assert not grad_cam(Toy(), pixels, 1).any()


def test_it_agrees_with_captum():
    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=3)
    network = ResNetForImageClassification(config).eval()
    pixels = torch.rand(1, 3, 64, 96)
    for label in range(3):
        reference = LayerGradCam(lambda x: network(x).logits, network.resnet.encoder.stages[-1])
        theirs = reference.attribute(pixels, label, relu_attributions=True, attr_dim_summation=True)
        ours = grad_cam(network, pixels.clone(), label)
        assert ours.shape == (8, 12)
        assert torch.allclose(ours * theirs.max(), theirs[0, 0], atol=1e-6)


class Wrapped(nn.Module):
    """timm's networks as transformers wraps them."""

    config = SimpleNamespace(model_type="timm_wrapper")

    def __init__(self, name: str, **more):
        super().__init__()
        self.inner = timm.create_model(name, num_classes=2, **more)

    def forward(self, pixel_values):
        return SimpleNamespace(logits=self.inner(pixel_values))


_TINY = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
NETWORKS = {
    "ViT": (lambda: ViTForImageClassification(ViTConfig(image_size=32, patch_size=8, **_TINY)), 32, 4),
    "DeiT": (lambda: DeiTForImageClassification(DeiTConfig(image_size=32, patch_size=4, **_TINY)), 32, 8),
    "Swin": (
        lambda: SwinForImageClassification(
            SwinConfig(image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 1], window_size=2)
        ),
        32,
        4,
    ),
    "ConvNeXt": (
        lambda: ConvNextForImageClassification(ConvNextConfig(hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1])),
        128,
        4,
    ),
    "EfficientNet-Lite": (lambda: Wrapped("tf_efficientnet_lite0"), 96, 6),
    "timm ResNet": (lambda: Wrapped("resnet10t"), 32, 4),
    "timm ViT": (lambda: Wrapped("vit_tiny_patch16_224", img_size=64, depth=2), 64, 4),
    "timm ViT, mean of patches": (
        lambda: Wrapped("vit_tiny_patch16_224", img_size=64, depth=2, global_pool="avg"),
        64,
        4,
    ),
    "timm Swin": (
        lambda: Wrapped("swin_tiny_patch4_window7_224", img_size=128, window_size=4, depths=(1, 1, 1, 1)),
        128,
        4,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_network_has_a_grid_over_its_picture(name):
    build, side, cells = NETWORKS[name]
    grids = []
    for seed in range(3):
        torch.manual_seed(seed)
        network = build().eval()
        pixels = torch.rand(1, 3, side, side)
        grids += [grad_cam(network, pixels.clone(), label) for label in (0, 1)]
    assert {grid.shape for grid in grids} == {(cells, cells)}
    for grid in grids:
        assert grid.min() >= 0 and grid.max() <= 1 and grid.isfinite().all()
    assert any(grid.unique().numel() > 2 for grid in grids)
    assert not torch.equal(grids[0], grids[1]) or not torch.equal(grids[2], grids[3])
    assert not network._forward_hooks and all(not module._forward_hooks for module in network.modules())


def test_a_network_without_places_is_refused():
    class Flat(Toy):
        def forward(self, pixel_values):
            return SimpleNamespace(logits=pixel_values.flatten(1)[:, :2])

    with pytest.raises(RequestError, match="a toy model keeps no parts of the picture apart"):
        grad_cam(Flat(), torch.rand(1, 3, 4, 4), 0)


def test_it_finds_what_a_network_has_learned_to_look_at(taught_pictures):
    predictor = Predictor(taught_pictures, device="cpu")
    found = 0
    for seed in range(1000, 1040):
        picture, (row, column) = square(seed, seed % 2)
        grid = grad_cam(predictor.network, predictor.inputs([picture])["pixel_values"], seed % 2)
        at_row, at_column = divmod(int(grid.argmax()), grid.shape[1])
        y, x = (at_row + 0.5) * SIDE / grid.shape[0], (at_column + 0.5) * SIDE / grid.shape[1]
        margin = SIDE / grid.shape[0] / 2
        found += row - margin <= y <= row + SQUARE + margin and column - margin <= x <= column + SQUARE + margin
    assert found >= 16  # by chance 7 or so of 40; the ResNet finds nearly all, the ViT about 22
