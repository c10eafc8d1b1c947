"""Fine-tune a vision transformer (ViT, DeiT, Swin, CLIP's vision side) on pictures.

    accelerate launch recipes/vit_image_classification.py --dataset_name photos/

Without arguments a tiny ViT learns the MNIST digits from scratch.
Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929
"""

from studio.config import Balance, ImageAugmentation, ImageData, ModelChoice, Strategy, Training
from studio.recipe import Recipe
from studio.runs import Run


def finetune(
    data: ImageData,
    augmentation: ImageAugmentation,
    model: ModelChoice,
    strategy: Strategy,
    balance: Balance,
    training: Training,
    run: Run,
) -> dict[str, float]:
    """Decode, train, score the held-out split, save."""
    from studio.data.load import load

    splits = load(data, training.seed, run)  # torch comes later: mistakes in the data show at once

    from studio.data import images
    from studio.export.finish import finish
    from studio.models import build
    from studio.training.fit import fit

    network, processor = build.image_classifier(model, splits.labels, data, training.seed)
    pictures = images.prepare(splits, processor, augmentation, training.seed)
    trainer = fit(network, processor, pictures, splits.labels, run, augmentation, strategy, balance, training)
    return finish(trainer, pictures, splits, run)


RECIPE = Recipe(
    finetune,
    title="ViT image classification",
    task="image-classification",
    sample_data={"dataset_name": "sample:mnist", "augmentation": "light", "mirror": False},
    sample_model={
        "image_size": 28,
        "model_name_or_path": "timm:vit_tiny_patch16_224",
        "model_kwargs": "{patch_size: 4, embed_dim: 128, depth: 6, num_heads: 4}",
        "num_train_epochs": 10.0,
        "learning_rate": 1e-3,
    },
    defaults={
        "model_name_or_path": "google/vit-base-patch16-224-in21k",
        "num_train_epochs": 4.0,
        "learning_rate": 5e-5,
        "augmentation": "medium",
        "mirror": True,
    },
)

if __name__ == "__main__":
    RECIPE.launch()
