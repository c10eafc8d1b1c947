"""Decisions about rows and labels are applied to what was read, kept in a small file, and never change the data."""

import json

import pytest

from studio.config import ImageData, TextData
from studio.data import curation, load, splits
from studio.data.curation import Curation, Merge, Relabel
from studio.data.marks import labels_of
from studio.errors import RequestError
from studio.runs import Run
from tests.data.quality.planted import good, photos, put, table
from tests.data.quality.planted import photo as a_photo


@pytest.fixture
def reviews(tmp_path):
    """Sixty texts of the labels a and b, and five of c."""
    return table(tmp_path / "t.csv", [*good(), *((f"some more {at}", "c") for at in range(5))])


def rows(place, decisions=None, **settings):
    """Per text its label, after the decisions; with the source."""
    data = TextData(dataset_name=str(place), **settings)
    if decisions:
        curation.write(decisions, file := place.with_name("decisions.json"))
        data = TextData(dataset_name=str(place), curation_file=str(file), **settings)
    source = load.curated(data)
    names = [source.labels[at] for at in source.splits["train"]["label"][:]]
    return dict(zip(source.splits["train"]["text"][:], names, strict=True)), source


def ids(place):
    source = load.curated(TextData(dataset_name=str(place)))
    return dict(zip(source.splits["train"]["text"][:], source.splits["train"]["row_id"][:], strict=True))


def test_rows_are_left_out_relabelled_and_merged_and_the_file_stays_as_it_is(reviews):
    before, known = reviews.read_bytes(), ids(reviews)
    first, second, *_ = known
    decisions = Curation({known[first]: "dull"}, {known[second]: Relabel("a", "typo")}, {"c": Merge("b", "same")})
    found, source = rows(reviews, decisions)
    assert first not in found and found[second] == "a" and found["some more 0"] == "b"
    assert source.labels == ["a", "b"] and len(found) == 64 and reviews.read_bytes() == before
    assert "decisions: 1 rows left out, 1 with another label, 1 labels merged" in source.notes


def test_decisions_hold_when_the_rows_stand_in_another_order(reviews, tmp_path):
    known = ids(reviews)
    first = next(iter(known))
    header, *lines = reviews.read_text().splitlines()
    reviews.write_text("\n".join([header, *reversed(lines)]) + "\n")
    assert first not in rows(reviews, Curation({known[first]: ""}))[0]


def test_a_class_of_which_no_row_is_left_is_no_class_any_more(reviews):
    known = ids(reviews)
    _, source = rows(reviews, Curation({known[f"some more {at}"]: "" for at in range(5)}))
    assert source.labels == ["a", "b"] and set(labels_of(source.splits["train"])) == {0, 1}


def test_what_the_data_do_not_hold_is_counted_and_told(reviews):
    decisions = Curation(
        {"0123456789abcdef-0": "gone"}, {"fedcba9876543210-1": Relabel("a", "")}, {"zzz": Merge("a", "")}
    )
    found, source = rows(reviews, decisions)
    assert len(found) == 65
    assert any("2 row ids of the decisions are not in the data: 0123456789abcdef-0" in note for note in source.notes)
    assert any("1 labels of the decisions are not in the data: zzz" in note for note in source.notes)


def test_a_row_with_several_labels_is_given_a_list_of_them(tmp_path):
    place = table(tmp_path / "t.csv", [(text, ["x", "y", "x;y"][at % 3]) for at, (text, _) in enumerate(good())])
    source = load.curated(TextData(dataset_name=str(place), label_delimiter=";"))
    row = source.splits["train"][0]
    assert row["label"] == [0]
    file = tmp_path / "decisions.json"
    curation.write(Curation(relabel={row["row_id"]: Relabel(["x", "y"], "both")}), file)
    data = TextData(dataset_name=str(place), label_delimiter=";", curation_file=str(file))
    assert load.curated(data).splits["train"][0]["label"] == [0, 1]
    curation.write(Curation(relabel={row["row_id"]: Relabel("x", "")}), file)
    with pytest.raises(RequestError, match="must be given a list of labels"):
        load.curated(data)


def test_what_is_written_is_read_again(tmp_path):
    decisions = Curation(
        {"1-0": "‘blurred’"}, {"2-0": Relabel("a", "b"), "3-0": Relabel(["a", "b"], "")}, {"A": Merge("a", "case")}
    )
    curation.write(decisions, tmp_path / "d.json")
    assert curation.read(tmp_path / "d.json") == decisions
    assert (tmp_path / "d.json").stat().st_mode & 0o077 == 0


