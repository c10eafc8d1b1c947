"""The rows of an epoch and their order follow from (seed, epoch), in every process and after a resume."""

from collections import Counter

import numpy as np
import pytest
import torch
from accelerate.data_loader import prepare_data_loader, skip_first_batches
from torch.utils.data import DataLoader
from transformers import TrainerCallback

from studio.config import Balance
from studio.data.augment import VARIATIONS
from studio.data.images import Pictures
from studio.training.callbacks import NewEpoch
from studio.training.sampling import Deal, LengthGrouped, Shuffled
from tests.training import scaling
from tests.training.test_stopping import SIGNALS, SignalAt, Stopped, listening, train, weights  # noqa: F401

CLASSES = [0] * 60 + [1] * 17 + [2] * 4
LENGTHS = np.random.default_rng(0).integers(3, 40, len(CLASSES)).tolist()


@pytest.mark.parametrize(("sampling", "each"), [("balanced", 27), ("oversample", 60), ("undersample", 4)])
def test_every_class_comes_equally_often_in_each_epoch_and_every_row_of_a_class_over_many(sampling, each):
    deal = Deal(CLASSES, sampling, seed=1)
    seen = Counter()
    for epoch in range(100):
        rows, times = deal.rows(epoch)
        assert len(rows) == len(deal) == 3 * each
        assert Counter(CLASSES[row] for row in rows) == dict.fromkeys(range(3), each)
        assert len(set(zip(rows.tolist(), times.tolist(), strict=True))) == len(rows)  # repetitions are told apart
        seen.update(rows.tolist())
    for one in range(3):
        counts = [seen[row] for row in range(len(CLASSES)) if CLASSES[row] == one]
        assert max(counts) - min(counts) <= 1 and sum(counts) == 100 * each


def test_oversampling_leaves_no_row_out_of_an_epoch_and_undersampling_repeats_none_of_the_smallest_class():
    assert set(Deal(CLASSES, "oversample", 1).rows(3)[0]) == set(range(len(CLASSES)))
    rows = Deal(CLASSES, "undersample", 1).rows(3)[0]
    assert sorted(row for row in rows if CLASSES[row] == 2) == [77, 78, 79, 80]


def samplers(sampling="balanced", seed=1):
    deal = Deal(CLASSES, sampling, seed)
    return {"texts": LengthGrouped(LENGTHS, 8, seed, deal), "pictures": Shuffled(deal, len(CLASSES), seed)}


@pytest.mark.parametrize("kind", ["texts", "pictures"])
def test_the_order_holds_the_dealt_rows_and_follows_from_seed_and_epoch(kind):
    one, again, other = samplers()[kind], samplers()[kind], samplers(seed=2)[kind]
    one.set_epoch(3), again.set_epoch(3), other.set_epoch(3)
    order = list(one)
    assert order == list(again) != list(other) and len(order) == len(one)
    assert sorted(row % len(CLASSES) for row in order) == sorted(Deal(CLASSES, "balanced", 1).rows(3)[0])
    one.set_epoch(4)
    assert list(one) != order
    mixed = [CLASSES[row % len(CLASSES)] for row in order[:16]]
    assert len(set(mixed)) == 3


def test_dealt_texts_are_still_grouped_by_length():
    lengths = np.random.default_rng(0).integers(3, 40, 2000).tolist()
    deal = Deal([0] * 1500 + [1] * 500, "balanced", 0)
    order = [lengths[row] for row in LengthGrouped(lengths, 8, 0, deal)]
    padded = sum(8 * max(order[at : at + 8]) for at in range(0, len(order), 8))
    assert padded < 1.15 * sum(order)


