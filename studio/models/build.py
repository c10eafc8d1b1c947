"""The network a recipe trains, with its tokenizer or image processor: pretrained, a sample, or fresh from timm.

Weights are read from safetensors only and a model's own code is never run.
"""

import difflib
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    TimmWrapperConfig,
    TimmWrapperForImageClassification,
    TimmWrapperImageProcessor,
    set_seed,
)
from transformers.utils import logging

from studio import launch, samples
from studio.config import ImageData, ModelChoice
from studio.errors import RequestError
from studio.models import pooling
from studio.models.dropping import set_rates, timm_rates
from studio.models.folder import CHOICES, located, refuse_own_code


def text_classifier(model: ModelChoice, labels: list[str], seed: int) -> tuple[PreTrainedModel, Any]:
    """An encoder with a classification head for `labels`, fresh from `seed`, and its tokenizer.

    Raises:
        RequestError: there is no such model, it is not a text encoder, or it cannot be loaded safely.
    """
    set_seed(seed)
    name = model.model_name_or_path
    if name.startswith("timm:") or name == "sample:efficientnet_lite0":
        raise RequestError(f"--model_name_or_path {name} is an image model: a text recipe needs a text encoder")
    network, tokenizer = _pretrained(model, labels, AutoModelForSequenceClassification, AutoTokenizer)
    _settle_limits(network, tokenizer)
    if pooling.averages(Path(network.name_or_path)):
        pooling.add_mean_pooling(network)
    return network, tokenizer


def image_classifier(model: ModelChoice, labels: list[str], data: ImageData, seed: int) -> tuple[PreTrainedModel, Any]:
    """An image network with a classification head for `labels`, fresh from `seed`, and its image processor.

    Raises:
        RequestError: there is no such model, it is not an image network, or it cannot be loaded safely.
    """
    set_seed(seed)
    name = model.model_name_or_path
    if name == "sample:efficientnet_lite0":
        return _efficientnet_lite0(labels, data.image_size, timm_rates(model))
    if name.startswith("timm:"):
        kwargs = _model_kwargs(model.model_kwargs) | timm_rates(model)
        if launch.rank() == 0:
            print(f"  {name} starts from random weights; names like timm/resnet18.a1_in1k on the Hub are pretrained")
        return _timm(name.removeprefix("timm:"), labels, kwargs, data.image_size, crop_pct=1.0)
    if name == "sample:minilm":
        raise RequestError("--model_name_or_path sample:minilm is a text encoder: an image recipe needs an image model")
    network, processor = _pretrained(model, labels, AutoModelForImageClassification, AutoImageProcessor)
    if data.image_size:
        _set_image_size(network, processor, data.image_size)
    return network, processor


