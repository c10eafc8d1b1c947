"""What a model costs: parameters, disk, arithmetic, memory and time on this device, layer by layer."""

import math
import platform
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from studio.evaluation.report import peak_memory_bytes
from studio.predictor import Picture, Predictor, Text
from studio.runs import size_bytes

BATCH = 32
_LONGEST = 128  # tokens; a text as long as this, or as the model takes at most, stands for all
_ALONE = 100  # timings of one item; one more goes before to warm up
_TOGETHER = 10  # timings of a batch
_FEWEST, _PATIENCE_S = 3, 5.0  # timings at least; seconds after which there are enough


def _products(inputs: torch.Size, weights: Sequence[torch.Size]) -> int:
    """Of a recurrent layer: each of (steps, batch) vectors with each of its matrices."""
    return 2 * inputs[0] * inputs[1] * sum(math.prod(weight) for weight in weights if len(weight) == 2)


# torch knows the arithmetic of attention on GPUs only, and that of an LSTM nowhere
_UNKNOWN_TO_TORCH = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda query, key, value, *_, **__: sdpa_flop_count(
        query, key, value
    ),
    torch.ops.aten.mkldnn_rnn_layer: lambda inputs, *weights, **__: _products(inputs, weights[:2]),
    torch.ops.aten._cudnn_rnn: lambda inputs, weights, *_, **__: _products(inputs, weights),
}


def profile(predictor: Predictor) -> dict[str, Any]:
    """The cost of a model; times are those of the whole way from a text or a picture to probabilities.

    Returns:
        device; input (what was asked, in words); parameters, trainable_parameters; size_bytes (of the model folder);
        flops (of one item; a multiplication with its addition counts as 2); latency_ms: {"p50", "p95"} of one item
        alone; throughput (items per second in batches of 32); peak_memory_bytes (of the device, or of this process
        where it is the CPU, after such batches); layers: [{"name", "type", "parameters", "flops"}], in order.
    """
    item, told = _item(predictor)
    flops = _flops(predictor, item)
    alone = _seconds(predictor, [item], _ALONE)
    together = _seconds(predictor, [item] * BATCH, _TOGETHER)
    parameters = list(predictor.network.parameters())
    return {
        "device": _device(predictor.device),
        "input": told,
        "parameters": sum(p.numel() for p in parameters),
        "trainable_parameters": sum(p.numel() for p in parameters if p.requires_grad),
        "size_bytes": size_bytes(predictor.folder),
        "flops": flops[""],
        "latency_ms": {f"p{q}": float(np.percentile(alone, q)) * 1000 for q in (50, 95)},
        "throughput": BATCH / float(np.median(together)),
        "peak_memory_bytes": peak_memory_bytes(predictor.device),
        "layers": _layers(predictor.network, flops),
    }


def _item(predictor: Predictor) -> tuple[Text | Picture, str]:
    """The input that is measured with, and what it is: for a text model the longest, so that runs can be compared."""
    if predictor.task == "image-classification":
        noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
        return Image.fromarray(noise), "a picture of 224 x 224 pixels"
    tokenizer = predictor.processor
    places = predictor.network.config.to_dict().get("max_position_embeddings", _LONGEST)
    most = min(tokenizer.model_max_length, places, _LONGEST)
    wanted = most - tokenizer.num_special_tokens_to_add(pair=bool(predictor.text_pairs))
    a_word = len(tokenizer("the " * 16, add_special_tokens=False)["input_ids"]) / 16
    words = int(wanted / a_word)
    if predictor.text_pairs:
        half = "the " * (words // 2)
        return (half, half), f"a pair of texts, {len(tokenizer(half, half)['input_ids'])} tokens together"
    text = "the " * words
    return text, f"a text of {len(tokenizer(text)['input_ids'])} tokens"


def _flops(predictor: Predictor, item: Text | Picture) -> dict[str, int]:
    """Of one item by the name of the module; "" is the whole network."""
    with FlopCounterMode(display=False, custom_mapping=_UNKNOWN_TO_TORCH) as counter:
        predictor.logits([item])
    outermost = type(predictor.network).__name__
    found = {"": counter.get_total_flops()}
    for name, by_operation in counter.get_flop_counts().items():
        if name.startswith(f"{outermost}."):
            found[name.removeprefix(f"{outermost}.")] = sum(by_operation.values())
    return found


def _layers(network: nn.Module, flops: dict[str, int]) -> list[dict[str, Any]]:
    """The modules that hold parameters or do arithmetic themselves, besides what the modules inside them do."""
    found = []
    for name, module in network.named_modules():
        inside = (f"{name}.{child}" if name else child for child, _ in module.named_children())
        own = {
            "parameters": sum(p.numel() for p in module.parameters(recurse=False)),
            "flops": flops.get(name, 0) - sum(flops.get(child, 0) for child in inside),
        }
        if any(own.values()):
            found.append({"name": name or "(whole)", "type": type(module).__name__} | own)
    return found


def _seconds(predictor: Predictor, items: list[Text | Picture], times: int) -> list[float]:
    """So many timings, or fewer where they take long."""
    predictor.predict(items)
    found: list[float] = []
    while len(found) < times and (len(found) < _FEWEST or sum(found) < _PATIENCE_S):
        began = time.perf_counter()
        predictor.predict(items)  # its answer lies on the CPU, so that a GPU has finished as well
        found.append(time.perf_counter() - began)
    return found


def _device(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