def test_copies_of_a_long_text_do_not_fill_a_batch():
    """Lengths that no two texts share would have all copies of a text side by side."""
    deal = Deal([0] * 950 + [1] * 50, "oversample", 0)
    order = list(LengthGrouped(list(range(1000)), 8, 0, deal))
    worst = max(max(Counter(order[at : at + 8]).values()) for at in range(0, len(order), 8))
    assert worst <= 6  # of 19 copies in the epoch
    crowded = sum(max(Counter(order[at : at + 8]).values()) > 2 for at in range(0, len(order), 8))
    assert crowded < 0.3 * len(order) / 8


def loaders(rank, sampler):
    """The loader that accelerate makes of the Trainer's, as one of two processes has it."""
    rows = list(range(200))
    return prepare_data_loader(DataLoader(rows, 4, sampler=sampler), num_processes=2, process_index=rank)


@pytest.mark.parametrize("kind", ["texts", "pictures"])
@pytest.mark.parametrize("skipped", [0, 2])
def test_two_processes_share_one_order_also_where_a_resume_has_skipped_batches(kind, skipped):
    whole = samplers()[kind]
    whole.set_epoch(2)
    batches = torch.tensor(list(whole)).split(4)
    for rank in (0, 1):
        loader = loaders(rank, samplers()[kind])
        shortened = skip_first_batches(loader, skipped) if skipped else loader
        state = type("State", (), {"epoch": 2.3})
        NewEpoch(None).on_epoch_begin(None, state, None, train_dataloader=loader)
        if hasattr(shortened, "set_epoch"):
            shortened.set_epoch(2)  # as the Trainer does
        wanted = batches[rank::2][skipped:]
        for found, expected in zip(shortened, wanted, strict=False):
            assert found.tolist()[: len(expected)] == expected.tolist()


def test_repetitions_of_a_picture_are_varied_in_other_ways():
    rows = scaling.rows("vit", 4)
    varied = Pictures(rows._rows, rows._processor, next(name for name in VARIATIONS if name != "none"))
    one, again, other = (varied[at]["pixel_values"] for at in (1, 1, 5))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert varied[5]["labels"] == varied[1]["labels"]
    assert torch.equal(rows[1]["pixel_values"], rows[5]["pixel_values"])  # where nothing is varied


class Seen(TrainerCallback):
    """What the Trainer makes of the number of rows in an epoch."""

    def on_train_begin(self, args, state, control, **kwargs):
        self.steps = state.max_steps


@pytest.mark.parametrize("sampling", ["natural", "oversample", "undersample"])
def test_steps_of_an_epoch_are_those_of_its_rows(tmp_path, sampling):
    seen = Seen()
    trainer = train(tmp_path / "run", seen, balance=Balance(sampling=sampling), num_train_epochs=1)
    rows = len(trainer.deal) if trainer.deal else 26
    assert seen.steps == trainer.state.global_step == -(-rows // 8)
    assert (sampling == "natural") == (rows == 26)


@pytest.mark.parametrize("step", [1, 5])
def test_a_run_stopped_within_an_epoch_goes_on_with_the_rows_that_were_left(tmp_path, step):
    balance = Balance(sampling="balanced", loss="focal")
    whole = train(tmp_path / "whole", balance=balance)
    with pytest.raises(Stopped):
        train(tmp_path / "run", SignalAt(step), balance=balance)
    SIGNALS.asked = False
    resumed = train(tmp_path / "run", balance=balance)
    assert resumed.state.global_step == whole.state.global_step == 8
    assert all(torch.equal(a, b) for a, b in zip(weights(resumed), weights(whole), strict=True))


def test_batches_of_8_accumulated_by_4_give_the_steps_of_one_of_32_under_weights(tmp_path):
    balance = Balance(class_weights="balanced", loss="focal")
    one, parts = (
        scaling.first_steps("bert", batch, accumulation, 70, tmp_path, balance)
        for batch, accumulation in ((32, 1), (8, 4))
    )
    assert np.allclose(one, parts, atol=1e-5) and len(one) == 5
    assert not np.allclose(one, scaling.first_steps("bert", 32, 1, 70, tmp_path / "..", None), atol=1e-3)
