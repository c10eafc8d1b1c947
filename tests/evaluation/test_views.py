"""The mean answer to several views is scored beside the figures of a single look, and never in their place."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from studio.evaluation import sentences, views
from tests.training import scaling

ROWS = scaling.rows("vit", 12)


class Told:
    """Answers by the mean brightness of what it sees, and notes what that was."""

    def __init__(self):
        self.args = SimpleNamespace(seed=1)
        self.seen = []

    def predict(self, pictures, metric_key_prefix):
        pixels = torch.stack([item["pixel_values"] for item in pictures])
        self.seen.append(pixels)
        return SimpleNamespace(predictions=pixels.mean(dim=(2, 3)).numpy() * 9)


def test_the_first_view_is_the_picture_itself_and_no_two_are_the_same():
    trainer = Told()
    found = views.scores(trainer, ROWS, 3, mirror=True)
    assert torch.equal(trainer.seen[0], torch.stack([item["pixel_values"] for item in ROWS]))
    assert len(trainer.seen) == 3 and not torch.equal(trainer.seen[1], trainer.seen[2])
    mean = np.mean([pixels.mean(dim=(2, 3)).mul(9).softmax(-1).numpy() for pixels in trainer.seen], axis=0)
    assert found["views"] == 3
    assert found["accuracy"] == pytest.approx(np.mean(mean.argmax(-1) == np.array(ROWS.labels)))


def test_several_labels_are_given_from_the_threshold_on():
    rows = scaling.rows("vit of several labels", 12)
    none, every = (views.scores(Told(), rows, 2, mirror=False, threshold=t)["recall_macro"] for t in (1.1, 0.0))
    assert none == 0 < every


def test_the_report_says_that_a_served_model_looks_once():
    scores = {"accuracy": 0.9, "f1_macro": 0.8}
    told = sentences.of_views({"several_views": scores | {"views": 4, "accuracy": 0.91}, "splits": {"test": scores}})
    assert "4 views" in told and "0.910" in told and "as a served model does" in told and "0.900" in told
