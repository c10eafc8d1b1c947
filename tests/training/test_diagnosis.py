"""What goes wrong in a training is told once, with the remedy; of one that goes well nothing is said."""

import io

import datasets
import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

from studio import events
from studio.config import Training
from studio.data.images import Pictures
from studio.data.marks import targets
from studio.runs import Run
from studio.training import findings, probes
from studio.training.trainer import StudioTrainer
from tests.training.scaling import FAMILIES, SEVERAL, SMALL, STILL, TEXT, WORDS, InOrder, network

LABELS = ["a", "b", "c"]
QUICK = {"max_steps": 24, "logging_steps": 1, "per_device_train_batch_size": 16, "learning_rate": 3e-3, "bf16": False}
QUICK |= {"eval_strategy": "steps", "eval_steps": 8, "warmup_steps": 2}


def texts(labels=None, several: bool = False) -> datasets.Dataset:
    """192 texts, whose first words say what they are about."""
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 3, 192).tolist() if labels is None else labels
    ids = [[2, *[5 + label] * 3, *chance.integers(8, 15, chance.integers(1, 6)).tolist(), 3] for label in labels]
    marks = targets([list(range(label)) for label in labels], SEVERAL) if several else labels
    return datasets.Dataset.from_dict(
        {
            "input_ids": ids,
            "attention_mask": [[1] * len(i) for i in ids],
            "labels": marks,
            "length": list(map(len, ids)),
        }
    )


def pictures(**processing) -> Pictures:
    """96 noisy pictures in three colours."""
    chance, rows = np.random.default_rng(0), []
    for at in range(96):
        pixels = chance.integers(0, 120, (16, 16, 3), dtype=np.uint8)
        pixels[:, :, at % 3] += 100
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "png")
        rows.append({"image": {"bytes": file.getvalue(), "path": None}, "label": at % 3, "row_id": str(at)})
    data = datasets.Dataset.from_list(rows).cast_column("image", datasets.Image(decode=False))
    return Pictures(data, ViTImageProcessor(size={"height": 16, "width": 16}, **processing))


def bert() -> BertForSequenceClassification:
    """A network whose weights are large enough for it to learn at once."""
    torch.manual_seed(0)
    return BertForSequenceClassification(BertConfig(**TEXT, **STILL, initializer_range=0.2, num_labels=3))


def vit() -> ViTForImageClassification:
    torch.manual_seed(0)
    return ViTForImageClassification(ViTConfig(**SMALL, image_size=16, patch_size=8, num_labels=3))


def trained(folder, model=None, data=None, kind=StudioTrainer, **settings) -> Run:
    """The run of a short training, on what it says of itself."""
    run = Run(folder)
    run.folder.mkdir(exist_ok=True)
    model, data = model or bert(), texts() if data is None else data
    training = Training(**QUICK | settings)
    processor = (
        data._processor if isinstance(data, Pictures) else BertTokenizer(vocab={w: i for i, w in enumerate(WORDS)})
    )
    kind(model, training, {"train": data, "validation": data}, processor, run, LABELS).train()
    return run


def alerts(run: Run) -> dict[str, str]:
    """What was told, by what it is about."""
    told = [event.data for event in events.read(run.events)[0] if event.kind == "alert"]
    assert len({one["about"] for one in told}) == len(told), "told twice"
    return {one["about"]: f"{one['message']}. {one['remedy']}" for one in told}


def curve(run: Run, name: str) -> list[float]:
    return [value for _, value in events.series(events.read(run.events)[0], name)]


HEALTHY = {
    "texts": {},
    "pictures": {"model": vit, "data": pictures},
    "several labels": {"data": lambda: texts(several=True)},
    "accumulated": {"settings": {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 4}},
    "smoothed": {"settings": {"label_smoothing_factor": 0.3}},
    "16-bit": {"settings": {"bf16": True}},
    "recomputed": {"settings": {"activation_checkpointing": True}},
    "not clipped": {"settings": {"max_grad_norm": 0.0}},
}


@pytest.mark.parametrize("name", HEALTHY)
def test_of_a_training_that_goes_well_nothing_is_said(name, tmp_path, capsys):
    made = HEALTHY[name]
    model, data = (made[key]() if key in made else None for key in ("model", "data"))
    run = trained(tmp_path, model, data, **made.get("settings", {}))
    assert alerts(run) == {} and "notice" not in capsys.readouterr().out
    assert curve(run, "loss")[-1] < 0.7 * curve(run, "loss")[0]  # it did go well


