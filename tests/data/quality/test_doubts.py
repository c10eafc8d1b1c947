"""Wrong labels and outliers are found by models that have not seen the row they judge."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.data.quality import doubts
from studio.data.quality.doubts import by_features, by_run, out_of_sample, rank
from studio.errors import RequestError
from tests.data.quality.planted import good, items, sentences, table


@pytest.fixture
def clouds():
    """400 points of two classes, their labels, and which 40 of these were turned."""
    chance = np.random.default_rng(0)
    labels = np.arange(400) % 2
    points = chance.normal(size=(400, 8)) + 2 * labels[:, None]
    turned = chance.permutation(400)[:40]
    given = labels.copy()
    given[turned] = 1 - given[turned]
    return points, given, turned


def test_turned_labels_come_first(clouds):
    points, given, turned = clouds
    ranked, _ = rank(given, out_of_sample([points], given, np.arange(400)))
    assert np.isin(ranked[:40], turned).mean() > 0.9 and np.isin(turned, ranked).mean() > 0.7


def test_labels_that_are_right_are_hardly_doubted(clouds):
    points = clouds[0]
    labels = np.arange(400) % 2
    assert len(rank(labels, out_of_sample([points], labels, np.arange(400)))[0]) < 8


def test_no_row_is_judged_by_a_model_that_saw_its_copy():
    """A hundred numbers that say nothing can be learnt by heart, but not of rows in the same fold."""
    chance = np.random.default_rng(0)
    once, labels = chance.normal(size=(120, 300)), chance.integers(0, 2, 120)
    points, labels, units = np.tile(once, (2, 1)), np.tile(labels, 2), np.tile(np.arange(120), 2)
    apart = out_of_sample([points], labels, units).argmax(axis=1)
    torn = out_of_sample([points], labels, np.arange(240)).argmax(axis=1)
    assert np.mean(apart == labels) < 0.65 and np.mean(torn == labels) > 0.8


def test_training_rows_are_ranked_with_what_they_look_like(tmp_path):
    rows = [(f"{'good' if at % 2 else 'bad'} {text}", "ab"[at % 2]) for at, text in enumerate(sentences(200))]
    rows[20] = (rows[20][0], "b")
    found, _ = items(table(tmp_path / "t.csv", rows))
    meant = np.array([[4.0 if text.startswith("good") else -4.0, 1.0] for text, _ in rows])
    finding = next(by_features(found, lambda at: meant[at]))
    assert finding.kind == "label_errors" and finding.examples[0].place == "t.csv, line 22"
    assert finding.examples[0].remark.startswith("b; looks like a (") and finding.count < 5
    assert finding.examples[0].row in finding.decision.exclude and "of the 200 training rows" in finding.title


def test_a_row_far_from_all_others_is_an_outlier(tmp_path):
    found, _ = items(table(tmp_path / "t.csv", good(200)))
    chance = np.random.default_rng(0)
    points = chance.normal(size=(200, 6)) * 0.3 + 5
    points[7] = [-5, 5, -5, 5, -5, 5]
    findings = {finding.kind: finding for finding in by_features(found, lambda at: points[at])}
    assert findings["outliers"].count == 1 and findings["outliers"].examples[0].place == "t.csv, line 9"


def test_labels_that_rows_with_several_lack_or_have_wrongly_are_found_with_what_they_should_be(tmp_path):
    true = [[["x"], ["y"], ["x", "y"]][at % 3] for at in range(240)]
    given = [list(labels) for labels in true]
    for at in range(30, 60, 3):  # a y too many, and one too few
        given[at], given[at + 2] = ["x", "y"], ["x"]
    texts = [
        f"{text} {' '.join(2 * name for name in labels)}" for text, labels in zip(sentences(240), true, strict=True)
    ]
    rows = [(text, ";".join(labels)) for text, labels in zip(texts, given, strict=True)]
    meant = np.array([[8.0 * ("x" in labels) - 4, 8.0 * ("y" in labels) - 4] for labels in true])
    meant += np.random.default_rng(0).normal(size=meant.shape)
    found, _ = items(table(tmp_path / "t.csv", rows), label_delimiter=";")
    finding = next(by_features(found, lambda at: meant[at]))
    proposed = {row: new.label for row, new in finding.relabel.relabel.items()}
    right = dict(zip(found.ids(np.arange(240)), true, strict=True))
    assert 12 <= finding.count <= 22 and sum(right[row] == labels for row, labels in proposed.items()) >= 12
    assert all(" like y (" in example.remark for example in finding.examples)


def test_a_row_may_take_the_label_that_it_looks_like(tmp_path):
    rows = [(f"{'good' if at % 2 else 'bad'} {text}", "ab"[at % 2]) for at, text in enumerate(sentences(200))]
    rows[20] = (rows[20][0], "b")
    place = table(tmp_path / "t.csv", rows)
    found, report = items(place)
    report.add(by_features(found, lambda at: np.array([[4.0 if t.startswith("good") else -4.0] for t, _ in rows])[at]))
    decisions = report.decisions(["label_errors:relabel"])
    assert next(iter(decisions.relabel.values())).label == "a" and not decisions.exclude
    with pytest.raises(RequestError, match="label_errors, label_errors:relabel$"):
        report.decisions(["leak"])


def test_rows_of_which_there_are_too_few_to_learn_from_are_refused(tmp_path):
    rows = [*good(8), *((text, "a") for text in sentences(40, seed=1))]
    found, _ = items(table(tmp_path / "t.csv", rows))
    with pytest.raises(RequestError, match="two classes with at least 5 different training rows"):
        list(by_features(found, lambda at: np.zeros((len(at), 2))))
    found, _ = items(table(tmp_path / "m.csv", [(text, "x;y") for text in sentences(40)]), label_delimiter=";")
    with pytest.raises(RequestError, match="a label that at least 5 different training rows have, and 5 have not"):
        list(by_features(found, lambda at: np.zeros((len(at), 2))))


def test_a_run_tells_which_of_the_rows_it_was_tested_on_are_probably_wrong(tmp_path):
    found, _ = items(table(tmp_path / "t.csv", good(200)))
    at = np.arange(100)
    labels = np.array(list("ab"))[found.labels[at]]
    probability = np.where(labels == "a", 0.95, 0.05)
    probability[3] = 0.98  # of the label a, and the row is labelled b
    probability[10] = 0.52
    columns = {"row_id": found.ids(at), "split": ["test"] * 100, "label": labels, "prediction": labels}
    columns |= {"score": np.maximum(probability, 1 - probability)}
    columns |= {"probability_a": probability, "probability_b": 1 - probability}
    (tmp_path / "report").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "report" / doubts.PREDICTIONS)
    findings = {finding.kind: finding for finding in by_run(found, tmp_path / "report")}
    assert findings["label_errors"].count == 1 and findings["label_errors"].examples[0].place == "t.csv, line 5"
    assert findings["label_errors"].examples[0].remark == "b; looks like a (98%)"
    assert "100 validation and test rows" in findings["label_errors"].title
    assert findings["unsure"].count == 1 and findings["unsure"].examples[0].place == "t.csv, line 12"


def test_a_run_on_several_labels_tells_which_of_them_are_probably_wrong(tmp_path):
    rows = [(text, ["x", "y", "x;y"][at % 3]) for at, text in enumerate(sentences(120))]
    found, _ = items(table(tmp_path / "t.csv", rows), label_delimiter=";")
    at = np.arange(90)
    labels = [rows[one][1].split(";") for one in at]
    columns = {"row_id": found.ids(at), "split": ["test"] * 90, "label": labels, "prediction": labels}
    columns |= {f"probability_{name}": [0.97 if name in given else 0.03 for given in labels] for name in "xy"}
    columns["probability_y"][3] = 0.98  # of a row labelled x
    (tmp_path / "report").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "report" / doubts.PREDICTIONS)
    (finding,) = by_run(found, tmp_path / "report")
    assert finding.count == 1 and finding.examples[0].remark == "x; looks like y (98%)"
    assert finding.relabel.relabel[finding.examples[0].row].label == ["x", "y"]
