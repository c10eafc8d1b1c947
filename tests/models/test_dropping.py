"""A rate that is asked for reaches the modules, or is refused."""

import pytest
from torch import nn
from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification, SwinConfig

from studio.config import ImageData, ModelChoice
from studio.errors import RequestError
from studio.models import build, dropping
from tests.training import scaling


def rates(network) -> set[float]:
    return {module.p for module in network.modules() if isinstance(module, nn.Dropout)}


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "modernbert", "vit"])
def test_dropout_reaches_every_family(family):
    config = type(scaling.FAMILIES[family]).from_dict(scaling.FAMILIES[family].to_dict())
    before = config.to_dict()
    dropping.set_rates(config, ModelChoice(dropout=0.37))
    auto = AutoModelForImageClassification if family == "vit" else AutoModelForSequenceClassification
    assert 0.37 in rates(auto.from_config(config))
    for attention in ("attention_probs_dropout_prob", "attention_dropout"):
        assert getattr(config, attention, None) == before.get(attention)


def test_stochastic_depth_reaches_the_blocks():
    config = SwinConfig(image_size=16, patch_size=2, embed_dim=8, depths=[1, 1], num_heads=[1, 1], window_size=2)
    dropping.set_rates(config, ModelChoice(drop_path_rate=0.4))
    network = AutoModelForImageClassification.from_config(config)
    found = [module.drop_prob for module in network.modules() if "DropPath" in type(module).__name__]
    assert max(found) == pytest.approx(0.4)


def test_the_rates_reach_a_model_folder_and_its_saved_configuration(tiny_bert):
    network, _ = build.text_classifier(ModelChoice(model_name_or_path=str(tiny_bert), dropout=0.2), ["a", "b"], 0)
    assert 0.2 in rates(network) and network.config.hidden_dropout_prob == 0.2


def test_the_rates_reach_architectures_of_timm():
    shape = "{patch_size: 4, embed_dim: 16, depth: 2, num_heads: 2}"
    model = ModelChoice("timm:vit_tiny_patch16_224", model_kwargs=shape, dropout=0.3, drop_path_rate=0.2)
    network, _ = build.image_classifier(model, ["a", "b"], ImageData(image_size=16), 0)
    assert 0.3 in rates(network)
    assert any("DropPath" in type(module).__name__ for module in network.modules())


@pytest.mark.parametrize("settings", [{"dropout": 0.2}, {"drop_path_rate": 0.2}])
def test_a_rate_that_a_model_has_no_place_for_is_refused(settings, tiny_resnet):
    model = ModelChoice(model_name_or_path=str(tiny_resnet), **settings)
    with pytest.raises(RequestError, match=r"\(resnet\) has nothing of the kind; it has no other rate either. Leave"):
        build.image_classifier(model, ["a", "b"], ImageData(), 0)


def test_a_refusal_names_the_rates_that_the_model_has(tiny_bert):
    model = ModelChoice(model_name_or_path=str(tiny_bert), drop_path_rate=0.2)
    with pytest.raises(RequestError, match="--drop_path_rate 0.2.*it has .*hidden_dropout_prob"):
        build.text_classifier(model, ["a", "b"], 0)


def test_timm_refuses_a_rate_that_its_architecture_has_not():
    with pytest.raises(RequestError, match="timm cannot build vgg11 .*drop_path_rate"):
        build.image_classifier(ModelChoice("timm:vgg11", drop_path_rate=0.1), ["a", "b"], ImageData(image_size=32), 0)
