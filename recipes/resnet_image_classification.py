"""Fine-tune a convolutional network (ResNet, EfficientNet, ConvNeXt, any of timm) on pictures.

    accelerate launch recipes/resnet_image_classification.py --dataset_name photos/

Without arguments a small ResNet learns the MNIST digits from scratch.
He et al. 2015, https://arxiv.org/abs/1512.03385
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
    title="ResNet image classification",
    task="image-classification",
    sample_data={
        "dataset_name": "sample:mnist",
        "image_size": 32,
        "augmentation": "light",
        "mirror": False,
        "num_train_epochs": 4.0,
    },
    sample_model={"model_name_or_path": "timm:resnet10t"},
    defaults={
        "model_name_or_path": "sample:efficientnet_lite0",
        "num_train_epochs": 10.0,
        "learning_rate": 1e-3,
        "augmentation": "medium",
        "mirror": True,
    },
)

if __name__ == "__main__":
    RECIPE.launch()
