"""What is computed once and learnt on gives the answers of the whole network."""

import pytest
import torch

from studio.models.frozen import Frozen
from tests.models.test_layers import network
from tests.training.scaling import IMAGES


def batch(family: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    if family in IMAGES:
        side = 32 if family in ("timm", "convnext") else 16
        return {"pixel_values": torch.rand(4, 3, side, side)}
    ids = torch.tensor([[2, 6, 7, 8, 3], [2, 9, 10, 11, 3], [2, 12, 3, 0, 0], [2, 13, 14, 3, 0]])
    return {"input_ids": ids, "attention_mask": (ids > 0).long()}


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "modernbert", "vit", "resnet", "convnext", "timm"])
def test_features_give_the_same_logits_as_the_model(family):
    whole = network(family)
    with torch.no_grad():
        wanted = whole(**batch(family)).logits
    frozen, counted = Frozen(whole, batch(family)), []
    features = frozen.features([batch(family)], counted.append)
    with frozen.head() as head, torch.no_grad():
        found = head(**{head.main_input_name: features}).logits
        assert sum(p.numel() for p in head.parameters()) < sum(p.numel() for p in frozen._part.parameters())
    assert torch.allclose(found, wanted, atol=1e-5) and counted == [4]
    with torch.no_grad():
        assert torch.equal(whole(**batch(family)).logits, wanted)  # it is whole again


def test_a_head_that_looks_at_all_tokens_is_not_parted():
    pooled_by_mean = network("modernbert")
    pooled_by_mean.config.classifier_pooling = "mean"
    with pytest.raises(ValueError, match="more than one vector"):
        Frozen(pooled_by_mean, batch("modernbert"))
