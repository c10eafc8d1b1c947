"""What a model costs, against counts worked out by hand."""

import json
import shutil

from studio.evaluation.profile import profile
from studio.predictor import Predictor
from studio.runs import Run


def bert_flops(tokens: int, hidden: int = 16, inner: int = 32, layers: int = 2, labels: int = 3) -> int:
    """Of one text: a matrix product of (a, b) and (b, c) is 2abc."""
    layer = 4 * 2 * tokens * hidden * hidden  # query, key, value, output
    layer += 2 * 2 * tokens * tokens * hidden  # scores and their sums over values
    layer += 2 * 2 * tokens * hidden * inner
    return layers * layer + 2 * hidden * hidden + 2 * hidden * labels  # pooler and classifier see one token


def test_parameters_and_arithmetic_of_a_text_model_are_those_worked_out_by_hand(text_classifier):
    predictor = Predictor(text_classifier)
    found = profile(predictor)
    assert (
        found["parameters"] == found["trainable_parameters"] == sum(p.numel() for p in predictor.network.parameters())
    )
    assert sum(layer["parameters"] for layer in found["layers"]) == found["parameters"]
    assert found["input"] == "a text of 64 tokens"
    assert found["flops"] == bert_flops(64) == sum(layer["flops"] for layer in found["layers"])
    by_name = {layer["name"]: layer for layer in found["layers"]}
    assert by_name["classifier"] == {"name": "classifier", "type": "Linear", "parameters": 51, "flops": 2 * 16 * 3}
    assert by_name["bert.encoder.layer.1.attention.self"]["flops"] == 2 * 2 * 64 * 64 * 16
    query = by_name["bert.encoder.layer.0.attention.self.query"]
    assert query["parameters"] == 16 * 16 + 16 and query["flops"] == 2 * 64 * 16 * 16
    assert found["size_bytes"] == sum(file.stat().st_size for file in text_classifier.iterdir())


def test_times_and_memory_are_of_the_size_that_they_can_be(text_classifier):
    found = profile(Predictor(text_classifier))
    assert 0.05 < found["latency_ms"]["p50"] <= found["latency_ms"]["p95"] < 5000
    assert found["throughput"] > 1
    assert 50e6 < found["peak_memory_bytes"] < 200e9
    assert "CPU" in found["device"] or "NVIDIA" in found["device"]


def test_a_picture_model_counts_its_convolutions(image_classifier):
    found = profile(Predictor(image_classifier))
    patches = next(layer for layer in found["layers"] if layer["type"] == "Conv2d")
    assert patches["flops"] == 2 * 16 * (4 * 4 * 3) * 16  # 16 patches of 4 x 4 x 3 become 16 numbers each
    assert found["input"] == "a picture of 224 x 224 pixels"


def test_a_pair_of_texts_fills_the_model_as_one_text_does(text_classifier, tmp_path):
    shutil.copytree(text_classifier, tmp_path / "pairs")
    config = json.loads((tmp_path / "pairs" / "config.json").read_text())
    (tmp_path / "pairs" / "config.json").write_text(json.dumps(config | {"text_pairs": True}))
    found = profile(Predictor(tmp_path / "pairs"))
    assert found["input"] == "a pair of texts, 63 tokens together"


def test_the_command_keeps_the_profile_and_tells_it_in_the_model_card(text_classifier, tmp_path, program):
    run = Run(tmp_path / "run")
    run.create(recipe="bert", task="text-classification", command=[], settings="seed: 1\n", seed=1)
    run.unlock()
    shutil.copytree(text_classifier, run.model)
    (run.model / "README.md").write_text("# A model\n\n## Results\n\ngood\n\n## Limits\n\nmany\n")
    for _ in range(2):  # the second takes the place of the first
        done = program("-m", "studio", "profile", run.folder, "--json")
        assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert json.loads((run.report / "profile.json").read_text()) == found
    card = (run.model / "README.md").read_text()
    assert card.count("## Size and speed") == 1 and f"| parameters | {found['parameters']:,} |" in card
    assert card.index("good") < card.index("## Size and speed") < card.index("## Limits") and card.endswith("many\n")
    shown = program("-m", "studio", "profile", run.folder)
    assert "classifier" in shown.stdout and f"{found['parameters']:,}" in shown.stdout, shown.stderr
