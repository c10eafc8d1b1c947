"""Integrated gradients: worked out by hand, as captum has them, and complete."""

import time
from types import SimpleNamespace

import pytest
import torch
from captum.attr import LayerIntegratedGradients
from torch import nn

from studio.errors import RequestError
from studio.evaluation.integrated import integrate
from studio.predictor import Predictor

IDS, HIDDEN = torch.tensor([[1, 2, 3]]), torch.tensor([[0, 0, 0]])
LONG_S = 60.0


class Toy(nn.Module):
    """Two logits: a function of the sum of all numbers in the embeddings, and nothing."""

    def __init__(self, function, slow_s: float = 0.0):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(torch.tensor([[0.1, 0.2], [1.0, 0.5], [-1.0, 0.25], [2.0, 1.0]]))
        self.function = function
        self.slow_s = slow_s

    def get_input_embeddings(self):
        return self.embedding

    def forward(self, input_ids):
        time.sleep(self.slow_s)
        logit = self.function(self.embedding(input_ids).sum((1, 2)))
        return SimpleNamespace(logits=torch.stack([logit, 0 * logit], 1))


def test_of_a_sum_each_token_gets_what_it_adds():
    found = integrate(Toy(lambda total: total), {"input_ids": IDS}, HIDDEN, 0, LONG_S)
    assert found.scores == pytest.approx([1.5 - 0.3, -0.75 - 0.3, 3.0 - 0.3], abs=1e-6)
    assert found.complete and found.delta == pytest.approx(0, abs=1e-6) and found.steps == 16
    assert found.difference == pytest.approx(3.75 - 0.9, abs=1e-6)


def test_of_a_square_each_token_gets_its_share_of_the_mean_slope():
    found = integrate(Toy(lambda total: total**2), {"input_ids": IDS}, HIDDEN, 0, LONG_S)
    slope = 3.75 + 0.9  # the mean of 2t between 0.9 and 3.75
    assert found.scores == pytest.approx([1.2 * slope, -1.05 * slope, 2.7 * slope], abs=1e-5)
    assert found.difference == pytest.approx(3.75**2 - 0.9**2, abs=1e-5)


def test_another_label_has_other_scores():
    found = integrate(Toy(lambda total: total), {"input_ids": IDS}, HIDDEN, 1, LONG_S)
    assert found.scores == [0.0, 0.0, 0.0] and found.difference == 0


def test_steps_are_added_until_the_sum_is_complete():
    def steep(total):
        return 10 * torch.sigmoid(60 * (total - 2))

    found = integrate(Toy(steep), {"input_ids": IDS}, HIDDEN, 0, LONG_S)
    assert found.steps > 16 and found.complete and abs(found.delta) <= 0.5
    assert found.difference == pytest.approx(10, abs=1e-3)


def test_a_sum_that_never_is_complete_ends_and_says_so():
    found = integrate(Toy(lambda total: 10 * torch.round(total)), {"input_ids": IDS}, HIDDEN, 0, LONG_S)
    assert found.steps == 512 and not found.complete
    assert found.delta == pytest.approx(-30)


def test_it_takes_no_more_than_the_time_that_it_is_given():
    never = Toy(lambda total: 10 * torch.round(total), slow_s=0.05)
    began = time.monotonic()
    found = integrate(never, {"input_ids": IDS}, HIDDEN, 0, 0.7)
    assert not found.complete and time.monotonic() - began < 1.5
    with pytest.raises(RequestError, match="takes more than 0 s: give a shorter one"):
        integrate(never, {"input_ids": IDS}, HIDDEN, 0, 0.01)


def test_it_leaves_the_network_as_it_was(text_classifier):
    predictor = Predictor(text_classifier, device="cpu")
    before = predictor.logits(["a good film"])
    inputs = predictor.inputs(["a good film"])
    integrate(predictor.network, dict(inputs), torch.full_like(inputs["input_ids"], 4), 0, LONG_S)
    assert torch.equal(predictor.logits(["a good film"]), before)
    assert all(parameter.grad is None for parameter in predictor.network.parameters())


def test_it_agrees_with_captum(text_classifier):
    predictor = Predictor(text_classifier, device="cpu")
    inputs = predictor.inputs(["the film was not good at all but the song is lovely"])
    hidden = torch.full_like(inputs["input_ids"], 4)
    network, label = predictor.network, 2
    ours = integrate(network, dict(inputs), hidden, label, LONG_S)
    reference = LayerIntegratedGradients(lambda ids, mask: network(ids, mask).logits, network.get_input_embeddings())
    theirs, delta = reference.attribute(
        inputs["input_ids"],
        hidden,
        target=label,
        additional_forward_args=(inputs["attention_mask"],),
        n_steps=ours.steps,
        return_convergence_delta=True,
    )
    assert ours.scores == pytest.approx(theirs.sum(-1)[0].tolist(), abs=1e-4)
    assert ours.delta == pytest.approx(delta.item(), abs=1e-4)
    assert max(map(abs, ours.scores)) > 0.1
