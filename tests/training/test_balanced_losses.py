"""Weighted, focal and adjusted losses: by hand, against torch, and however a step is cut into batches."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from studio.config import Balance
from studio.errors import RequestError
from studio.training import balancing
from studio.training.losses import balanced_binary_cross_entropy, balanced_cross_entropy

CHANCE = torch.Generator().manual_seed(0)
LOGITS = 3 * torch.randn(12, 4, generator=CHANCE)
IDS = torch.tensor([0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2])  # none of the fourth class
MARKS = (torch.rand(12, 4, generator=CHANCE) < 0.3).float()
PLAIN = {"weights": torch.ones(1), "gamma": 0.0}


def value_and_gradient(loss, labels, logits=LOGITS, sizes=(12,), **settings):
    """Of a step whose rows come in batches of these sizes."""
    leaf = logits.clone().requires_grad_()
    items, total = labels.ne(-100).sum(), 0.0  # as the Trainer counts the items of a step
    for part, truth in zip(leaf.split(sizes), labels.split(sizes), strict=True):
        found = loss({"logits": part}, truth, num_items_in_batch=items, **settings)
        found.backward(retain_graph=True)
        total += found.item()
    return total, leaf.grad


def same(one, other):
    assert one[0] == pytest.approx(other[0], abs=1e-6)
    assert torch.allclose(one[1], other[1], atol=1e-6) and one[1].abs().max() > 1e-3


def plain(several: bool, smoothing: float):
    return value_and_gradient(
        balancing.loss(Balance(), (MARKS if several else IDS).numpy(), 4, smoothing), MARKS if several else IDS
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_focal_loss_with_gamma_0_is_cross_entropy_in_values_and_gradients(smoothing):
    focal = {"label_smoothing": smoothing} | PLAIN
    same(value_and_gradient(balanced_cross_entropy, IDS, shift=torch.zeros(1), **focal), plain(False, smoothing))
    same(value_and_gradient(balanced_binary_cross_entropy, MARKS, **focal), plain(True, smoothing))


def test_focal_loss_is_as_by_hand():
    logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
    p = [1 / (1 + np.exp(-2)), 1 / (1 + np.exp(1))]
    wanted = sum(-((1 - one) ** 2) * np.log(one) for one in p) / 2
    loss = balancing.loss(Balance(loss="focal"), labels.numpy(), 2)
    assert loss({"logits": logits}, labels).item() == pytest.approx(wanted, rel=1e-5)
    marks = torch.tensor([[1.0, 0.0]])
    wanted = (-((1 - p[0]) ** 2) * np.log(p[0]) - 0.25 * np.log(0.5)) / 2  # of logits 2 and 0
    loss = balancing.loss(Balance(loss="focal"), marks.numpy(), 2)
    assert loss({"logits": logits[:1]}, marks).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("gamma", [0.1, 0.5, 2.0])
def test_a_row_that_is_beyond_doubt_leaves_the_focal_gradient_finite(gamma):
    for loss, labels, more in (
        (balanced_cross_entropy, torch.tensor([0, 1]), {"shift": torch.zeros(1)}),
        (balanced_binary_cross_entropy, torch.eye(2), {}),
    ):
        logits = torch.tensor([[200.0, -200.0], [200.0, -200.0]])
        found, gradient = value_and_gradient(loss, labels, logits, (2,), weights=torch.ones(1), gamma=gamma, **more)
        assert np.isfinite(found) and gradient.isfinite().all()


def test_weights_are_torchs_over_all_training_rows():
    """Torch divides by the sum of the weights, which over the training rows is their number."""
    weights = balancing.class_weights(IDS.numpy(), 4)
    assert weights[:3].tolist() == pytest.approx([12 / (3 * 7), 12 / (3 * 3), 12 / (3 * 2)])
    assert weights[IDS].mean().item() == pytest.approx(1.0)
    leaf = LOGITS.clone().requires_grad_()
    wanted = functional.cross_entropy(leaf, IDS, weight=weights)
    wanted.backward()
    loss = balancing.loss(Balance(class_weights="balanced"), IDS.numpy(), 4)
    same(value_and_gradient(loss, IDS), (wanted.item(), leaf.grad))


def test_weights_of_several_labels_are_torchs_positive_weights_up_to_a_scale_of_each_label():
    weights = balancing.class_weights(MARKS.numpy(), 4)  # (classes, 2)
    having = MARKS.sum(dim=0)
    positive = (12 - having) / having
    assert torch.allclose(weights[:, 1] / weights[:, 0], positive)
    mean = (MARKS * weights[:, 1] + (1 - MARKS) * weights[:, 0]).mean(dim=0)
    assert torch.allclose(mean, torch.ones(4))
    costs = functional.binary_cross_entropy_with_logits(LOGITS, MARKS, pos_weight=positive, reduction="none")
    loss = balancing.loss(Balance(class_weights="balanced"), MARKS.numpy(), 4)
    assert loss({"logits": LOGITS}, MARKS).item() == pytest.approx((costs * weights[:, 0]).mean().item(), rel=1e-5)


def test_smoothing_does_not_draw_the_rows_of_a_common_class_to_the_rare_one():
    labels = torch.tensor([0] * 19 + [1])
    loss = balancing.loss(Balance(class_weights="balanced"), labels.numpy(), 2, label_smoothing=0.1)
    logits = torch.zeros(1, 2, requires_grad=True)
    loss({"logits": logits}, labels[:1]).backward()
    weight, smoothed = 20 / (2 * 19), torch.tensor([0.95, 0.05])
    assert torch.allclose(logits.grad, weight * (torch.tensor([0.5, 0.5]) - smoothed), atol=1e-6)


def test_logit_adjustment_is_as_by_hand_and_leaves_a_class_without_rows_finite():
    shares = np.array([7 / 12, 3 / 12, 2 / 12, 1 / 12])
    shifted = LOGITS.double() + 0.5 * torch.tensor(np.log(shares))
    wanted = (shifted.logsumexp(dim=1) - shifted[torch.arange(12), IDS]).mean().item()
    loss = balancing.loss(Balance(loss="logit_adjusted", logit_adjustment_tau=0.5), IDS.numpy(), 4)
    assert loss({"logits": LOGITS}, IDS).item() == pytest.approx(wanted, rel=1e-5)


def test_logit_adjustment_of_0_is_cross_entropy():
    loss = balancing.loss(Balance(loss="logit_adjusted", logit_adjustment_tau=0.0), IDS.numpy(), 4)
    same(value_and_gradient(loss, IDS), plain(False, 0.0))


CHOICES = {
    "weights": {"class_weights": "balanced"},
    "focal": {"loss": "focal", "class_weights": "balanced"},
    "adjusted": {"loss": "logit_adjusted"},
}


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("labels", [IDS, MARKS], ids=["one label", "several"])
def test_batches_of_a_step_add_up_to_the_loss_and_gradient_of_one_batch(name, labels):
    if name == "adjusted" and labels.ndim == 2:
        return
    loss = balancing.loss(Balance(**CHOICES[name]), labels.numpy(), 4, label_smoothing=0.1)
    same(value_and_gradient(loss, labels, sizes=(5, 5, 2)), value_and_gradient(loss, labels))


@pytest.mark.parametrize("name", CHOICES)
def test_an_evaluation_gets_the_plain_loss(name):
    loss, unweighted = (balancing.loss(Balance(**chosen), IDS.numpy(), 4) for chosen in (CHOICES[name], {}))
    training = loss({"logits": LOGITS}, IDS)
    with torch.no_grad():
        assert loss({"logits": LOGITS}, IDS) == unweighted({"logits": LOGITS}, IDS) != training


@pytest.mark.parametrize("settings", [{"loss": "logit_adjusted"}, {"sampling": "balanced"}])
def test_what_makes_no_sense_for_several_labels_is_refused(settings):
    with pytest.raises(RequestError, match="--class_weights balanced"):
        balancing.loss(Balance(**settings), MARKS.numpy(), 4)
        balancing.deal(Balance(**settings), MARKS.numpy(), seed=0)