def test_frozen_layers_are_no_fault(tmp_path):
    model = bert()
    model.bert.embeddings.requires_grad_(False)
    model.bert.encoder.layer[0].requires_grad_(False)
    run = trained(tmp_path, model)
    assert not {"no_gradient", "fading_gradients", "gradients", "learning_rate"} & set(alerts(run))
    assert not curve(run, "grad_norm_early") and curve(run, "grad_norm_late")


def test_a_rate_that_is_too_high_is_told(tmp_path):
    told = alerts(trained(tmp_path, learning_rate=1.0))
    assert "--learning_rate 0." in told["learning_rate"] and "thousandth" in told["learning_rate"]


def test_a_rate_that_is_too_low_is_told(tmp_path):
    told = alerts(trained(tmp_path, learning_rate=1e-7))
    assert "learns next to nothing" in told["learning_rate"]
    assert float(told["learning_rate"].rsplit("--learning_rate ")[1].rstrip(").")) >= 1e-5


def test_a_head_that_starts_too_large_is_told(tmp_path, capsys):
    model = bert()
    with torch.no_grad():
        model.classifier.weight.mul_(1000)
    told = alerts(trained(tmp_path, model, max_steps=8))["first_loss"]
    assert "guessing among 3 answers gives 1.1" in told and "head" in told
    assert f"notice: {told}" in capsys.readouterr().out


def test_a_part_that_gets_no_gradient_is_named(tmp_path):
    model = bert()
    model.bert.embeddings.register_forward_hook(lambda module, given, out: out.detach())
    told = alerts(trained(tmp_path, model, max_steps=8))["no_gradient"]
    assert "bert.embeddings.word_embeddings.weight" in told and "detach" in told


def test_gradients_that_fade_on_their_way_down_are_told(tmp_path):
    model = bert()

    def fade(module, given, out):
        if out.requires_grad:
            out.register_hook(lambda gradient: 1e-7 * gradient)

    model.bert.embeddings.register_forward_hook(fade)
    told = alerts(trained(tmp_path, model))["fading_gradients"]
    assert "reaches the embeddings" in told


def test_classes_that_come_one_after_another_are_told(tmp_path):
    data = texts(np.repeat([0, 1, 2], 64).tolist())
    told = alerts(trained(tmp_path, data=data, kind=InOrder, max_steps=8))["order"]
    assert "16 of a, then 16 of a, then 16 of a" in told and "3 among the training rows" in told


def test_pixels_that_are_not_normalised_are_told(tmp_path):
    told = alerts(trained(tmp_path, vit(), pictures(do_normalize=False, do_rescale=False), max_steps=8))["pixels"]
    assert "do_normalize" in told and "between 0 and 21" in told


def test_pictures_without_anything_on_them_are_told(tmp_path):
    assert "one even area" in alerts(trained(tmp_path, vit(), pictures(image_std=[1e9] * 3), max_steps=4))["pixels"]


def test_a_script_that_the_tokenizer_does_not_know_is_told(tmp_path):
    data = texts().map(lambda row: {"input_ids": [1 if i > 4 else i for i in row["input_ids"]]})
    assert "unknown to the tokenizer" in alerts(trained(tmp_path, data=data, max_steps=4))["tokens"]


def test_a_class_that_is_never_predicted_is_named(tmp_path):
    model = bert()
    with torch.no_grad():
        model.classifier.bias[1] = -100.0
    told = alerts(trained(tmp_path, model, learning_rate=1e-3))["never_predicted"]
    assert "the class b (" in told and "last 3 validations" in told


def test_answers_that_do_not_depend_on_the_row_are_told(tmp_path):
    model = bert()
    model.dropout.register_forward_hook(lambda module, given, out: 0 * out)
    model.bert.pooler.requires_grad_(False)
    assert "Every row gets the same answer" in alerts(trained(tmp_path, model))["one_answer"]


