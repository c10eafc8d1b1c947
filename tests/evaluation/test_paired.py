"""McNemar's test, Holm's correction and the paired bootstrap, by hand, against scipy, and by simulation."""

import json
import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from studio import cli_evaluate
from studio.errors import RequestError
from studio.evaluation import paired
from tests.finished_runs import answers, write_report, write_run


def read(tmp_path, name, rows):
    folder = tmp_path / name
    folder.mkdir()
    write_report(folder / "report", rows)
    return paired.answers(folder / "report")


def as_answers(rows):
    return {row: ((truth,), (given,)) for row, (truth, given) in rows.items()}


def test_few_rows_are_tested_exactly_as_by_hand():
    # 1 against 5: 2 * (C(6,0) + C(6,1)) / 2^6 = 14/64
    assert paired.mcnemar(1, 5) == pytest.approx(14 / 64)
    assert paired.mcnemar(0, 0) == 1.0
    assert paired.mcnemar(3, 3) == 1.0


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 3), (2, 9), (10, 14), (12, 12)])
def test_the_exact_test_is_scipys(only_first, only_second):
    wanted = stats.binomtest(only_first, only_first + only_second, 0.5).pvalue
    assert paired.mcnemar(only_first, only_second) == pytest.approx(wanted)


@pytest.mark.parametrize(("only_first", "only_second"), [(10, 25), (40, 41), (50, 50), (300, 380), (0, 30)])
def test_with_more_rows_half_of_the_observed_outcome_counts(only_first, only_second):
    tosses = only_first + only_second
    exact = 2 * stats.binom.cdf(min(only_first, only_second), tosses, 0.5)
    wanted = exact - stats.binom.pmf(only_first, tosses, 0.5)
    assert paired.mcnemar(only_first, only_second) == pytest.approx(min(1.0, wanted))
    assert paired.mcnemar(only_first, only_second) == paired.mcnemar(only_second, only_first)


@pytest.mark.parametrize("disagreeing", [0.02, 0.1, 0.4])
def test_two_equally_good_models_are_told_apart_in_at_most_5_percent_of_trials(disagreeing):
    chance = np.random.default_rng(0)
    trials, rows = 4000, 400
    discordant = chance.binomial(rows, disagreeing, trials)
    first = chance.binomial(discordant, 0.5)
    wrong = sum(paired.mcnemar(int(a), int(n - a)) < 0.05 for a, n in zip(first, discordant, strict=True)) / trials
    assert wrong <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)
    assert wrong > 0.005  # a test that never says anything would pass the line above


def test_holm_is_as_by_hand_and_leaves_out_what_could_not_be_tested():
    assert paired.holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06], nan_ok=True)
    assert paired.holm([0.6, 0.7]) == [1.0, 1.0]


def test_the_difference_is_that_of_the_scores():
    chance = np.random.default_rng(1)
    names = np.array(list("abc"))
    truth, first, second = (names[chance.integers(0, 3, 300)] for _ in range(3))
    second = np.where(chance.random(300) < 0.6, truth, second)
    found = paired.compare(
        {str(i): ((t,), (a,)) for i, (t, a) in enumerate(zip(truth, first, strict=True))},
        {str(i): ((t,), (b,)) for i, (t, b) in enumerate(zip(truth, second, strict=True))},
    )
    assert found.accuracy == pytest.approx((second == truth).mean() - (first == truth).mean())
    wanted = f1_score(truth, second, average="macro") - f1_score(truth, first, average="macro")
    assert found.f1_macro == pytest.approx(wanted)
    assert found.only_first == ((first == truth) & (second != truth)).sum()


