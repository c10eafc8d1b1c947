"""What the page shows of a check: every finding in full, nothing from data live, nothing decided unasked."""

import base64

import pytest

from studio.data.curation import Curation, Merge, Relabel
from studio.errors import RequestError
from studio.ui.data import check_view
from studio.ui.data.check import _decided

BAD = "<img src=x onerror=alert(1)>"
PICTURE = b"RIFF"


def finding(**changes):
    example = {"row": "1-0", "place": "/cache/abc/t.csv, line 2", "excerpt": "a text", "remark": "b"}
    told = {
        "kind": "duplicates",
        "severity": "warning",
        "title": "9 rows repeat",
        "count": 9,
        "why": "It counts twice.",
    }
    told |= {"remedy": "Use --near_duplicates.", "examples": [example], "decision": None, "relabel": None}
    return told | changes


def test_a_finding_says_what_how_many_why_and_what_to_do():
    shown = check_view.finding(finding(), {}, ["/cache/abc"])
    for words in ("warning", "9 rows repeat", "It counts twice.", "a text", "and 8 more", "t.csv, line 2"):
        assert words in shown
    assert "‘Keep near duplicates together’" in shown and "/cache" not in shown


def test_whatever_data_say_is_shown_as_text():
    example = {"row": "1-0", "place": BAD, "excerpt": BAD, "remark": BAD}  # the place is not said twice
    shown = check_view.finding(finding(title=BAD, remedy=BAD, examples=[example]), {}, [])
    picture = check_view.finding(finding(examples=[example | {"thumbnail": "0.webp"}]), {"0.webp": PICTURE}, [])
    assert "<img src=x" not in shown + picture and shown.count("&lt;img") == 4
    assert "<img" not in check_view.saved(BAD, {"train": 1}, {"train": 1})
    assert "<img" not in check_view.progress({"doing": BAD, "done": 1, "total": 2})


def test_pictures_are_shown_with_their_names_and_those_that_cannot_be_read_are_listed():
    good = {"row": "1-0", "place": "/p/cat/1.png", "excerpt": "cat/1.png", "remark": "blank", "thumbnail": "000.webp"}
    bad = {"row": "2-0", "place": "/p/cat/2.png", "excerpt": "cat/2.png", "remark": "is empty"}
    shown = check_view.finding(finding(count=2, examples=[good, bad]), {"000.webp": PICTURE}, [])
    assert base64.b64encode(PICTURE).decode() in shown and shown.count("<figure>") == 1
    assert "<li>cat/2.png <i>(is empty)</i></li>" in shown and "more" not in shown


def test_only_what_a_finding_offers_can_be_chosen():
    rows = {"1-0": "x", "2-0": "x"}
    whole = {"version": 1, "exclude": rows, "relabel": {}, "merge": {}}
    other = {"version": 1, "exclude": {}, "relabel": {"1-0": {"label": "a", "reason": ""}}, "merge": {}}
    merge = {"version": 1, "exclude": {}, "relabel": {}, "merge": {"A": {"into": "a", "reason": ""}}}
    texts, pictures = "text-classification", "image-classification"
    assert check_view.offers(finding(), texts) == []
    assert check_view.offers(finding(decision=whole, relabel=other), texts) == [
        ("Leave out 2 rows", "decision"),
        ("Give 1 row the label it looks like", "relabel"),
    ]
    assert check_view.offers(finding(decision=whole), pictures) == [("Leave out 2 pictures", "decision")]
    assert check_view.offers(finding(decision=merge), texts) == [("Merge 1 label", "decision")]


def test_what_was_chosen_is_decided_together_and_the_graver_finding_holds():
    out = {"version": 1, "exclude": {"1-0": "repeats"}, "relabel": {}, "merge": {}}
    other = {"version": 1, "exclude": {}, "relabel": {row: {"label": "a", "reason": ""} for row in ("1-0", "2-0")}}
    merge = {"version": 1, "merge": {"A": {"into": "a", "reason": "same"}}}
    findings = [finding(decision=merge), finding(decision=out), finding(relabel=other)]
    assert _decided(findings, ("decision", "decision", "relabel")) == Curation(
        {"1-0": "repeats"}, {"2-0": Relabel("a", "")}, {"A": Merge("a", "same")}
    )
    assert _decided(findings, ("leave", "decision", "leave")) == Curation({"1-0": "repeats"})
    with pytest.raises(RequestError, match="choose what to do"):
        _decided(findings, ("leave", "leave", "leave"))


@pytest.mark.parametrize(
    ("severities", "complete", "quick", "told"),
    [
        (["error", "warning", "warning"], True, True, "1,200 rows checked: 1 error, 2 warnings."),
        ([], True, False, "1,200 rows checked: nothing was found that is wrong."),
        ([], True, True, "The pixels were not looked at."),
        (["note"], False, True, "ended early: this is what was found until then. 1,200 rows checked: 1 note."),
        ([], False, True, "ended early; nothing was found until then"),
    ],
)
def test_the_summary_says_plainly_how_much_was_found(severities, complete, quick, told):
    report = {"task": "image-classification", "rows": {"train": 1200}, "complete": complete}
    report["findings"] = [finding(severity=severity) for severity in severities]
    assert told in check_view.summary(report, quick)


def test_sizes_are_shown_before_and_after():
    shown = check_view.saved("reviews", {"train": 80, "validation": 10, "test": 10}, {"train": 70, "test": 9})
    for name, now, before in (("training", 70, 80), ("validation", 0, 10), ("test", 9, 10), ("rows", 79, 100)):
        assert f"<dt>{name}</dt><dd>{now}<small>before: {before}</small>" in shown