def test_what_was_told_is_not_told_again_after_a_resume(tmp_path):
    model = bert()
    model.bert.embeddings.register_forward_hook(lambda module, given, out: out.detach())
    run = trained(tmp_path, model, max_steps=8)
    assert "no_gradient" in alerts(run)
    trained(tmp_path, model, max_steps=8)
    assert "no_gradient" in alerts(run)  # which looks for what is told twice


@pytest.mark.parametrize("limit", [0.0, 0.01, 1e9])
def test_the_norms_of_the_parts_make_up_the_whole_before_it_is_shortened(limit, tmp_path):
    run = trained(tmp_path, max_steps=4, max_grad_norm=limit)
    parts = [curve(run, f"grad_norm_{part}") for part in ("embeddings", "early", "late", "head")]
    assert np.sqrt(np.square(parts).sum(axis=0)) == pytest.approx(curve(run, "grad_norm"), rel=1e-4)
    assert curve(run, "grad_norm")[0] > 0.02


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_change_of_a_step_is_relative_to_the_weights(layout):
    kernel = torch.nn.Conv2d(300, 400, 3).to(memory_format=layout)
    kernel.weight.grad = torch.ones_like(kernel.weight)
    change = probes.Change({"early": list(kernel.parameters())})
    with torch.no_grad():
        kernel.weight.mul_(1.01)
    assert probes.read(change.ratios()) == pytest.approx({"early": 0.01}, rel=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_has_its_place_in_the_depth_of_the_network(family):
    model = network(family)
    groups = probes.by_depth(model)
    assert list(groups)[0] == "embeddings" and list(groups)[-1] == "head" and {"early", "late"} <= set(groups)
    assert sum(map(len, groups.values())) == len(list(model.parameters()))
    last = list(model.parameters())[-1]
    assert any(parameter is last for parameter in groups["head"])


def test_a_network_without_repeated_blocks_has_an_encoder():
    model = torch.nn.ModuleDict({"embed": torch.nn.Embedding(9, 4), "lstm": torch.nn.LSTM(4, 4, 2)})
    model["classifier"] = torch.nn.Linear(4, 2)
    assert {name: len(group) for name, group in probes.by_depth(model).items()} == {
        "embeddings": 1, "encoder": 8, "head": 2,
    }  # fmt: skip


def test_the_plain_loss_of_fresh_logits_is_that_of_guessing():
    few = probes.read(probes.answers(torch.zeros(4, 77), torch.arange(4), several=False))
    several = probes.read(probes.answers(torch.zeros(4, 5), torch.ones(4, 5), several=True))
    assert few["plain_loss"] == pytest.approx(np.log(77)) and several["plain_loss"] == pytest.approx(np.log(2))
    assert few["confidence"] == pytest.approx(1 / 77) and several["confidence"] == pytest.approx(0.5)
    assert findings.first_loss(few["plain_loss"], 77, several=False) is None
    assert findings.first_loss(several["plain_loss"], 5, several=True) is None
    assert findings.first_loss(2.0, 5, several=True) is not None


def test_a_batch_of_one_class_is_no_news_where_nearly_all_rows_have_it():
    batches = [[0] * 32] * 3
    assert findings.first_labels(batches, {0: 950, 1: 50}, LABELS) is None
    assert findings.first_labels([[0] * 32, [1] * 32, [0] * 31 + [1]], {0: 500, 1: 500}, LABELS) is None
    assert findings.first_labels(batches, {0: 500, 1: 500}, LABELS) is not None


def test_a_class_without_rows_or_with_one_hit_is_not_called_dead():
    seen = (np.array([9, 0, 0]), np.array([5, 0, 4])), (np.array([8, 1, 0]), np.array([5, 0, 4]))
    assert findings.never_predicted(seen, {0: 50, 2: 40}, LABELS) is None
    dead = (np.array([9, 2, 0]), np.array([5, 1, 5]))
    assert "class c (40 of 90 training rows)" in findings.never_predicted([dead] * 2, {0: 50, 2: 40}, LABELS).title
    assert findings.never_predicted([dead, *seen[1:]], {0: 50, 2: 40}, LABELS) is None


def test_small_parts_that_a_classifier_does_not_use_are_no_fault():
    assert findings.without_gradient(["vision.post_layernorm.weight"], 0.001, []) is None
    assert findings.without_gradient(["classifier.weight"], 0.001, ["head"]) is not None
