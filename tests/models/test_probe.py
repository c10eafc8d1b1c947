"""A linear probe is as good as scikit-learn's logistic regression, and honest about it."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from studio.models import probe

CLASSES = 4


def rows(count: int, seed: int, noise: float = 1.5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    centres = 2 * torch.randn(CLASSES, 12, generator=torch.Generator().manual_seed(9))
    spread = torch.linspace(0.1, 5, 12)
    return (centres[labels] + noise * torch.randn(count, 12, generator=generator)) * spread, labels


def right(found: probe.Probe, features: torch.Tensor, labels: torch.Tensor) -> float:
    return float(((features @ found.weight.T + found.bias).argmax(1) == labels).float().mean())


def test_it_answers_as_well_as_scikit_learns():
    features, labels = rows(400, 0)
    found = probe.fit(features, labels, CLASSES, seed=0)
    scale = StandardScaler().fit(features)
    reference = LogisticRegression(C=0.1, max_iter=1000).fit(scale.transform(features), labels)
    fresh, truth = rows(4000, 1)
    assert abs(right(found, fresh, truth) - reference.score(scale.transform(fresh), truth)) < 0.02


def test_its_accuracy_is_that_on_rows_it_has_not_seen():
    features, labels = rows(300, 2, noise=3.0)
    found = probe.fit(features, labels, CLASSES, seed=0)
    assert abs(found.accuracy - right(found, *rows(4000, 3, noise=3.0))) < 0.06
    chance = probe.fit(torch.randn(200, 150, generator=torch.Generator().manual_seed(4)), labels[:200], CLASSES, seed=0)
    assert chance.accuracy < 0.45


def test_rows_of_several_labels_have_an_answer_for_each():
    features, labels = rows(400, 5)
    marks = torch.stack([labels == 0, labels < 2], 1).float()
    found = probe.fit(features, marks, 2, seed=0)
    fresh, truth = rows(2000, 6)
    answers = (fresh @ found.weight.T + found.bias > 0).numpy()
    assert np.mean(answers == np.stack([truth == 0, truth < 2], 1)) > 0.9 and found.accuracy > 0.85


def test_a_class_with_a_single_row_does_no_harm():
    features, labels = rows(60, 7)
    labels[labels == 3] = 0
    labels[5] = 3
    assert probe.fit(features, labels, CLASSES, seed=0).weight.shape == (CLASSES, 12)