def _pretrained(model: ModelChoice, labels: list[str], network_class: Any, processor_class: Any) -> tuple[Any, Any]:
    """A model folder or a model on the Hub by the Auto classes."""
    name = model.model_name_or_path
    where = str(samples.minilm()) if name == "sample:minilm" else located(name)
    common = {"revision": model.model_revision, "trust_remote_code": False}
    if launch.rank() == 0:
        print(f"loading {name}", flush=True)
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # a fresh head is meant to be missing from the checkpoint
    try:
        config = AutoConfig.from_pretrained(where, **_label_maps(labels), **common)
        refuse_own_code(config.to_dict(), name)
        _check_kind(config, network_class, name)
        set_rates(config, model)
        if getattr(config, "model_args", None):
            config.model_args.pop("num_classes", None)  # timm's own folders name it there, transformers once more
        network, found = network_class.from_pretrained(
            where,
            config=config,
            revision=model.model_revision,
            trust_remote_code=False,
            dtype=torch.float32,  # weights stay exact; --bf16 is about the arithmetic
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
        processor = processor_class.from_pretrained(where, **common)
    except RequestError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
        raise RequestError(_why_not_loaded(name, error)) from error
    finally:
        logging.set_verbosity(verbosity)
    _check_weights(network, found, name)
    return network, processor


def _check_kind(config: PreTrainedConfig, network_class: Any, name: str) -> None:
    """Refuses an architecture that does not classify what the recipe is about, before its weights are fetched."""
    if type(config) not in network_class._model_mapping:
        what = "pictures" if network_class is AutoModelForImageClassification else "texts"
        raise RequestError(f"--model_name_or_path {name} is a {config.model_type} model, which classifies no {what}")
    if getattr(config, "is_encoder_decoder", False):
        raise RequestError(
            f"--model_name_or_path {name} is an encoder-decoder ({config.model_type}), which is made to write texts: "
            "choose an encoder such as BERT"
        )


def _check_weights(network: PreTrainedModel, found: dict[str, Any], name: str) -> None:
    """Refuses a checkpoint that leaves more than the head (and a pooler) to chance.

    A head and a pooler are at most a few tensors; of a checkpoint of another architecture nothing fits.
    """
    by_chance = {*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])}
    if len(by_chance) > max(6, 0.25 * len(network.state_dict())):
        raise RequestError(
            f"--model_name_or_path {name}: its weights do not belong to its config.json: {len(by_chance)} tensors "
            f"would be random, among them {', '.join(sorted(by_chance)[:3])}"
        )


def _settle_limits(network: PreTrainedModel, tokenizer: Any) -> None:
    """Lets the tokenizer know how long a text the network takes, and both of them how to fill up a batch."""
    positions = getattr(network.config, "max_position_embeddings", None)
    for part, module in network.named_modules():
        # RoBERTa and its kin count positions from behind the padding token
        if part.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            positions = module.num_embeddings - module.padding_idx - 1
    if positions and positions > 0:
        tokenizer.model_max_length = min(tokenizer.model_max_length, positions)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token  # decoders such as GPT-2 have none
    if network.config.pad_token_id is None:
        network.config.pad_token_id = tokenizer.pad_token_id


def _why_not_loaded(name: str, error: Exception) -> str:
    """One paragraph for the person, from what the library raised."""
    text = " ".join(str(error).split())
    if Path(name).is_dir():
        return f"the model folder {name} cannot be loaded: {text[:300]}"
    choices = f"A local model folder, a run folder and the samples {CHOICES} need no Hub"
    if "gated" in text or "401" in text or "403" in text:
        return (
            f"{name} is private or needs its terms accepted on the Hub: log in by `hf auth login` or set HF_TOKEN. "
            f"{choices}"
        )
    if "safetensors" in text or "pytorch_model.bin" in text:
        return f"{name} offers no weights as safetensors, and pickles are refused: {text[:200]}. {choices}"
    if any(word in text for word in ("connect", "offline", "outgoing", "cached")):
        return f"the Hub is out of reach and {name} is not in the cache. {choices}"
    return f"{name} cannot be loaded from the Hub: {text[:300]}. {choices}"


def _label_maps(labels: list[str]) -> dict[str, Any]:
    return {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: i for i, label in enumerate(labels)},
    }


def _set_image_size(network: PreTrainedModel, processor: Any, side: int) -> None:
    """Brings pictures to `side` pixels, where the network is free in that.

    Raises:
        RequestError: the network (a ViT, CLIP) is built for one size.
    """
    vision = getattr(network.config, "vision_config", network.config)
    fixed = getattr(vision, "image_size", None)
    if fixed is not None and getattr(vision, "patch_size", None) is not None:
        if fixed != side:
            raise RequestError(f"--image_size {side}: this model takes {fixed} pixels and no other size")
        return
    if getattr(getattr(network, "timm_model", None), "patch_embed", None) is not None:
        fixed = network.config.pretrained_cfg["input_size"][-1]
        if fixed != side:
            raise RequestError(f"--image_size {side}: this model takes {fixed} pixels and no other size")
    if isinstance(processor, TimmWrapperImageProcessor):
        pretrained_cfg = {**network.config.pretrained_cfg, "input_size": [3, side, side]}
        network.config.pretrained_cfg = pretrained_cfg
        processor.__init__(pretrained_cfg=pretrained_cfg, architecture=network.config.architecture)
        return
    processor.size = dict.fromkeys(processor.size, side)
    if getattr(processor, "crop_size", None):
        processor.crop_size = dict.fromkeys(processor.crop_size, side)