@pytest.mark.slow
def test_the_intervals_are_those_of_rows_drawn_one_by_one():
    chance = np.random.default_rng(2)
    truth = chance.integers(0, 2, 200)
    first = np.where(chance.random(200) < 0.7, truth, 1 - truth)
    second = np.where(chance.random(200) < 0.8, truth, 1 - truth)
    pairs = [
        {str(i): ((str(t),), (str(g),)) for i, (t, g) in enumerate(zip(truth, given, strict=True))}
        for given in (first, second)
    ]
    found = paired.compare(*pairs, resamples=4000)
    drawn = chance.integers(0, 200, (4000, 200))
    by_rows = ((second == truth)[drawn].mean(axis=1) - (first == truth)[drawn].mean(axis=1)).round(12)
    assert found.accuracy_interval == pytest.approx(np.quantile(by_rows, [0.025, 0.975]), abs=0.011)
    by_rows = [
        f1_score(truth[rows], second[rows], average="macro") - f1_score(truth[rows], first[rows], average="macro")
        for rows in drawn[:600]
    ]
    assert found.f1_macro_interval == pytest.approx(np.quantile(by_rows, [0.025, 0.975]), abs=0.025)


def test_an_interval_holds_the_true_difference_in_about_95_percent_of_trials():
    chance = np.random.default_rng(3)
    held = 0
    for _ in range(150):
        truth = ["a"] * 300
        marks = [chance.random(300) < share for share in (0.7, 0.75)]
        first, second = (
            {str(i): (("a",), ("a" if m else "b",)) for i, (_, m) in enumerate(zip(truth, right, strict=True))}
            for right in marks
        )
        low, high = paired.compare(first, second, resamples=300).accuracy_interval
        held += low <= 0.05 <= high
    assert 0.88 <= held / 150 <= 0.99


def test_only_rows_that_both_were_tested_on_count():
    first = as_answers(answers("1111" + "0000"))
    second = {**as_answers(answers("0000" + "0000")), "elsewhere": (("a",), ("a",))}
    del second["row0"]
    found = paired.compare(first, second)
    assert (found.rows, found.first_rows, found.second_rows) == (7, 8, 8)
    assert (found.only_first, found.only_second) == (3, 0)
    assert not found.same_rows


def test_rows_that_were_relabelled_between_the_runs_are_left_out():
    first, second = as_answers(answers("11")), as_answers(answers("11"))
    second["row1"] = (("a",), ("a",))
    found = paired.compare(first, second)
    assert (found.rows, found.relabelled) == (1, 1)


def test_runs_that_share_no_row_are_not_told_apart():
    found = paired.compare({"x": (("a",), ("a",))}, {"y": (("a",), ("b",))})
    assert (found.rows, found.p) == (0, None)
    assert "share no test rows" in found.sentence("A", "B", None)


def test_rows_with_several_labels_are_right_when_all_labels_are(tmp_path):
    first = {"x": (("a", "b"), ("a", "b")), "y": ((), ()), "z": (("a",), ())}
    second = {"x": (("a", "b"), ("a",)), "y": ((), ("b",)), "z": (("a",), ("a",))}
    found = paired.compare(first, second)
    assert (found.only_first, found.only_second) == (2, 1)
    # first: a 1 of 2 found (F1 2/3), b perfect; second: a perfect, b one missed and one wrong (F1 0)
    assert found.f1_macro == pytest.approx((1 + 0) / 2 - (2 / 3 + 1) / 2)
    folder = tmp_path / "report"
    rows = {"x": (["b", "a"], ["a"])}
    folder.mkdir()
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"row_id": ["x"], "split": ["test"], "label": [rows["x"][0]], "prediction": [rows["x"][1]]}
    pq.write_table(pa.table(columns), folder / "predictions.parquet")
    assert paired.answers(folder) == {"x": (("a", "b"), ("a",))}


def test_the_sentence_names_the_better_run_and_how_much_better():
    better = paired.compare(as_answers(answers("0" * 30 + "1" * 70)), as_answers(answers("1" * 100)))
    assert better.sentence("A", "B", better.p) == (
        f"B is better than A: 30.0 points of accuracy, 95 % interval {100 * better.accuracy_interval[0]:.1f} to "
        f"{100 * better.accuracy_interval[1]:.1f} (p below 0.001)."
    )
    worse = paired.compare(as_answers(answers("1" * 100)), as_answers(answers("0" * 30 + "1" * 70)))
    assert worse.sentence("A", "B", worse.p).startswith("A is better than B: 30.0 points")
    low, high = worse.accuracy_interval
    assert f"{-100 * high:.1f} to {-100 * low:.1f}" in worse.sentence("A", "B", worse.p)
    assert "may be chance" in better.sentence("A", "B", 0.2)


