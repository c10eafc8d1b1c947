"""The tokenizer of a network that starts from nothing: it knows the words of the training texts."""

from collections.abc import Iterable

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

_MOST = 20_000  # words
# Words that occur once are left out and stand for all that are unknown, so that the network learns about such too.
_FEWEST = 2
_PAD, _UNKNOWN, _END = "[PAD]", "[UNK]", "[SEP]"


def learned(texts: Iterable[str]) -> str:
    """A tokenizer as the content of a tokenizer.json: the commonest words of `texts`, the same for any order of them.

    Case does not count, nor do different spellings of one character in Unicode; punctuation marks and Chinese
    characters are words of their own. An end follows each text, so that an empty one is a token long.
    """
    tokenizer = Tokenizer(models.WordLevel(unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.BertNormalizer(strip_accents=False, lowercase=True)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = [_PAD, _UNKNOWN, _END]
    trainer = trainers.WordLevelTrainer(
        vocab_size=_MOST, min_frequency=_FEWEST, special_tokens=special, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {_END}", pair=f"$A {_END} $B {_END}", special_tokens=[(_END, tokenizer.token_to_id(_END))]
    )
    return tokenizer.to_str()


def tokenizer(content: str) -> PreTrainedTokenizerFast:
    """The tokenizer that `learned` gave the content of."""
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(content),
        pad_token=_PAD,
        unk_token=_UNKNOWN,
        sep_token=_END,
        model_input_names=["input_ids", "attention_mask"],
    )
