"""Networks are built from safe folders only, with the labels of the data and a processor that goes with them."""

import json
import shutil

import pytest
import torch

from studio.config import ImageData, ModelChoice
from studio.errors import RequestError
from studio.models import build

LABELS = ["no", "yes", "perhaps"]


def choose(name: str, **more) -> ModelChoice:
    return ModelChoice(model_name_or_path=str(name), **more)


def test_a_text_encoder_gets_a_head_for_the_labels(tiny_bert):
    network, tokenizer = build.text_classifier(choose(tiny_bert), LABELS, 0)
    assert network.config.id2label == dict(enumerate(LABELS)) and network.config.label2id["perhaps"] == 2
    logits = network(**tokenizer(["a good film"], return_tensors="pt")).logits
    assert logits.shape == (1, 3)


def test_the_encoder_keeps_its_pretrained_weights(tiny_bert):
    from transformers import BertModel

    network, _ = build.text_classifier(choose(tiny_bert), LABELS, 0)
    pretrained = BertModel.from_pretrained(tiny_bert)
    assert torch.equal(network.bert.embeddings.word_embeddings.weight, pretrained.embeddings.word_embeddings.weight)


def test_a_fresh_head_follows_from_the_seed(tiny_bert):
    heads = [build.text_classifier(choose(tiny_bert), LABELS, seed)[0].classifier.weight for seed in (1, 1, 2)]
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


def test_half_precision_weights_are_trained_in_full(tiny_bert, tmp_path):
    from transformers import BertModel

    BertModel.from_pretrained(tiny_bert, dtype=torch.float16).save_pretrained(tmp_path)
    shutil.copy(tiny_bert / "tokenizer.json", tmp_path)
    shutil.copy(tiny_bert / "tokenizer_config.json", tmp_path)
    network, _ = build.text_classifier(choose(tmp_path), LABELS, 0)
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_weights_of_another_network_are_refused(tiny_bert, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_bert, tmp_path / "bert")
    weights = load_file(folder / "model.safetensors")
    save_file({f"other.{k}": v for k, v in weights.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RequestError, match="its weights do not belong to its config.json"):
        build.text_classifier(choose(folder), LABELS, 0)


def test_a_decoder_without_padding_token_pads_with_its_end_token(tiny_bert, tmp_path):
    from transformers import AutoTokenizer, GPT2Config, GPT2Model

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.pad_token, tokenizer.eos_token = None, "[SEP]"
    tokenizer.save_pretrained(tmp_path)
    GPT2Model(GPT2Config(vocab_size=32, n_embd=16, n_layer=1, n_head=2, n_positions=24)).save_pretrained(tmp_path)
    network, tokenizer = build.text_classifier(choose(tmp_path), LABELS, 0)
    rows = tokenizer(["a good film", "bad"], padding=True, return_tensors="pt")
    assert network(**rows).logits.shape == (2, 3) and network.config.pad_token_id == tokenizer.pad_token_id
    assert tokenizer.model_max_length == 24


def test_a_tokenizer_learns_how_many_tokens_the_network_takes(tiny_bert, tmp_path):
    from transformers import RobertaConfig, RobertaModel

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    RobertaModel(RobertaConfig(vocab_size=40, max_position_embeddings=18, pad_token_id=1, **sizes)).save_pretrained(
        tmp_path
    )
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_bert / name, tmp_path)
    _, tokenizer = build.text_classifier(choose(tmp_path), LABELS, 0)
    assert tokenizer.model_max_length == 16  # two places stand before the first token


def test_a_model_of_another_kind_is_refused_by_its_name(tiny_resnet, tiny_bert):
    with pytest.raises(RequestError, match="is a resnet model, which classifies no texts"):
        build.text_classifier(choose(tiny_resnet), LABELS, 0)
    with pytest.raises(RequestError, match="is a bert model, which classifies no pictures"):
        build.image_classifier(choose(tiny_bert), LABELS, ImageData(), 0)


def test_a_head_of_another_size_is_replaced(tiny_resnet):
    network, _ = build.image_classifier(choose(tiny_resnet), LABELS, ImageData(), 0)
    assert network.config.num_labels == 3 and network(torch.zeros(1, 3, 16, 16)).logits.shape == (1, 3)


def test_the_image_sample_recognises_a_palace():
    """The converted weights are the published ones: with their ImageNet head the china photo is a palace (698)."""
    import timm
    from sklearn.datasets import load_sample_image

    from studio import samples

    network, processor = build.image_classifier(choose("sample:efficientnet_lite0"), LABELS, ImageData(), 0)
    published = torch.load(samples.efficientnet_lite0(), weights_only=True)
    head = timm.create_model("tf_efficientnet_lite0").classifier
    head.load_state_dict({"weight": published["_fc.weight"], "bias": published["_fc.bias"]})
    network.timm_model.classifier = head
    pixels = processor(load_sample_image("china.jpg"), return_tensors="pt")["pixel_values"]
    assert network.eval()(pixels).logits.argmax().item() == 698


