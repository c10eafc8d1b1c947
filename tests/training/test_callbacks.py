"""What the events say about a training's speed."""

import statistics
import time

import pytest
from transformers import BertTokenizer

from studio import events
from studio.config import Training
from studio.runs import Run
from tests.training.scaling import WORDS, InOrder, network, rows


@pytest.mark.slow
def test_waiting_for_data_is_told_apart_from_training(tmp_path):
    shares = {}
    for name, seconds in (("quick", 0.0), ("slow", 0.2)):
        run = Run(tmp_path / name)
        run.folder.mkdir()
        data = rows("bert", 40)
        processor = BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)})
        training = Training(max_steps=5, per_device_train_batch_size=8, logging_steps=1, bf16=False)
        both = {"train": data, "validation": data}
        trainer = InOrder(network("bert"), training, both, processor, run, ["a", "b", "c"])
        collate = trainer.data_collator
        trainer.data_collator = lambda batch, collate=collate, seconds=seconds: (time.sleep(seconds), collate(batch))[1]
        trainer.train()
        shares[name] = [share for _, share in events.series(events.read(run.events)[0], "data_wait_share")]
    assert len(shares["slow"]) == 5 and all(0 <= share <= 1 for share in shares["slow"] + shares["quick"])
    assert statistics.median(shares["slow"]) > max(0.5, statistics.median(shares["quick"]))
