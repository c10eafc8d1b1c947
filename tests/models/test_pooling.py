"""Mean pooling as a layer of a standard BERT."""

import json

import torch
from transformers import AutoModel, AutoModelForSequenceClassification

from studio.config import ModelChoice
from studio.models import build, pooling
from tests.models.test_frozen import batch
from tests.models.test_layers import network


@torch.no_grad()
def test_the_pooled_state_is_the_mean_over_the_tokens_that_are_not_padding():
    one, given = network("bert"), batch("bert")
    states = one.bert(**given).last_hidden_state
    mask = given["attention_mask"].unsqueeze(-1)
    mean = (states * mask).sum(1) / mask.sum(1)
    pooling.add_mean_pooling(one)
    pooled = torch.atanh(one.eval().bert(**given).pooler_output)
    wanted = torch.nn.functional.layer_norm(mean, mean.shape[-1:])
    assert torch.cosine_similarity(pooled, wanted).min() > 0.995


@torch.no_grad()
def test_padding_does_not_change_the_answer():
    one, given = network("bert"), batch("bert")
    pooling.add_mean_pooling(one)
    alone = one.eval()(input_ids=torch.tensor([[2, 12, 3]])).logits
    assert torch.allclose(one(**given).logits[2], alone[0], atol=1e-6)


def test_all_of_the_added_layer_can_learn():
    one = network("bert").train()
    pooling.add_mean_pooling(one)
    for _ in range(3):  # what starts at nothing moves first
        loss = one(**batch("bert"), labels=torch.tensor([0, 1, 2, 0])).loss
        loss.backward()
        torch.optim.SGD(one.parameters(), 0.1).step()
    still = {name for name, p in one.bert.encoder.layer[-1].named_parameters() if not p.grad.abs().sum()}
    assert still <= {"attention.self.key.bias"}  # which no softmax feels


def test_a_sentence_encoder_gets_it_and_stays_a_standard_model(tiny_bert, tmp_path):
    import shutil

    shutil.copytree(tiny_bert, tmp_path / "encoder")
    (tmp_path / "encoder" / "1_Pooling").mkdir()
    (tmp_path / "encoder" / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    plain, _ = build.text_classifier(ModelChoice(model_name_or_path=str(tiny_bert)), ["a", "b"], 0)
    found, tokenizer = build.text_classifier(ModelChoice(model_name_or_path=str(tmp_path / "encoder")), ["a", "b"], 0)
    layers = AutoModel.from_pretrained(tiny_bert).config.num_hidden_layers
    assert (plain.config.num_hidden_layers, found.config.num_hidden_layers) == (layers, layers + 1)
    found.save_pretrained(tmp_path / "saved")
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved").eval()
    asked = tokenizer(["a good film"], return_tensors="pt")
    with torch.no_grad():
        assert torch.allclose(again(**asked).logits, found.eval()(**asked).logits, atol=1e-6)
