"""The division into training, validation and test rows is stratified, repeatable, and never lets a content cross."""

import contextlib
from collections import Counter

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Image, List, Value
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from studio.config import TextData
from studio.data import carving, splits
from studio.data.reading.rows import hash_text
from studio.data.sources import Source
from studio.errors import RequestError

PARTS = ("train", "validation", "test")


def rows(texts: list[str], labels: list[int], names: list[str], prefix: str = "") -> Dataset:
    features = Features(text=Value("string"), label=ClassLabel(names=names), row_id=Value("string"))
    ids = [f"{prefix}{hash_text(text):016x}-{texts[:at].count(text)}" for at, text in enumerate(texts)]
    return Dataset.from_dict({"text": texts, "label": labels, "row_id": ids}, features=features)


def source(labels: list[int], texts: list[str] | None = None, **given_splits: Dataset) -> Source:
    names = [f"class {at}" for at in range(max(labels) + 1)]
    texts = texts or [f"text {at} {label}" for at, label in enumerate(labels)]
    return Source({"train": rows(texts, labels, names), **given_splits}, names, ["read well"], "reviews.csv")


def divide(found: Source, seed: int = 0, **flags) -> splits.Splits:
    return splits.divide(found, TextData(**flags), seed)


def sizes(divided: splits.Splits) -> list[int]:
    return [len(getattr(divided, part)) for part in PARTS]


def ids(divided: splits.Splits) -> list[set[str]]:
    return [set(getattr(divided, part)["row_id"]) for part in PARTS]


def test_missing_splits_are_carved_in_the_given_fractions_and_every_class_keeps_its_share():
    divided = divide(source([0] * 800 + [1] * 180 + [2] * 20), validation_fraction=0.1, test_fraction=0.2)
    assert sizes(divided) == [700, 100, 200]
    assert np.bincount(divided.test["label"]).tolist() == [160, 36, 4]
    assert np.bincount(divided.validation["label"]).tolist() == [80, 18, 2]
    assert len(set.union(*ids(divided))) == 1000


def test_the_same_seed_divides_alike_and_another_one_differently():
    found = source([0, 1] * 100)
    assert ids(divide(found, seed=1)) == ids(divide(found, seed=1))
    assert ids(divide(found, seed=1)) != ids(divide(found, seed=2))


def test_the_order_of_the_rows_plays_no_part():
    labels = [at % 3 for at in range(120)]
    texts = [f"text {at}" for at in range(120)]
    one, other = source(labels, texts), source(labels[::-1], texts[::-1])
    flags = {"max_train_samples": 50, "max_predict_samples": 9}
    assert ids(divide(one, **flags)) == ids(divide(other, **flags))


def test_given_splits_are_taken_as_they_are():
    found = source([0, 1] * 50)
    given_test = rows(["new one", "new two"], [0, 1], found.labels)
    found.splits["test"] = given_test
    divided = divide(found, validation_fraction=0.1)
    assert list(divided.test["text"]) == ["new one", "new two"]
    assert sizes(divided) == [90, 10, 2]


def test_a_given_split_that_repeats_training_rows_is_reported_with_counts():
    found = source([0, 1] * 50)
    found.splits["test"] = rows(["TEXT 0  0", "new", "text 1 1"], [0, 1, 1], found.labels, prefix="t")
    assert any("2 of the 3 test rows" in note for note in divide(found).notes)


