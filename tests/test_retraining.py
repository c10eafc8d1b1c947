"""The benchmark of trainings with and without wrong labels counts and compares as it says."""

import numpy as np
import pytest

from studio.data.curation import Curation, Relabel
from studio.evaluation.paired import compare
from tests.bench.pooled import Difference, pooled
from tests.bench.retraining import remaining, sentence
from tests.bench.sections import put
from tests.bench.turned import turn


def answers(truth: np.ndarray, given: np.ndarray) -> dict:
    return {
        f"{row:03}": (("ab"[true],), ("ab"[one],)) for row, (true, one) in enumerate(zip(truth, given, strict=True))
    }


def wrong_at(truth: np.ndarray, share: float, seed: int) -> dict:
    return answers(truth, turn(truth, share, seed)[0])


@pytest.fixture
def truth():
    return np.arange(400) % 2


def test_as_many_labels_are_turned_as_asked_and_each_of_them_into_another(truth):
    classes = np.arange(300) % 3
    given, turned = turn(classes, 0.2, seed=1)
    assert len(turned) == 60 and sorted(turned) == np.flatnonzero(given != classes).tolist()
    assert set(given) == {0, 1, 2} and np.array_equal(turn(classes, 0.2, seed=1)[0], given)


def test_one_pair_of_models_differs_as_the_paired_comparison_says(truth):
    first, second = wrong_at(truth, 0.3, 0), wrong_at(truth, 0.2, 1)
    found, known = pooled([(first, second)]), compare(first, second, resamples=4000)
    assert found["accuracy"].mean == pytest.approx(known.accuracy) == pytest.approx(0.1)
    assert found["f1_macro"].mean == pytest.approx(known.f1_macro)
    assert found["accuracy"][1:] == pytest.approx(known.accuracy_interval, abs=0.005)
    assert found["f1_macro"][1:] == pytest.approx(known.f1_macro_interval, abs=0.005)


def test_the_mean_is_over_all_pairs_and_the_interval_grows_with_what_lies_between_them(truth):
    base = wrong_at(truth, 0.3, 0)
    same = [(base, wrong_at(truth, 0.2, 1))] * 3
    apart = [(base, wrong_at(truth, share, 1)) for share in (0.1, 0.2, 0.3)]
    close, wide = pooled(same)["accuracy"], pooled(apart)["accuracy"]
    assert close.mean == pytest.approx(0.1) == wide.mean
    assert wide.high - wide.low > 1.2 * (close.high - close.low)


def test_pairs_that_answer_the_same_rows_are_no_further_test_rows(truth):
    """Three times the same answers are as sure as one, not as three times as many rows."""
    pair = wrong_at(truth, 0.3, 0), wrong_at(truth, 0.2, 1)
    once, thrice = pooled([pair])["accuracy"], pooled([pair] * 3)["accuracy"]
    assert thrice.high - thrice.low == pytest.approx(once.high - once.low, rel=0.1)


def test_wrong_labels_are_counted_as_decisions_leave_them():
    ids, given, right = ["1", "2", "3", "4"], list("aabb"), list("abab")  # the second and the third are wrong
    assert remaining(Curation(), ids, given, right) == (4, 2)
    assert remaining(Curation(exclude={"2": "", "4": ""}), ids, given, right) == (2, 1)
    assert remaining(Curation(relabel={"2": Relabel("b", ""), "1": Relabel("b", "")}), ids, given, right) == (4, 2)


@pytest.mark.parametrize(
    "interval, told", [((0.01, 0.03), "helped"), ((-0.03, -0.01), "did harm"), ((-0.01, 0.03), "may be chance")]
)
def test_the_sentence_says_which_way_it_went(interval, told):
    assert told in sentence("This", Difference(sum(interval) / 2, *interval))


def test_each_program_replaces_its_own_section_of_a_document(tmp_path):
    file = tmp_path / "d.md"
    put(file, "# First\n\none\n\n| a |\n")
    put(file, "## Second\n\ntwo\n")
    put(file, "# First\n\nnew\n")
    assert file.read_text() == "# First\n\nnew\n\n## Second\n\ntwo\n"
    put(file, "## Second\n\nnewer\n")
    assert file.read_text() == "# First\n\nnew\n\n## Second\n\nnewer\n"
