"""Fine-tune a convolutional network (ResNet, EfficientNet, ConvNeXt, any of timm) on pictures.

    accelerate launch recipes/resnet_image_classification.py --dataset_name photos/

Without arguments a small ResNet learns the MNIST digits from scratch.
He et al. 2015, https://arxiv.org/abs/1512.03385
"""

from studio.config import ImageData, ModelChoice, Training
from studio.recipe import Recipe
from studio.runs import Run


def finetune(data: ImageData, model: ModelChoice, training: Training, run: Run) -> dict[str, float]:
    """Decode, train, score the held-out split, save."""
    from studio.data.load import load

    splits = load(data, training.seed, run)  # torch comes later: mistakes in the data show at once

    from studio.data import images
    from studio.export.finish import finish
    from studio.models import build
    from studio.training.trainer import StudioTrainer

    network, processor = build.image_classifier(model, splits.labels, data, training.seed)
    pictures = images.prepare(splits, processor, data, training.seed)
    trainer = StudioTrainer(network, training, pictures, processor, run, splits.labels)
    trainer.train(resume_from_checkpoint=run.last_good_checkpoint())  # None for a new run
    return finish(trainer, pictures, splits, run)


RECIPE = Recipe(
    finetune,
    title="ResNet image classification",
    task="image-classification",
    sample_data={
        "dataset_name": "sample:mnist",
        "image_size": 32,
        "augmentation": "crop",
        "num_train_epochs": 4.0,
    },
    sample_model={"model_name_or_path": "timm:resnet10t"},
    defaults={
        "model_name_or_path": "sample:efficientnet_lite0",
        "num_train_epochs": 10.0,
        "learning_rate": 1e-3,
        "augmentation": "crop_and_flip",
    },
)

if __name__ == "__main__":
    RECIPE.launch()
