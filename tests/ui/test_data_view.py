"""What the page tells of data that were looked at: nothing that is wrong hides behind good news."""

from studio.ui.data import view

GOOD = {"left_out": {}, "spellings": []}
BAD = "<img src=x onerror=alert(1)>"


def test_data_without_a_fault_are_told_to_be_fit_and_nothing_more():
    assert view.headline("t.csv", GOOD) == "t.csv can be trained on." and view.warnings(GOOD) == ""
    assert view.warnings({}) == ""  # saved before such things were told


def test_what_is_left_out_is_counted_and_explained_beside_the_good_news():
    told = GOOD | {"left_out": {"no_label": 1_200, "damaged_rows": 1}}
    assert view.headline("t.csv", told) == "t.csv can be trained on, but look at this first:"
    assert "1,201 rows were left out: 1,200 without a label, 1 damaged." in view.warnings(told)


def test_spellings_of_a_label_are_told_and_shown_as_text():
    told = {"left_out": {"unreadable": 1}, "spellings": [["pos", "Pos"], [BAD, BAD.upper()]]}
    shown = view.warnings(told)
    assert view.headline("t.csv", told) == "t.csv can be trained on, but look at these 2 things first:"
    assert "1 row was left out: 1 with a picture that cannot be read." in shown and "2 labels are written" in shown
    assert "&#x27;pos&#x27;, &#x27;Pos&#x27;; &#x27;&lt;img" in shown and "<img" not in shown
