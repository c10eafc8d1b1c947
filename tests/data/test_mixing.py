"""Mixed pictures carry their labels in the shares in which they were mixed, drawn from the place of the batch alone."""

import pytest
import torch

from studio.config import ImageAugmentation
from studio.data.mixing import Mixing, cutmix, mixing, mixup

CHANCE = torch.Generator().manual_seed(0)
PIXELS = torch.randn(6, 3, 20, 30, generator=CHANCE).contiguous(memory_format=torch.channels_last)
OTHERS = PIXELS.flip(0)
BATCH = {"pixel_values": PIXELS, "labels": torch.tensor([0, 1, 2, 0, 1, 2])}
WAYS = {"mixup": Mixing(0.2, 0.0, 3, 7), "cutmix": Mixing(0.0, 1.0, 3, 7), "both": Mixing(0.2, 1.0, 3, 7)}


@pytest.mark.parametrize("way", [mixup, cutmix])
def test_a_share_of_one_changes_nothing(way):
    mixed, share = way(PIXELS, OTHERS, 1.0, (0.3, 0.8))
    assert torch.equal(mixed, PIXELS) and share == 1


def test_mixup_lays_pictures_over_each_other():
    mixed, share = mixup(PIXELS, OTHERS, 0.7, (0.5, 0.5))
    torch.testing.assert_close(mixed, 0.7 * PIXELS + 0.3 * OTHERS)
    assert share == 0.7


@pytest.mark.parametrize("middle", [(0.5, 0.5), (0.0, 0.1), (0.99, 0.7)])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.64, 0.99])
def test_the_box_of_cutmix_covers_what_is_not_the_pictures_own_share(middle, share):
    mixed, kept = cutmix(PIXELS, OTHERS, share, middle)
    foreign = (mixed != PIXELS).all(dim=1)[0]
    assert foreign.float().mean().item() == pytest.approx(1 - kept)
    assert torch.equal(mixed[0][:, foreign], OTHERS[0][:, foreign])
    if middle == (0.5, 0.5):  # nothing of the box is cut off
        assert kept == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("name", WAYS)
def test_a_batch_is_mixed_by_its_place_alone_and_its_labels_add_up_to_one(name):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = WAYS[name](BATCH, 5, 0, 1)
    assert torch.equal(torch.get_rng_state(), before)
    again, other = WAYS[name](BATCH, 5, 0, 1), WAYS[name](BATCH, 6, 0, 1)
    assert all(torch.equal(first[key], again[key]) for key in BATCH)
    assert not torch.equal(first["pixel_values"], other["pixel_values"])
    assert first["labels"].shape == (6, 3) and torch.allclose(first["labels"].sum(1), torch.ones(6))
    assert first["pixel_values"].is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(BATCH["labels"], torch.tensor([0, 1, 2, 0, 1, 2]))


def test_labels_are_mixed_as_their_pictures_are():
    constant = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 3, 8, 8)
    mixed = Mixing(1.0, 0.0, 6, 7)({"pixel_values": constant, "labels": torch.arange(6)}, 1)
    means = mixed["labels"] @ torch.arange(6.0)
    torch.testing.assert_close(mixed["pixel_values"][:, 0, 0, 0], means)
    assert (mixed["labels"].max(dim=1).values < 1).any()


def test_rows_of_several_labels_keep_each_in_its_share():
    several = {"pixel_values": PIXELS, "labels": torch.tensor([[1.0, 1.0], [0.0, 1.0]]).repeat(3, 1)}
    mixed = Mixing(1.0, 0.0, 2, 7)(several, 1)["labels"]
    assert torch.equal(mixed[:, 1], torch.ones(6)) and mixed.min() >= 0 and mixed.max() <= 1


def test_without_an_alpha_nothing_is_mixed():
    assert mixing(ImageAugmentation(), 3, 1) is None
    assert mixing(ImageAugmentation(cutmix_alpha=1.0), 3, 1) == Mixing(0.0, 1.0, 3, 1)
