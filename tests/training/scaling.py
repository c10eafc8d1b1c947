"""Prints the first losses and gradient norms of each model family, as JSON: {family: {batching: [[loss, norm], ...]}}.

Run by test_scaling.py in one process, and by torchrun in two.
"""

import copy
import gc
import json
import sys
from pathlib import Path

import datasets
import torch
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    BertConfig,
    BertTokenizer,
    CLIPConfig,
    CLIPTextConfig,
    CLIPVisionConfig,
    ConvNextConfig,
    DistilBertConfig,
    ModernBertConfig,
    ResNetConfig,
    RobertaConfig,
    TimmWrapperConfig,
    ViTConfig,
    ViTImageProcessor,
)

from studio import launch
from studio.config import Balance, Training
from studio.data.images import Pictures
from studio.data.marks import targets
from studio.runs import Run
from studio.training.trainer import StudioTrainer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij"]
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
TEXT = SMALL | {"vocab_size": len(WORDS), "max_position_embeddings": 40, "pad_token_id": 0}
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
CLIP = {**SMALL, "image_size": 16, "patch_size": 8}
FAMILIES = {
    "bert": BertConfig(**TEXT, **STILL),
    "roberta": RobertaConfig(**TEXT, **STILL),
    "distilbert": DistilBertConfig(
        vocab_size=len(WORDS), dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=40,
        dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0,
    ),
    "modernbert": ModernBertConfig(**TEXT, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3),
    "vit": ViTConfig(**SMALL, **STILL, image_size=16, patch_size=8),
    "clip": CLIPConfig(
        text_config=CLIPTextConfig(**TEXT, bos_token_id=2, eos_token_id=3).to_dict(),
        vision_config=CLIPVisionConfig(**CLIP).to_dict(),
        projection_dim=8,
    ),
    "resnet": ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"),
    "convnext": ConvNextConfig(hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1], drop_path_rate=0.0),
    "timm": TimmWrapperConfig(
        architecture="resnet10t", pretrained_cfg={"input_size": [3, 32, 32]}, model_args={"drop_rate": 0.0}
    ),
    "bert of several labels": BertConfig(**TEXT, **STILL),
    "vit of several labels": ViTConfig(**SMALL, **STILL, image_size=16, patch_size=8),
    "weighted bert": BertConfig(**TEXT, **STILL),
    "weighted bert of several labels": BertConfig(**TEXT, **STILL),
}  # fmt: skip
IMAGES = ("vit", "clip", "resnet", "convnext", "timm", "vit of several labels")
WEIGHTED = Balance(class_weights="balanced", loss="focal")
SEVERAL = datasets.List(datasets.ClassLabel(names=["a", "b", "c"]))


class InOrder(StudioTrainer):
    def _get_train_sampler(self, train_dataset=None):
        return torch.utils.data.SequentialSampler(self.train_dataset)


def rows(family: str, count: int):
    chance = torch.Generator().manual_seed(1)
    labels = torch.randint(3, (count,), generator=chance).tolist()
    several = family.endswith("several labels")
    if several:
        labels = [list(range(label)) for label in labels]
    if family not in IMAGES:
        ids = [
            torch.randint(5, len(WORDS), (int(n),), generator=chance).tolist()
            for n in torch.randint(3, 20, (count,), generator=chance)
        ]
        return datasets.Dataset.from_dict(
            {
                "input_ids": ids,
                "attention_mask": [[1] * len(i) for i in ids],
                "labels": targets(labels, SEVERAL) if several else labels,
            }
        )
    import io

    from PIL import Image

    side = 32 if family in ("timm", "convnext") else 16
    pictures = []
    for pixels in torch.randint(256, (count, side, side, 3), generator=chance, dtype=torch.uint8):
        file = io.BytesIO()
        Image.fromarray(pixels.numpy()).save(file, "png")
        pictures.append({"bytes": file.getvalue(), "path": None})
    data = datasets.Dataset.from_dict({"image": pictures, "label": labels, "row_id": [str(i) for i in range(count)]})
    processor = ViTImageProcessor(size={"height": side, "width": side})
    if several:
        data = data.cast_column("label", SEVERAL)
    return Pictures(data.cast_column("image", datasets.Image(decode=False)), processor)


def network(family: str):
    torch.manual_seed(0)
    config = copy.deepcopy(FAMILIES[family])
    config.num_labels = 3
    auto = AutoModelForImageClassification if family in IMAGES else AutoModelForSequenceClassification
    return auto.from_config(config)


def first_steps(
    family: str, batch: int, accumulation: int, count: int, folder: Path, balance: Balance | None = None
) -> list[list[float]]:
    model = network(family)
    for module in model.modules():
        # statistics of a batch differ from those of its parts by nature: what is compared is the loss's scale
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
            module.train = lambda mode=True, module=module: module
    training = Training(
        max_steps=5, per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation, bf16=False,
        logging_steps=1, learning_rate=1e-2, warmup_steps=0, max_grad_norm=1e9,
    )  # fmt: skip
    training.more = {"eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False}
    data = rows(family, count)
    processor = data._processor if family in IMAGES else BertTokenizer(vocab={w: i for i, w in enumerate(WORDS)})
    run = Run(folder / f"{family}-{batch}-{accumulation}-{count}", writes=launch.rank() == 0)
    run.folder.mkdir(exist_ok=True)
    trainer = InOrder(model, training, {"train": data, "validation": data}, processor, run, ["a", "b", "c"], balance)
    trainer.train()
    return [[log["loss"], log["grad_norm"]] for log in trainer.state.log_history if "loss" in log]


def main(folder: Path) -> None:
    gc.freeze()  # Accelerate collects garbage before each training, among all that was imported as well
    batchings = {"parallel": (4, 1, 40)} if launch.world_size() == 2 else {
        "whole": (8, 1, 40), "accumulated": (4, 2, 40), "ragged whole": (8, 1, 37), "ragged": (4, 2, 37),
    }  # fmt: skip
    found = {
        family: {
            name: first_steps(family, *batching, folder, WEIGHTED if family.startswith("weighted") else None)
            for name, batching in batchings.items()
        }
        for family in FAMILIES
    }
    if launch.rank() == 0:
        (folder / f"found-{launch.world_size()}.json").write_text(json.dumps(found))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # threads that it leaves may abort the process at its end


if __name__ == "__main__":
    main(Path(sys.argv[1]))
