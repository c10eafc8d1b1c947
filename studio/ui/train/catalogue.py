"""Which model? A short list of those worth trying first; every other Hub id or model folder is taken as well.

Sizes, languages and licences as the models' cards on the Hub state them; what starts from scratch is one's own.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """A model to start from; `millions` are its parameters."""

    name: str
    task: str
    title: str
    millions: float
    languages: str
    licence: str
    good_for: str


_TEXT, _IMAGE = "text-classification", "image-classification"
_OWN = "your own weights"
MODELS = [
    Known("sample:minilm", _TEXT, "MiniLM-L6", 22.7, "English", "Apache-2.0", "quick first results; comes along"),
    Known("baseline:lstm", _TEXT, "LSTM from scratch", 2.9, "any language", _OWN, "is a big one worth it?"),
    Known("distilbert/distilbert-base-uncased", _TEXT, "DistilBERT", 67, "English", "Apache-2.0", "small and good"),
    Known("google-bert/bert-base-uncased", _TEXT, "BERT base", 110, "English", "Apache-2.0", "the classic"),
    Known("FacebookAI/roberta-base", _TEXT, "RoBERTa base", 125, "English", "MIT", "better than BERT, same cost"),
    Known("answerdotai/ModernBERT-base", _TEXT, "ModernBERT base", 149, "English", "Apache-2.0", "long texts, GPUs"),
    Known("microsoft/deberta-v3-base", _TEXT, "DeBERTa v3 base", 184, "English", "MIT", "highest scores, slow"),
    Known(
        *("distilbert/distilbert-base-multilingual-cased", _TEXT, "DistilBERT multilingual"),
        *(135, "104 languages", "Apache-2.0", "small, many languages"),
    ),
    Known("FacebookAI/xlm-roberta-base", _TEXT, "XLM-RoBERTa base", 278, "100 languages", "MIT", "many languages"),
    Known(
        *("sample:efficientnet_lite0", _IMAGE, "EfficientNet-Lite0"),
        *(4.7, "", "Apache-2.0", "quick first results; comes along"),
    ),
    Known("baseline:cnn", _IMAGE, "Small CNN from scratch", 1.2, "", _OWN, "is a big one worth it?"),
    Known("timm:resnet18", _IMAGE, "ResNet-18 from scratch", 11.2, "", _OWN, "many pictures that are no photos"),
    Known("timm:resnet34", _IMAGE, "ResNet-34 from scratch", 21.3, "", _OWN, "the same, and more of them"),
    Known(
        "timm/mobilenetv3_small_100.lamb_in1k", _IMAGE, "MobileNet v3 small", 2.5, "", "Apache-2.0", "tiny, for CPUs"
    ),
    Known("microsoft/resnet-50", _IMAGE, "ResNet-50", 25.6, "", "Apache-2.0", "the classic"),
    Known("facebook/deit-tiny-patch16-224", _IMAGE, "DeiT tiny", 5.7, "", "Apache-2.0", "a small transformer"),
    Known("google/vit-base-patch16-224-in21k", _IMAGE, "ViT base", 86.4, "", "Apache-2.0", "GPUs, more data"),
    Known("facebook/convnext-tiny-224", _IMAGE, "ConvNeXt tiny", 28.6, "", "Apache-2.0", "strong on photos"),
]


def choices(task: str) -> list[tuple[str, str]]:
    """(what is shown, name) of the models for a task."""
    return [
        (
            f"{one.title}: {one.millions:g} M parameters, {f'{one.languages}, ' if one.languages else ''}"
            f"{one.licence}; {one.good_for}",
            one.name,
        )
        for one in MODELS
        if one.task == task
    ]
