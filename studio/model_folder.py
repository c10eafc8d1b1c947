"""Which folders hold a model that can be opened safely: safetensors only, and no code that comes with it."""

import json
import os
from pathlib import Path
from typing import Any

from studio import samples
from studio.errors import RequestError

CHOICES = "sample:minilm and baseline:lstm (text), sample:efficientnet_lite0 and baseline:cnn (images)"
BASELINES = ("baseline:lstm", "baseline:cnn")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def located(name: str) -> str:
    """What from_pretrained takes for --model_name_or_path: a checked folder, or `name` as an id on the Hub.

    Raises:
        RequestError: an unknown sample or baseline, a folder that is missing or not safe, or the Hub is known to be out
            of reach and the model is not in its cache.
    """
    if name.startswith("sample:"):
        if name not in samples.HUB_IDS:
            raise RequestError(f"--model_name_or_path {name}: there is no such sample; there are {CHOICES}")
        return name
    if name.startswith("baseline:"):
        if name not in BASELINES:
            raise RequestError(f"--model_name_or_path {name}: there is no such baseline; there are {CHOICES}")
        return name
    folder = Path(name).expanduser()
    if folder.is_dir() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        return str(model_folder(folder))
    if os.environ.get("HF_HUB_OFFLINE") and not name.startswith("timm:"):
        from huggingface_hub import try_to_load_from_cache

        if not isinstance(try_to_load_from_cache(name, "config.json"), str):
            raise RequestError(
                f"the Hub is out of reach and {name} is not in the cache. Without it there are model folders, run "
                f"folders and {CHOICES}"
            )
    return name


def model_folder(folder: Path) -> Path:
    """The model folder that a name stands for: itself, or the model of a run.

    Raises:
        RequestError: there is none, it is not complete, its weights are a pickle, or it wants to run code of its own.
    """
    if (folder / "run.json").exists():
        if not (folder / "model" / "config.json").exists():
            raise RequestError(
                f"the run {folder} has not saved a model: let it finish (--resume_from_checkpoint goes on with it)"
            )
        folder = folder / "model"
    if not folder.is_dir():
        raise RequestError(f"{folder}: there is no such folder; name a run folder or a Hugging Face model folder")
    if not (folder / "config.json").exists():
        raise RequestError(
            f"{folder} is no model folder: it has no config.json; name a run folder, or a folder that "
            "save_pretrained wrote"
        )
    for file in folder.glob("*config.json"):
        refuse_own_code(_json(file), str(file))
    if not any(folder.glob("model*.safetensors")):
        raise RequestError(_without_safetensors(folder))
    return folder


def refuse_own_code(config: dict[str, Any], name: str) -> None:
    """Refuses a configuration that names Python code to be run with the model.

    Raises:
        RequestError: it does.
    """
    if config.get("auto_map"):
        raise RequestError(
            f"{name} asks for Python code that comes with the model (auto_map), and such code is never run "
            "here: use a model whose architecture is part of transformers"
        )


def _json(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RequestError(f"{file} is damaged: it is not JSON ({error})") from error


def _without_safetensors(folder: Path) -> str:
    pickles = sorted(file.name for pattern in _PICKLES for file in folder.glob(pattern))
    if not pickles:
        return f"{folder} has a config.json but no weights: model.safetensors is missing"
    return (
        f"{folder} keeps its weights in {pickles[0]}, a pickle, which can run code when it is opened; only "
        "safetensors are loaded here. If you trust its origin, convert it in that folder by: "
        'python -c "import torch, safetensors.torch as s; '
        f"w = torch.load('{pickles[0]}', map_location='cpu', weights_only=True); "
        "s.save_file({k: v.clone().contiguous() for k, v in w.items()}, 'model.safetensors', "
        "metadata={'format': 'pt'})\""
    )
