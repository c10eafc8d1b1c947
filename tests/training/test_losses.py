"""Losses are torch's means over a whole step, however its rows are cut into batches."""

import pytest
import torch
from torch.nn import BCEWithLogitsLoss, CrossEntropyLoss
from torch.nn.functional import one_hot

from studio.training.losses import binary_cross_entropy, cross_entropy

CHANCE = torch.Generator().manual_seed(0)
LOGITS = torch.randn(12, 5, generator=CHANCE)
LABELS = (torch.rand(12, 5, generator=CHANCE) < 0.3).float()


def test_one_batch_has_the_mean_over_rows_and_classes_that_torch_takes():
    assert torch.allclose(binary_cross_entropy({"logits": LOGITS}, LABELS), BCEWithLogitsLoss()(LOGITS, LABELS))


@pytest.mark.parametrize("sizes", [[6, 6], [4, 4, 4], [5, 5, 2]])
def test_batches_of_a_step_add_up_to_the_loss_and_gradient_of_one_batch(sizes):
    whole, parts = (LOGITS.clone().requires_grad_() for _ in range(2))
    BCEWithLogitsLoss()(whole, LABELS).backward()
    counted = LABELS.ne(-100).sum()  # as the Trainer counts the items of a step
    total = 0.0
    for logits, labels in zip(parts.split(sizes), LABELS.split(sizes), strict=True):
        loss = binary_cross_entropy({"logits": logits}, labels, num_items_in_batch=counted)
        total += loss.item()
        loss.backward(retain_graph=True)
    assert total == pytest.approx(BCEWithLogitsLoss()(LOGITS, LABELS).item(), abs=1e-6)
    assert torch.allclose(parts.grad, whole.grad, atol=1e-7)


def test_smoothing_draws_ones_and_zeros_towards_a_half():
    smoothed = BCEWithLogitsLoss()(LOGITS, LABELS * 0.8 + 0.1)
    assert torch.allclose(binary_cross_entropy({"logits": LOGITS}, LABELS, label_smoothing=0.2), smoothed)


def test_logits_of_16_bits_are_summed_in_32():
    half = LOGITS.to(torch.bfloat16)
    assert torch.allclose(binary_cross_entropy({"logits": half}, LABELS), BCEWithLogitsLoss()(half.float(), LABELS))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_soft_targets_of_a_single_class_cost_what_the_class_does(smoothing):
    ids = torch.arange(12) % 5
    plain = CrossEntropyLoss(label_smoothing=smoothing)(LOGITS, ids)
    for labels in (ids, one_hot(ids, 5).float()):
        assert torch.allclose(cross_entropy({"logits": LOGITS}, labels, label_smoothing=smoothing), plain)
        halves = [
            cross_entropy({"logits": logits}, some, num_items_in_batch=12, label_smoothing=smoothing)
            for logits, some in zip(LOGITS.split(6), labels.split(6), strict=True)
        ]
        assert torch.allclose(sum(halves), plain)  # rows are counted, not shares


def test_a_mixed_label_costs_its_parts_in_their_shares():
    first, second = torch.arange(12) % 5, (torch.arange(12) + 1) % 5
    mixed = 0.7 * one_hot(first, 5) + 0.3 * one_hot(second, 5)
    expected = 0.7 * CrossEntropyLoss()(LOGITS, first) + 0.3 * CrossEntropyLoss()(LOGITS, second)
    assert torch.allclose(cross_entropy({"logits": LOGITS}, mixed), expected)