def test_texts_that_differ_only_in_case_and_space_never_cross():
    texts = [f"text {at // 2}" if at % 2 else f" TEXT  {at // 2}\n" for at in range(400)]
    divided = divide(source([at // 2 % 2 for at in range(400)], texts))
    parts = [{" ".join(text.casefold().split()) for text in getattr(divided, part)["text"]} for part in PARTS]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert any("200 training rows repeat" in note for note in divided.notes)


def test_a_letter_and_its_decomposed_form_are_one_content():
    divided = divide(
        source([0, 1] * 20, [f"caf\u00e9 {at // 4}" if at % 4 < 2 else f"cafe\u0301 {at // 4}" for at in range(40)])
    )
    numbers = [{text.split()[1] for text in getattr(divided, part)["text"]} for part in PARTS]
    assert not (numbers[0] & numbers[1] or numbers[0] & numbers[2] or numbers[1] & numbers[2])


def test_pictures_of_the_same_bytes_never_cross():
    features = Features(image=Image(decode=False), label=ClassLabel(names=["a", "b"]), row_id=Value("string"))
    pictures = [{"bytes": bytes([at // 3]), "path": None} for at in range(90)]
    columns = {"image": pictures, "label": [at // 3 % 2 for at in range(90)]}
    columns["row_id"] = [f"{at // 3:016x}-{at % 3}" for at in range(90)]
    found = Source({"train": Dataset.from_dict(columns, features=features)}, ["a", "b"], [], "photos")
    parts = [{row_id[:16] for row_id in part} for part in ids(divide(found))]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])


def test_contents_with_several_labels_are_reported():
    texts = [f"text {at // 2}" for at in range(60)]
    labels = [0 if at < 50 else at % 2 for at in range(60)]
    labels[:20] = [1] * 20
    assert any("5 contents" in note and "different labels" in note for note in divide(source(labels, texts)).notes)


def test_a_content_repeated_very_often_does_not_fill_the_test_set():
    texts = ["the same"] * 300 + [f"text {at}" for at in range(100)]
    divided = divide(source([0] * 350 + [1] * 50, texts), test_fraction=0.15, validation_fraction=0.1)
    assert "the same" in divided.train["text"]
    assert len(divided.test) > 10 and set(divided.test["label"]) == {0, 1}


def test_a_class_of_three_rows_is_in_every_split_and_one_of_two_is_refused():
    divided = divide(source([0] * 50 + [1] * 3))
    assert all(list(getattr(divided, part)["label"]).count(1) == 1 for part in PARTS)
    with pytest.raises(RequestError, match="class 'class 1' has too few rows .* 2 found"):
        divide(source([0] * 50 + [1] * 2))


def test_a_class_with_one_example_is_refused_by_name_and_with_the_remedy():
    with pytest.raises(RequestError, match="reviews.csv: class 'class 2' .* 1 found.*--validation_file"):
        divide(source([0, 1] * 30 + [2]))


def test_repeats_of_one_text_do_not_make_a_class_large_enough():
    texts = [f"text {at}" for at in range(40)] + ["again"] * 5
    with pytest.raises(RequestError, match="5 found, 1 of them different"):
        divide(source([0] * 40 + [1] * 5, texts))


def test_limits_draw_from_every_class_in_proportion():
    divided = divide(
        source([0] * 800 + [1] * 180 + [2] * 20), max_train_samples=60, max_eval_samples=10, max_predict_samples=3
    )
    assert sizes(divided) == [60, 10, 3]
    assert np.bincount(divided.train["label"]).tolist() == pytest.approx([48, 11, 1], abs=1)
    assert set(divided.test["label"]) == {0, 1, 2}


def test_the_division_of_another_run_is_used_again(tmp_path):
    first = divide(source([0, 1] * 40), seed=1)
    splits.save(first, tmp_path / "splits")
    again = divide(source([0, 1] * 40), seed=2, splits_from=str(tmp_path))
    assert [list(getattr(again, part)["row_id"]) for part in PARTS] == [
        list(getattr(first, part)["row_id"]) for part in PARTS
    ]
    assert (tmp_path / "splits" / "test.txt").read_text().splitlines() == list(first.test["row_id"])


def test_the_division_of_other_data_is_refused_with_counts(tmp_path):
    splits.save(divide(source([0, 1] * 40)), tmp_path / "splits")
    with pytest.raises(RequestError, match=r"--splits_from .* 60 of its 60 train rows"):
        divide(source([0, 1] * 40, [f"other {at}" for at in range(80)]), splits_from=str(tmp_path))


@pytest.mark.parametrize("resumed", [True, False])
def test_a_division_of_other_data_or_other_classes_is_refused_in_the_words_of_the_case(tmp_path, resumed):
    found = source([0, 1] * 40)
    splits.save(divide(found), tmp_path / "splits")
    renamed = Source(found.splits, ["class 0", "class one"], [], "reviews.csv")
    for other, what in (
        (renamed, "the classes of reviews.csv are others .* .'class 1', 'class one'."),
        (Source(found.splits, found.labels[::-1], [], "reviews.csv"), "the classes .* in another order"),
        (source([0, 1] * 40, [f"other {at}" for at in range(80)]), "60 of its 60 train rows"),
    ):
        start, end = ("the data has changed since this run was started: ", "; start a new run$")
        with pytest.raises(RequestError, match=f"^{start}.*{what}.*{end}" if resumed else f"^--splits_from .*{what}"):
            flags = TextData(splits_from=None if resumed else str(tmp_path))
            splits.divide(other, flags, 0, before=tmp_path if resumed else None)
    (tmp_path / "splits" / "labels.json").unlink()  # as a run of before this file was written
    splits.divide(renamed, TextData(), 0, before=tmp_path)


def test_a_division_is_saved_whole_or_not_at_all(tmp_path, monkeypatch):
    divided = divide(source([0, 1] * 40))
    monkeypatch.setattr(splits, "SPLITS", ("train", "validation", "no/folder"))
    with pytest.raises(OSError, match="no/folder"):
        splits.save(divided, tmp_path / "splits")
    assert not (tmp_path / "splits").exists() and list(tmp_path.iterdir())
    monkeypatch.undo()
    splits.save(divided, tmp_path / "splits")
    assert {file.name for file in (tmp_path / "splits").iterdir()} == {
        "train.txt", "validation.txt", "test.txt", "labels.json"
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["splits"]


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RequestError, match="--splits_from .* is no run folder"):
        divide(source([0, 1] * 40), splits_from=str(tmp_path))


def test_what_was_noted_while_reading_is_kept():
    assert divide(source([0, 1] * 20)).notes[0] == "read well"


@settings(max_examples=1000, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 4)), min_size=1, max_size=150),
    st.lists(st.floats(0.01, 0.45), max_size=2),
    st.integers(0, 2**32 - 1),
)
def test_no_content_ever_crosses_and_every_class_that_can_is_in_every_part(pairs, fractions, seed):
    contents, labels = (np.array(column) for column in zip(*pairs, strict=True))
    parts = carving.carve(contents.astype(np.uint64), labels, fractions, seed)
    for content in np.unique(contents):
        assert len(set(parts[contents == content])) == 1
    assert set(parts) <= set(range(len(fractions) + 1))
    pure = [content for content in np.unique(contents) if len(set(labels[contents == content])) == 1]
    for label in np.unique(labels):
        if len(set(contents[labels == label]) & set(pure)) > len(fractions):
            assert set(parts[labels == label]) == set(range(len(fractions) + 1))
    shuffled = np.random.default_rng(seed).permutation(len(contents))
    assert (
        carving.carve(contents[shuffled].astype(np.uint64), labels[shuffled], fractions, seed) == parts[shuffled]
    ).all()


def grouped(labels: list[int], groups: list[str | None], **columns) -> Source:
    found = source(labels, **columns)
    train = found.splits["train"].add_column("group", groups)
    return Source({"train": train.cast_column("group", Value("string"))}, found.labels, [], "reviews.csv")


def test_a_grouped_split_never_shares_a_patient_nor_a_text():
    patients = [f"patient {at // 5}" for at in range(300)]
    texts = [f"text {at if at % 7 else at % 49}" for at in range(300)]  # some texts stand with several patients
    divided = divide(grouped([at % 2 for at in range(300)], patients, texts=texts), group_column_name="patient")
    assert all(size >= 20 for size in sizes(divided))
    for name in ("group", "text"):
        parts = [set(getattr(divided, part)[name]) for part in PARTS]
        assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert any("sets of rows that stay together" in note for note in divided.notes)


def test_a_class_of_too_few_groups_is_refused():
    patients = [f"patient {at}" for at in range(40)] + ["ann", "bob"] * 5
    with pytest.raises(RequestError, match="'class 1' .* 10 found, 2 of them of different groups"):
        divide(grouped([0] * 40 + [1] * 10, patients), group_column_name="patient")


def test_a_class_of_many_groups_leaves_the_few_it_shares_to_the_other_class():
    shared = [f"patient {at}" for at in range(3)]
    patients = [patient for patient in shared for _ in range(30)]  # 90 rows of class 0, in these patients alone
    patients += [patient for patient in [*shared, *(f"patient {at}" for at in range(3, 12))] for _ in range(5)]
    divided = divide(grouped([0] * 90 + [1] * 60, patients), group_column_name="patient")
    assert all({0, 1} == set(getattr(divided, part)["label"]) for part in PARTS)


def test_a_class_with_groups_enough_that_are_needed_elsewhere_is_refused_for_that():
    patients = [f"patient {at % 4}" for at in range(80)]
    labels = [[0, 0, 0, 1][at % 4] if at < 40 else [2, 2, 2, 2][at % 4] for at in range(80)]
    labels[0:2] = [1, 1]
    with pytest.raises(RequestError) as refused:
        divide(grouped(labels, patients), group_column_name="patient", validation_fraction=0.3, test_fraction=0.3)
    assert "tied to rows of rarer classes" in str(refused.value) and "needed" not in str(refused.value)


def test_classes_that_a_limit_leaves_without_training_rows_are_named():
    found = source([0] * 300 + [1] * 200 + [2] * 10 + [3] * 10)
    divided = divide(found, max_train_samples=2)
    assert any("left no training row of 2 classes: " in note for note in divided.notes)
    with pytest.raises(RequestError, match="--max_train_samples 1 leaves training rows of 1 class, .* raise it"):
        divide(found, max_train_samples=1)


def pairs_of_texts(count: int, firsts: int, seconds: int) -> Source:
    found = source([at % 2 for at in range(count)], [f"first {at % firsts}" for at in range(count)])
    train = found.splits["train"].add_column("text_pair", [f"second {at % seconds}" for at in range(count)])
    groups = train.add_column("group", train["text"][:])
    return Source({"train": groups}, found.labels, [], "pairs.csv")


def test_a_text_that_stands_in_pairs_of_several_splits_is_reported_with_the_remedy():
    found = pairs_of_texts(300, firsts=100, seconds=300)
    found.splits["train"] = found.splits["train"].remove_columns("group")
    notes = divide(found).notes
    (note,) = (note for note in notes if "stand in pairs of several splits" in note)
    assert "first texts" in note and "--group_column_name COLUMN" in note and 40 < int(note.split()[0]) <= 100
    grouped = divide(pairs_of_texts(300, firsts=100, seconds=300), group_column_name="text")
    assert not any("stand in pairs" in note for note in grouped.notes)
    assert any("second texts" in note for note in divide(pairs_of_texts(300, firsts=300, seconds=7)).notes)


def test_near_duplicates_stay_together_only_if_asked():
    words = [f"a{at} b{at} c{at} d{at} e{at} f{at} g{at} h{at} i{at}" for at in range(60)]
    found = source([0, 1] * 60, [f"{words[at // 2]} {'!' * (at % 2)} {'ab'[at % 2]}" for at in range(120)])
    for near in (True, False):
        divided = divide(found, near_duplicates=near)
        parts = [{text.split()[0] for text in getattr(divided, part)["text"]} for part in PARTS]
        assert near != bool(parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])


def test_overlap_is_dropped_from_training_while_the_given_test_rows_stay():
    found = source([0, 1] * 50)
    found.splits["test"] = rows(["TEXT 0  0", "new", "text 1 1"], [0, 1, 1], found.labels, prefix="t")
    found.splits["validation"] = rows(["text 2 0", "new", "text 3 1", "other"], [0, 1, 1, 0], found.labels, prefix="v")
    divided = divide(found, drop_overlap=True)
    assert sizes(divided) == [96, 3, 3]
    assert set(divided.test["text"]) == {"TEXT 0  0", "new", "text 1 1"} and "new" not in divided.validation["text"]
    assert "text 0 0" not in divided.train["text"] and "text 2 0" not in divided.train["text"]
    told = [
        "1 of the 4 validation rows",
        "2 of the 100 train rows have the content of a test row",
        "2 of the 98 train rows have the content of a validation row",
    ]
    assert all(any(part in note for note in divided.notes) for part in told)
    assert not any("flatters" in note for note in divided.notes)


def test_dropping_the_overlap_leaves_no_class_without_training_rows():
    found = source([0] * 30 + [1] * 3)
    found.splits["test"] = rows([f"text {at} 1" for at in range(30, 33)], [1] * 3, found.labels, prefix="t")
    with pytest.raises(
        RequestError, match="row of class 'class 1' has the content of a test row, and --drop_overlap .* none"
    ):
        divide(found, drop_overlap=True)


def test_dropping_the_overlap_may_take_the_last_validation_row_of_a_class_but_not_the_last_of_all():
    found = source([0, 1] * 50)
    found.splits["test"] = rows(["one", "two"], [0, 1], found.labels, prefix="t")
    found.splits["validation"] = rows(["one", "three"], [0, 1], found.labels, prefix="v")
    assert list(divide(found, drop_overlap=True).validation["text"]) == ["three"]
    found.splits["validation"] = rows(["one", "two"], [0, 1], found.labels, prefix="v")
    with pytest.raises(RequestError, match="every validation row has the content of a test row"):
        divide(found, drop_overlap=True)


def test_rows_left_out_for_their_group_are_not_said_to_be_test_rows():
    found = grouped([0, 1] * 50, [f"patient {at // 2}" for at in range(100)])
    given_test = rows(["new"], [0], found.labels, prefix="t").add_column("group", ["patient 3"])
    found.splits["test"] = given_test.cast_column("group", Value("string"))
    notes = divide(found, drop_overlap=True, group_column_name="patient").notes
    assert any("2 of the 100 train rows have the content or group of a test row: left out" in note for note in notes)


@pytest.mark.parametrize(
    "flag", [{"group_column_name": "patient"}, {"near_duplicates": True}, {"drop_overlap": True}], ids=lambda f: [*f][0]
)
def test_a_division_taken_from_another_run_cannot_be_shaped(flag):
    with pytest.raises(RequestError, match=f"--splits_from old .* --{[*flag][0]} would change nothing"):
        TextData(splits_from="old", **flag)


def test_the_label_cannot_be_the_group():
    with pytest.raises(RequestError, match="--group_column_name mood is the label column"):
        TextData(group_column_name="mood", label_column_name="mood")


def test_folds_are_of_about_one_size_with_equal_shares_of_each_class():
    numbers, _ = splits.folds(source([0] * 800 + [1] * 180 + [2] * 20), TextData(), 5, seed=0)
    shares = [np.bincount(np.array([0] * 800 + [1] * 180 + [2] * 20)[numbers == fold]).tolist() for fold in range(5)]
    assert shares == [[160, 36, 4]] * 5


def test_folds_follow_the_seed_and_not_the_order_of_rows():
    labels, texts = [at % 3 for at in range(90)], [f"text {at}" for at in range(90)]
    one, _ = splits.folds(source(labels, texts), TextData(), 4, seed=1)
    assert (one == splits.folds(source(labels[::-1], texts[::-1]), TextData(), 4, seed=1)[0][::-1]).all()
    assert (one != splits.folds(source(labels, texts), TextData(), 4, seed=2)[0]).any()


def test_a_fold_never_shares_a_patient():
    patients = [f"patient {at // 4}" for at in range(120)]
    found = grouped([at % 2 for at in range(120)], patients)
    numbers, _ = splits.folds(found, TextData(group_column_name="patient"), 5, seed=0)
    folds = [{patient for patient, fold in zip(patients, numbers, strict=True) if fold == at} for at in range(5)]
    assert sum(map(len, folds)) == len(set(patients)) == 30


def test_more_folds_than_a_class_has_rows_are_refused():
    with pytest.raises(RequestError, match="'class 1' has too few rows for fold 1, .* 4 found.* make fewer folds"):
        splits.folds(source([0] * 50 + [1] * 4), TextData(), 5, seed=0)


@st.composite
def sources_of_any_kind(draw, several: bool) -> tuple[Source, TextData]:
    """Rows of few texts and groups, some without a group, with one label each or any number; a test set or none."""
    names = ["a", "b", "c"]
    one = st.integers(0, 2)
    label = st.lists(one, max_size=3, unique=True) if several else one
    row = st.tuples(st.integers(0, 50), st.one_of(st.none(), st.integers(0, 25)), label)
    features = Features(
        text=Value("string"),
        group=Value("string"),
        label=List(ClassLabel(names=names)) if several else ClassLabel(names=names),
        row_id=Value("string"),
    )
    given_splits = {}
    for split, least in [("train", 15)] + [("test", 1)] * draw(st.booleans()):
        drawn = draw(st.lists(row, min_size=least, max_size=60))
        columns = {
            "text": [f"text {text}" for text, _, _ in drawn],
            "group": [None if group is None else f"group {group}" for _, group, _ in drawn],
            "label": [label for _, _, label in drawn],
            "row_id": [f"{split} {at}" for at in range(len(drawn))],
        }
        given_splits[split] = Dataset.from_dict(columns, features=features)
    assume(len(set(np.hstack(given_splits["train"]["label"][:]).tolist())) > 1)  # what reading the data makes sure of
    flags = {"group_column_name": "group", "near_duplicates": draw(st.booleans()), "drop_overlap": True}
    return Source(given_splits, names, [], "any.csv"), TextData(**flags)


def check_nothing_crosses(parts: list[Dataset]) -> None:
    for name in ("text", "group"):
        held = [set(part[name]) - {None} for part in parts]
        assert sum(map(len, held)) == len(set().union(*held)), name


@pytest.mark.parametrize("several", [False, True], ids=["one label", "several labels"])
def test_no_group_text_or_fold_ever_crosses_whatever_the_data(several):
    outcomes = Counter()

    @settings(deadline=None)
    @given(sources_of_any_kind(several), st.integers(2, 4), st.integers(0, 2**32 - 1))
    def check(drawn, count, seed):
        found, data = drawn
        train = found.splits["train"]
        outcomes["drawn"] += 1
        with contextlib.suppress(RequestError):  # a class of too few texts or groups
            divided = splits.divide(found, data, seed)
            outcomes["divided"] += 1
            check_nothing_crosses([divided.train, divided.validation, divided.test])
            assert min(sizes(divided)) > 0
            if "test" in found.splits:
                assert list(divided.test["row_id"]) == list(found.splits["test"]["row_id"])
            else:
                assert len(set.union(*ids(divided))) == sum(sizes(divided)) == len(train)
        with contextlib.suppress(RequestError):
            numbers, _ = splits.folds(found, data, count, seed)
            outcomes["folded"] += 1
            check_nothing_crosses([train.select(np.flatnonzero(numbers == fold)) for fold in range(count)])
            assert set(numbers) == set(range(count)) and len(numbers) == len(train)

    check()
    assert min(outcomes["divided"], outcomes["folded"]) > 0.4 * outcomes["drawn"]
