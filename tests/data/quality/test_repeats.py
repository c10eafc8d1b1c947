"""What stands several times is found: in one split, across splits, with several labels."""

from tests.data.quality.planted import found, good, photo, photos, put, sentences, table


def test_repeated_rows_are_found_and_the_first_is_kept(tmp_path):
    rows = good()
    finding = found(table(tmp_path / "t.csv", [*rows, *rows[:7], (rows[0][0].upper(), rows[0][1])]))["duplicates"]
    assert finding.count == 8 and finding.severity == "warning"
    assert finding.examples[0].place == "t.csv, line 62" and finding.examples[0].remark == "as t.csv, line 2"
    assert len(finding.decision.exclude) == 8


def test_one_content_with_different_labels_is_an_error_that_a_majority_settles(tmp_path):
    rows = [
        *good(),
        ("torn in two", "a"),
        ("torn in two", "b"),
        ("mostly a", "a"),
        ("mostly a", "a"),
        ("mostly a", "b"),
    ]
    findings = found(table(tmp_path / "t.csv", rows))
    finding = findings["conflicting_labels"]
    assert finding.count == 5 and finding.severity == "error" and finding.title.startswith("2 contents")
    assert len(finding.decision.exclude) == 3  # both of the torn one, and the b of the other
    assert findings["duplicates"].count == 1


def test_spellings_of_one_label_are_no_conflict(tmp_path):
    rows = [(text, label) for text, label in good()] + [(text, label.upper()) for text, label in good()[:20]]
    findings = found(table(tmp_path / "t.csv", rows))
    assert "label_spellings" in findings and "conflicting_labels" not in findings


def test_rows_shared_between_given_splits_are_a_leak_of_the_earlier_one(tmp_path):
    train, test = good(80), good(20, seed=1)
    table(tmp_path / "train.csv", [*train, *test[:6]])
    table(tmp_path / "test.csv", test)
    findings = found(tmp_path / "train.csv", test_file=str(tmp_path / "test.csv"))
    assert findings["leak"].count == 6 and findings["leak"].severity == "error"
    assert findings["leak"].examples[0].place == "train.csv, line 82" and "6 test rows" in findings["leak"].title
    assert "duplicates" not in findings and "near_leak" not in findings


def test_near_equal_rows_of_two_splits_are_a_near_leak(tmp_path):
    train, test = good(80), good(20, seed=1)
    table(tmp_path / "train.csv", [*train, (f"{test[0][0]} oh", "a")])
    table(tmp_path / "test.csv", test)
    findings = found(tmp_path / "train.csv", test_file=str(tmp_path / "test.csv"))
    assert findings["near_leak"].count == 1 and "leak" not in findings
    assert findings["near_leak"].examples[0].place == "train.csv, line 82"


def test_near_duplicates_name_the_row_they_resemble(tmp_path):
    text = sentences(1, seed=5)[0]
    finding = found(table(tmp_path / "t.csv", [*good(), (text, "a"), (f"{text} oh", "a"), (f"oh {text}!", "b")]))
    near = finding["near_duplicates"]
    assert [example.place for example in near.examples] == ["t.csv, line 63", "t.csv, line 64"]
    assert "near t.csv, line 62 (a)" in near.examples[0].remark and "1 with another label" in near.title
    assert list(near.decision.exclude) == [near.examples[0].row]  # the other one says something else


def test_a_resized_copy_of_a_picture_is_a_near_duplicate(tmp_path):
    folder = photos(tmp_path / "photos")
    copy = put(photo(0).resize((72, 48)).convert("RGB"), folder / "dog" / "copy.jpg")
    finding = found(folder)["near_duplicates"]
    assert finding.count == 1 and str(copy) in finding.examples[0].place + finding.examples[0].remark


def test_the_same_file_in_two_classes_is_a_conflict(tmp_path):
    folder = photos(tmp_path / "photos")
    put(photo(0), folder / "cat" / "again.png")
    finding = found(folder)["conflicting_labels"]
    assert finding.count == 2 and len(finding.decision.exclude) == 2


def test_a_set_full_of_near_duplicates_is_told_without_a_decision(tmp_path):
    text = sentences(1)[0]
    rows = [(f"{text} {at}", "ab"[at % 2]) for at in range(40)]
    finding = found(table(tmp_path / "t.csv", rows))["near_duplicates"]
    assert finding.severity == "note" and finding.decision is None
