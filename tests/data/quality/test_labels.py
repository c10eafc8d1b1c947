"""Faults of labels and classes are found."""

import pytest

from tests.data.quality.planted import found, sentences, table


def labelled(counts: dict[str, int]) -> list[tuple[str, str]]:
    texts = iter(sentences(sum(counts.values())))
    return [(next(texts), label) for label, count in counts.items() for _ in range(count)]


def test_spellings_of_one_label_are_merged_into_the_commonest(tmp_path):
    rows = labelled({"positive": 40, "Positive": 10, "POSITIVE": 2, "negative": 40, "ice cream": 20, "ice_cream": 12})
    findings = found(table(tmp_path / "t.csv", rows))
    merge = {label: found.into for label, found in findings["label_spellings"].decision.merge.items()}
    assert merge == {"Positive": "positive", "POSITIVE": "positive", "ice_cream": "ice cream"}
    assert findings["label_spellings"].severity == "error" and set(findings) == {"label_spellings"}


def test_a_rare_label_that_differs_in_a_letter_from_a_common_one_is_taken_for_a_slip(tmp_path):
    findings = found(table(tmp_path / "t.csv", labelled({"positive": 60, "postive": 3, "negative": 60})))
    assert {a: b.into for a, b in findings["label_typos"].decision.merge.items()} == {"postive": "positive"}


@pytest.mark.parametrize(
    "names", [("house", "horse"), ("class 1", "class 2"), ("1", "-1"), ("C", "C++"), ("NUM", "HUM")]
)
def test_different_labels_are_left_alone(tmp_path, names):
    assert found(table(tmp_path / "t.csv", labelled(dict.fromkeys(names, 30)))) == {}


def test_the_beginning_of_another_label_is_taken_for_short(tmp_path):
    finding = found(table(tmp_path / "t.csv", labelled({"positive": 40, "Positive": 9, "negative": 40, "NEG": 40})))
    assert {a: b.into for a, b in finding["label_abbreviations"].decision.merge.items()} == {"NEG": "negative"}


@pytest.mark.parametrize("names", [("car", "cargo"), ("pos", "positive", "possible"), ("1", "100"), ("no", "normal")])
def test_a_label_that_is_no_short_form_is_left_alone(tmp_path, names):
    assert found(table(tmp_path / "t.csv", labelled(dict.fromkeys(names, 30)))) == {}


def test_rare_numbers_are_no_slips_of_common_ones(tmp_path):
    assert "label_typos" not in found(
        table(tmp_path / "t.csv", labelled({"grade 1": 60, "grade 2": 60, "grade 3": 11}))
    )


def test_classes_too_small_to_be_divided_are_errors_and_small_ones_warnings(tmp_path):
    findings = found(table(tmp_path / "t.csv", labelled({"a": 40, "b": 40, "tiny": 2, "small": 9})))
    assert findings["tiny_classes"].severity == "error" and findings["tiny_classes"].examples[0].excerpt == "tiny"
    assert len(findings["tiny_classes"].decision.exclude) == 2
    assert findings["small_classes"].severity == "warning" and len(findings["small_classes"].decision.exclude) == 9


def test_repeated_rows_do_not_make_a_class_large(tmp_path):
    rows = labelled({"a": 40, "b": 40}) + [("the very same", "c")] * 20
    assert found(table(tmp_path / "t.csv", rows))["tiny_classes"].examples[0].remark == "20 rows, 1 different"


def test_imbalance_tells_how_far_the_commonest_answer_goes(tmp_path):
    finding = found(table(tmp_path / "t.csv", labelled({"a": 190, "b": 10})))["imbalance"]
    assert "19 times" in finding.title and "95%" in finding.remedy
    assert "imbalance" not in found(table(tmp_path / "u.csv", labelled({"a": 90, "b": 10})))
