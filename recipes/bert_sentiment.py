"""Fine-tune BERT to tell the sentiment of texts.

    accelerate launch recipes/bert_sentiment.py --dataset_name reviews.csv

Devlin et al. 2018, https://arxiv.org/abs/1810.04805
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
    finetune, title="BERT sentiment", task="text-classification", sample_data={"dataset_name": "sample:tweets"}
)

if __name__ == "__main__":
    RECIPE.launch()