def test_compare_shows_scores_differing_settings_and_the_test(tmp_path, program):
    write_run(tmp_path, "one", answers("1" * 60 + "0" * 40), settings="learning_rate: 1.0e-4\nseed: 7\n")
    write_run(tmp_path, "two", answers("1" * 80 + "0" * 20), settings="learning_rate: 2.0e-4\nseed: 7\n")
    write_run(tmp_path, "new", None)
    env = {"STUDIO_RUNS": str(tmp_path)}
    done = program("-m", "studio", "compare", "one", "two", "new", "--json", env=env)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["settings"] == {"learning_rate": [1e-4, 2e-4, 1e-4], "seed": [7, 7, None]}
    assert [row["test"] and row["test"]["accuracy"] for row in found["runs"]] == [0.6, 0.8, None]
    (test,) = found["tests"]
    assert (test["only_first"], test["only_second"], test["same_rows"]) == (0, 20, True)
    assert test["sentence"].startswith("two is better than one: 20.0 points")
    assert found["notes"] == ["new has no test scores yet: they come when a run has finished."]
    shown = program("-m", "studio", "compare", "one", "two", env=env)
    assert "two is better than one" in shown.stdout and "0.800 (0.750 to 0.850)" in shown.stdout.replace("\n", " ")
    torch = program("-X", "importtime", "-m", "studio", "compare", "one", "two", env=env)
    assert not {"torch", "transformers", "datasets"} & {
        line.split("|")[-1].strip() for line in torch.stderr.splitlines()
    }


def test_different_test_rows_and_many_comparisons_are_said(tmp_path):
    folders = [
        write_run(tmp_path, "one", answers("1" * 40)),
        write_run(tmp_path, "two", answers("1" * 30)),
        write_run(tmp_path, "three", answers("1" * 40)),
    ]
    notes = " ".join(cli_evaluate.comparison(folders)["notes"])
    assert "one was tested on 40 rows and two on 30; only the 30" in notes and "--splits_from" in notes
    assert "three" not in notes
    assert "2 comparisons are made" in notes


def test_the_recall_of_each_class_is_told_where_there_are_few_enough_to_read(tmp_path):
    folders = [write_run(tmp_path, "one", answers("10" * 20)), write_run(tmp_path, "two", answers("1" * 39 + "0"))]
    write_run(tmp_path, "new", None)
    recalls = cli_evaluate.comparison([*folders, tmp_path / "new"])["recalls"]
    told = {label: [row and (row["recall"], row["support"]) for row in runs] for label, runs in recalls.items()}
    assert told == {"a": [(1.0, 20), (1.0, 20), None], "b": [(0.0, 20), (0.95, 20), None]}
    low, high = recalls["b"][1]["intervals"]["recall"]
    label, none, found, unscored = cli_evaluate.recall_rows(recalls)[1]
    assert (label, found, unscored) == ("b", f"0.950 ({low:.3f} to {high:.3f})", "") and none.startswith("0.000 (")
    metrics = folders[0] / "report" / "metrics.json"
    told = json.loads(metrics.read_text())
    told["splits"]["test"]["per_class"] = {f"class {at}": {"recall": 1.0, "support": 3} for at in range(20)}
    metrics.write_text(json.dumps(told))
    assert cli_evaluate.comparison(folders)["recalls"] == {}


def test_a_damaged_report_is_named(tmp_path):
    folders = [write_run(tmp_path, name, answers("10")) for name in ("one", "two")]
    (folders[1] / "report" / "metrics.json").write_text("{")
    with pytest.raises(RequestError, match="leave two out"):
        cli_evaluate.comparison(folders)


@pytest.mark.parametrize("names", [["one"], ["one", "one"]])
def test_one_run_is_not_compared_with_itself(tmp_path, program, names):
    write_run(tmp_path, "one", answers("10"))
    done = program("-m", "studio", "compare", *names, env={"STUDIO_RUNS": str(tmp_path)})
    assert done.returncode == 2 and "2 to 8 different runs" in done.stderr