def test_later_decisions_about_a_row_replace_earlier_ones():
    early = Curation({"1": "x", "2": "x"}, {"3": Relabel("a", "")}, {"A": Merge("a", "")})
    late = Curation({"3": "y"}, {"1": Relabel("b", "")}, {"a": Merge("A", "")})
    assert early | late == Curation({"2": "x", "3": "y"}, {"1": Relabel("b", "")}, {"a": Merge("A", "")})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "holds no decisions that can be read"),
        ("[]", "must be an object"),
        ("{}", '"version": 1'),
        ('{"version": 2}', '"version": 1'),
        ('{"version": 1, "drop": {}}', "and of exclude, merge, relabel, version"),
        ('{"version": 1, "exclude": ["1-0"]}', "exclude must be an object"),
        ('{"version": 1, "exclude": {"1-0": 5}}', "exclude 1-0: expected a string, found 5"),
        ('{"version": 1, "exclude": {"1-0": "a", "1-0": "b"}}', "'1-0' stands there twice"),
        ('{"version": 1, "relabel": {"1-0": "a"}}', 'relabel 1-0 must be an object with "label"'),
        ('{"version": 1, "relabel": {"1-0": {"label": 5}}}', "expected a string, found 5"),
        ('{"version": 1, "exclude": {"1-0": ""}, "relabel": {"1-0": {"label": "a"}}}', "leaves row 1-0 out and gives"),
        ('{"version": 1, "merge": {"a": {"into": "b"}, "b": {"into": "a"}}}', "ends nowhere"),
        ("[" * 100_000, "holds no decisions that can be read"),
        ("!!python/object/apply:os.system ['true']", "holds no decisions that can be read"),
    ],
)
def test_what_are_no_decisions_is_refused_with_what_is_wrong(tmp_path, content, complaint):
    (tmp_path / "d.json").write_text(content)
    with pytest.raises(RequestError) as refusal:
        curation.read(tmp_path / "d.json")
    assert complaint in str(refusal.value) and str(refusal.value).startswith("--curation_file")


def test_a_missing_file_is_refused(reviews):
    with pytest.raises(RequestError, match="--curation_file nowhere.json cannot be read: No such file"):
        load.curated(TextData(dataset_name=str(reviews), curation_file="nowhere.json"))


@pytest.mark.parametrize(
    ("decide", "complaint"),
    [
        (lambda known: Curation(relabel={known["some more 0"]: Relabel("d", "")}), "the label 'd', which is none of"),
        (lambda known: Curation(merge={"a": Merge("bb", "")}), "merge labels into 'bb', which is none of"),
        (lambda known: Curation(exclude=dict.fromkeys(known.values(), "")), "leave no train row"),
        (lambda known: Curation(merge={"a": Merge("b", ""), "c": Merge("b", "")}), "a classifier needs at least two"),
    ],
)
def test_decisions_that_leave_no_classifier_are_refused(reviews, decide, complaint):
    with pytest.raises(RequestError, match=complaint):
        rows(reviews, decide(ids(reviews)))


def test_an_excluded_picture_that_cannot_be_read_is_no_complaint_any_more(tmp_path):
    folder = photos(tmp_path / "photos", 20)
    for at in range(8):
        put(a_photo(at), bad := folder / "dog" / f"bad {at}.jpg")
        bad.write_bytes(bad.read_bytes()[:-500] + bytes(at))
    data = ImageData(dataset_name=str(folder))
    with pytest.raises(RequestError, match="8 of 28 pictures cannot be read"):
        load.read(data)
    rows = load.curated(data).splits["train"]
    bad = {row["row_id"]: "cut off" for row in rows if "bad" in row["image"]["path"]}
    curation.write(Curation(bad), tmp_path / "d.json")
    assert (
        len(load.read(ImageData(dataset_name=str(folder), curation_file=str(tmp_path / "d.json"))).splits["train"])
        == 20
    )


def test_the_division_of_a_run_is_used_again_without_the_rows_left_out_since(reviews, tmp_path):
    data = TextData(dataset_name=str(reviews))
    divided = splits.divide(load.curated(data), data, seed=1)
    run = Run(tmp_path / "run")
    splits.save(divided, run.splits)
    gone = divided.train["row_id"][0]
    curation.write(Curation({gone: "dull"}), tmp_path / "d.json")
    again = TextData(dataset_name=str(reviews), curation_file=str(tmp_path / "d.json"), splits_from=str(run.folder))
    found = splits.divide(load.curated(again), again, seed=2)
    assert (
        found.train["row_id"][:] == divided.train["row_id"][1:] and found.test["row_id"][:] == divided.test["row_id"][:]
    )


def test_a_curation_file_is_json_that_people_can_read(tmp_path):
    curation.write(Curation({"1-0": "blurred"}), tmp_path / "d.json")
    text = (tmp_path / "d.json").read_text()
    assert json.loads(text)["exclude"] == {"1-0": "blurred"} and '\n  "1-0": "blurred"\n' in text
