"""Fine-tune any text encoder on any set of classes.

    accelerate launch recipes/text_classification.py --dataset_name questions.csv --model_name_or_path roberta-base

Howard and Ruder 2018, https://arxiv.org/abs/1801.06146
"""

from studio.config import Balance, ModelChoice, Strategy, TextAugmentation, TextData, Training
from studio.recipe import Recipe
from studio.runs import Run


def finetune(
    data: TextData,
    augmentation: TextAugmentation,
    model: ModelChoice,
    strategy: Strategy,
    balance: Balance,
    training: Training,
    run: Run,
) -> dict[str, float]:
    """Tokenise, train, score the held-out split, save."""
    from studio.data.load import load

    splits = load(data, training.seed, run)  # torch comes later: mistakes in the data show at once

    from studio.data import text
    from studio.export.finish import finish
    from studio.models import build
    from studio.training.fit import fit

    network, tokenizer = build.text_classifier(model, splits.labels, training.seed, splits.train, run)
    tokens = text.tokenise(splits, tokenizer, data.max_seq_length, augmentation, training.seed)
    trainer = fit(network, tokenizer, tokens, splits.labels, run, augmentation, strategy, balance, training)
    return finish(trainer, tokens, splits, run)


RECIPE = Recipe(
    finetune, title="Text classification", task="text-classification", sample_data={"dataset_name": "sample:tweets"}
)

if __name__ == "__main__":
    RECIPE.launch()