def _model_kwargs(text: str | None) -> dict[str, Any]:
    try:
        kwargs = yaml.safe_load(text) if text else {}
    except yaml.YAMLError as error:
        raise RequestError(f"--model_kwargs {text!r} is not YAML: write it like '{{patch_size: 4}}'") from error
    if not isinstance(kwargs, dict):
        raise RequestError(f"--model_kwargs {text!r} must be a mapping like '{{patch_size: 4}}'")
    return kwargs


def _timm(
    architecture: str, labels: list[str], kwargs: dict[str, Any], side: int | None, crop_pct: float | None = None
) -> tuple[Any, Any]:
    """A timm architecture with fresh weights, wrapped for the Auto classes.

    `crop_pct` is the share of a picture's side that the network sees; the architecture's published one when None.

    Raises:
        RequestError: timm knows no such architecture, or not with these arguments.
    """
    import timm

    if not timm.is_model(architecture):
        close = difflib.get_close_matches(architecture, timm.list_models(), n=3)
        raise RequestError(
            f"timm has no architecture {architecture!r}" + (f": did you mean {', '.join(close)}?" if close else "")
        )
    base = timm.get_pretrained_cfg(architecture)
    if base is None:
        raise RequestError(f"timm describes no input for {architecture!r}: choose another architecture")
    pretrained_cfg = {
        "input_size": [3, side, side] if side else list(base.input_size),
        "mean": list(base.mean),
        "std": list(base.std),
        "interpolation": base.interpolation,
        "crop_pct": crop_pct or base.crop_pct,
        "first_conv": base.first_conv,
        "classifier": base.classifier,
    }
    if side and getattr(base, "fixed_input_size", False):
        kwargs = {"img_size": side, **kwargs}
    config = TimmWrapperConfig(
        architecture=architecture,
        pretrained_cfg=pretrained_cfg,
        model_args=kwargs or None,
        num_features=None,
        **_label_maps(labels),
    )
    try:
        network = TimmWrapperForImageClassification(config)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise RequestError(f"timm cannot build {architecture} with {kwargs}: {' '.join(str(error).split())}") from error
    config.num_features = network.timm_model.num_features
    return network, TimmWrapperImageProcessor(pretrained_cfg=pretrained_cfg, architecture=architecture)


def _efficientnet_lite0(labels: list[str], side: int | None, rates: dict[str, Any]) -> tuple[Any, Any]:
    """The ImageNet weights of the sample in timm's architecture, with a fresh head.

    The published keys are foreign but stand in timm's order with timm's shapes, so they are paired one to one.
    """
    import timm

    published = torch.load(samples.efficientnet_lite0(), weights_only=True, map_location="cpu")
    network, processor = _timm("tf_efficientnet_lite0", labels, rates, side)
    names = timm.create_model("tf_efficientnet_lite0").state_dict()
    if [tuple(weight.shape) for weight in published.values()] != [tuple(weight.shape) for weight in names.values()]:
        raise RuntimeError("the EfficientNet-Lite0 weights do not fit this timm version's tf_efficientnet_lite0")
    weights = dict(zip(names, published.values(), strict=True))
    head = network.timm_model.get_classifier()
    fresh = {f"classifier.{name}": value for name, value in head.state_dict().items()}
    network.timm_model.load_state_dict(weights | fresh)
    network.name_or_path = "sample:efficientnet_lite0"  # what tells it from a network with fresh weights
    return network, processor
