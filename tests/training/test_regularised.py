"""R-Drop and adversarial training do to a step what their papers say, and nothing besides."""

import pytest
import torch
from transformers import AutoModelForSequenceClassification, BertConfig

from studio.config import ImageAugmentation, TextAugmentation, Training
from studio.errors import RequestError
from studio.runs import Run
from studio.stopping import SIGNALS, Stopped
from studio.training.augmented import AugmentedTrainer
from studio.training.losses import binary_cross_entropy, cross_entropy
from studio.training.regularised import Adversary, agreeing, divergence, step, twice
from tests.training import scaling
from tests.training.test_stopping import SignalAt, figures, listening, weights  # noqa: F401 (listening is a fixture)

CHANCE = torch.Generator().manual_seed(0)
ONE, OTHER = torch.randn(2, 8, 3, generator=CHANCE).unbind()
IDS = torch.randint(3, (8,), generator=CHANCE)
MARKS = (torch.rand(8, 3, generator=CHANCE) < 0.4).float()
CASES = [(cross_entropy, IDS, False), (binary_cross_entropy, MARKS, True)]


@pytest.mark.parametrize(("loss", "labels", "several"), CASES)
def test_r_drop_of_equal_answers_or_without_weight_is_the_plain_loss(loss, labels, several):
    same = {"logits": torch.cat([ONE, ONE])}
    plain = loss({"logits": ONE}, labels)
    assert torch.allclose(agreeing(loss, 5.0, several=several)(same, labels), plain)
    different = {"logits": torch.cat([ONE, OTHER])}
    both = (plain + loss({"logits": OTHER}, labels)) / 2
    assert torch.allclose(agreeing(loss, 0.0, several=several)(different, labels), both)
    assert torch.equal(agreeing(loss, 5.0, several=several)({"logits": ONE}, labels), plain)  # an evaluation


@pytest.mark.parametrize("several", [False, True])
def test_the_divergence_is_the_mean_of_both_directions(several):
    if several:
        p, q = (torch.distributions.Bernoulli(logits=logits) for logits in (ONE, OTHER))
    else:
        p, q = (torch.distributions.Categorical(logits=logits) for logits in (ONE, OTHER))
    kl = torch.distributions.kl_divergence
    expected = (kl(p, q).sum() + kl(q, p).sum()) / 2
    assert torch.allclose(divergence(ONE, OTHER, several=several), expected, rtol=1e-5)


@pytest.mark.parametrize(("loss", "labels", "several"), CASES)
def test_r_drop_adds_up_over_the_batches_of_a_step(loss, labels, several):
    rule = agreeing(loss, 3.0, several=several)
    whole = rule({"logits": torch.cat([ONE, OTHER])}, labels)
    parts = [
        rule({"logits": torch.cat([one, other])}, some, num_items_in_batch=labels.numel())
        for one, other, some in zip(ONE.split(5), OTHER.split(5), labels.split(5), strict=True)
    ]
    assert torch.allclose(sum(parts), whole)


def test_a_batch_twice_keeps_its_labels_once():
    found = twice({"input_ids": torch.arange(6).view(2, 3), "labels": torch.tensor([0, 1])})
    assert found["input_ids"].tolist() == [[0, 1, 2], [3, 4, 5]] * 2 and found["labels"].tolist() == [0, 1]


def network(**config) -> torch.nn.Module:
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_config(BertConfig(**scaling.TEXT, num_labels=3, **config))


def test_the_adversarial_step_raises_the_loss_and_leaves_the_weights_alone():
    model = network(**scaling.STILL)
    batch = {"input_ids": torch.randint(5, 15, (4, 7), generator=CHANCE), "labels": torch.tensor([0, 1, 2, 0])}
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    adversary = Adversary(model, 0.5)
    with adversary.watching():
        plain = model(**batch).loss
        plain.backward()
    gradient = model.get_input_embeddings().weight.grad.clone()
    with adversary.attacking():
        worse = model(**batch).loss
        worse.backward()
    assert worse.item() > plain.item()
    assert not torch.equal(model.get_input_embeddings().weight.grad, gradient)  # that of both together
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert torch.equal(model(**batch).loss, plain)  # no hook is left


def test_the_adversarial_step_has_its_length_for_each_text():
    gradient = torch.randn(3, 5, 4, generator=CHANCE)
    gradient[1] = 0
    assert torch.allclose(step(gradient, 2.0).flatten(1).norm(dim=1), torch.tensor([2.0, 0.0, 2.0]))


def train(folder, augmentation, *callbacks) -> AugmentedTrainer:
    """Two epochs of a BERT with dropout, or of a ViT, resumed where the folder has a checkpoint."""
    torch.manual_seed(0)
    run = Run(folder)
    run.folder.mkdir(exist_ok=True)
    run.resumed = run.events.exists()
    family = "vit" if isinstance(augmentation, ImageAugmentation) else "bert"
    model, data = scaling.network(family) if family == "vit" else network(), scaling.rows(family, 20)
    if family == "bert":
        data = data.add_column("length", [9] * 20)
        processor = scaling.BertTokenizer(vocab={w: i for i, w in enumerate(scaling.WORDS)})
    else:
        processor = data._processor
    training = Training(
        num_train_epochs=2, per_device_train_batch_size=4, gradient_accumulation_steps=2, bf16=False, logging_steps=1,
        learning_rate=1e-2,
    )  # fmt: skip
    rows = {"train": data, "validation": data}
    trainer = AugmentedTrainer(model, training, rows, processor, run, ["a", "b", "c"], augmentation=augmentation)
    for callback in callbacks:
        trainer.callback_handler.callbacks.insert(0, callback)
    trainer.train(resume_from_checkpoint=run.last_good_checkpoint())
    return trainer


EVERYTHING = [TextAugmentation(rdrop_alpha=1.0, fgm_epsilon=0.5), ImageAugmentation(mixup_alpha=0.4, cutmix_alpha=1.0)]


@pytest.mark.parametrize("augmentation", EVERYTHING, ids=["texts", "pictures"])
def test_a_stopped_run_goes_on_to_the_same_weights_to_the_last_bit(augmentation, tmp_path):
    whole = train(tmp_path / "whole", augmentation)
    plain = train(tmp_path / "plain", type(augmentation)())
    assert not all(map(torch.equal, weights(whole), weights(plain)))
    with pytest.raises(Stopped):
        train(tmp_path / "run", augmentation, SignalAt(2))
    SIGNALS.asked = False
    resumed = train(tmp_path / "run", augmentation)
    assert all(map(torch.equal, weights(resumed), weights(whole)))
    assert figures(tmp_path / "run") == figures(tmp_path / "whole")


def test_pictures_cannot_be_mixed_one_by_one(tmp_path):
    data = scaling.rows("vit", 8)
    rows = {"train": data, "validation": data}
    run = Run(tmp_path)
    settings = Training(per_device_train_batch_size=1, bf16=False)
    with pytest.raises(RequestError, match="--per_device_train_batch_size is 1"):
        AugmentedTrainer(
            scaling.network("vit"), settings, rows, data._processor, run, ["a", "b", "c"],
            augmentation=ImageAugmentation(mixup_alpha=0.2),
        )  # fmt: skip