def test_a_fresh_timm_network_has_the_asked_shape_and_size():
    model = choose("timm:vit_tiny_patch16_224", model_kwargs="{patch_size: 4, embed_dim: 16, depth: 1, num_heads: 2}")
    network, processor = build.image_classifier(model, LABELS, ImageData(image_size=28), 0)
    assert network(torch.zeros(2, 3, 28, 28)).logits.shape == (2, 3)
    assert tuple(processor.data_config["input_size"]) == (3, 28, 28)


@pytest.mark.parametrize("model", ["timm:resnet10t", "sample:efficientnet_lite0"])
def test_a_timm_folder_is_loaded_by_the_auto_classes_with_its_labels(model, tmp_path):
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    network, processor = build.image_classifier(choose(model), LABELS, ImageData(image_size=32), 0)
    network.save_pretrained(tmp_path)
    again = AutoModelForImageClassification.from_pretrained(tmp_path)
    assert again.config.id2label == dict(enumerate(LABELS))
    assert AutoImageProcessor.from_pretrained(tmp_path).data_config == processor.data_config
    pixels = torch.rand(1, 3, 32, 32)
    assert torch.equal(network.eval()(pixels).logits, again.eval()(pixels).logits)


def test_a_run_folder_stands_for_its_model(tiny_bert, tmp_path):
    shutil.copytree(tiny_bert, tmp_path / "run" / "model")
    (tmp_path / "run" / "run.json").write_text("{}")
    assert build.text_classifier(choose(tmp_path / "run"), LABELS, 0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sample:bart", "there is no such sample; there are sample:minilm"),
        ("./nowhere", "there is no such folder"),
        ("baseline:gru", "there is no such baseline; there are .*baseline:lstm"),
        ("sample:efficientnet_lite0", "is an image model"),
        ("baseline:cnn", "is an image model"),
        ("timm:resnet18", "is an image model"),
        ("google-bert/bert-base-uncased", "google-bert/bert-base-uncased is not in the cache.*sample:minilm"),
    ],
)
def test_a_text_model_that_cannot_be_had_is_named_with_what_can(name, message):
    with pytest.raises(RequestError, match=message):
        build.text_classifier(choose(name), LABELS, 0)


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("timm:resnet19", {}, "no architecture 'resnet19': did you mean"),
        ("timm:resnet18", {"model_kwargs": "{depht: 3}"}, "timm cannot build resnet18"),
        ("timm:resnet18", {"model_kwargs": "[1]"}, "must be a mapping"),
        ("sample:minilm", {}, "is a text encoder"),
        ("baseline:lstm", {}, "is a text encoder"),
    ],
)
def test_an_image_model_that_cannot_be_built_is_explained(name, more, message):
    with pytest.raises(RequestError, match=message):
        build.image_classifier(choose(name, **more), LABELS, ImageData(), 0)


def test_a_vit_of_fixed_size_refuses_another():
    with pytest.raises(RequestError, match="takes 16 pixels and no other size"):
        from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

        small = ViTConfig(
            image_size=16, patch_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
        )
        network = ViTForImageClassification(small)
        build._set_image_size(network, ViTImageProcessor(), 32)


def test_a_pickle_is_refused_with_the_way_to_convert_it(tiny_bert, tmp_path):
    """The remedy in the message is carried out: the converted folder loads."""
    import shlex
    import subprocess
    import sys

    from safetensors.torch import load_file

    folder = tmp_path / "bert"
    shutil.copytree(tiny_bert, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(RequestError, match="pytorch_model.bin, a pickle") as refusal:
        build.text_classifier(choose(folder), LABELS, 0)
    command = shlex.split(str(refusal.value).rpartition(" by: ")[2])
    subprocess.run([sys.executable, *command[1:]], cwd=folder, check=True)
    assert build.text_classifier(choose(folder), LABELS, 0)


def test_code_beside_the_weights_is_never_run(tiny_bert, tmp_path):
    folder = tmp_path / "bert"
    shutil.copytree(tiny_bert, folder)
    (folder / "canary.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\nclass Model: pass\n")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "canary.Config", "AutoModelForSequenceClassification": "canary.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(RequestError, match="code that comes with the model"):
        build.text_classifier(choose(folder), LABELS, 0)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "is not JSON"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no weights"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), "cannot be loaded"),
    ],
)
def test_a_broken_model_folder_is_named(tiny_bert, tmp_path, damage, message):
    folder = tmp_path / "bert"
    shutil.copytree(tiny_bert, folder)
    damage(folder)
    with pytest.raises(RequestError, match=message):
        build.text_classifier(choose(folder), LABELS, 0)
