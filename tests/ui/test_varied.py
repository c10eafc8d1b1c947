"""Varied rows on the Train screen: every label and text is shown, and none of them is live."""

from studio.ui.train import varied

BAD = "<img src=x onerror=alert(1)>"


def test_pictures_stand_in_a_line_and_mixed_ones_say_what_they_are():
    views = [{"picture": "data:image/webp;base64,AA", "labels": [BAD]}]
    views += [{"picture": "data:image/webp;base64,BB", "labels": [f"60% {BAD}", "40% bee"]}]
    shown = varied.grid({"task": "image-classification", "rows": [{"labels": [BAD], "views": views}]})
    assert shown.count("<img ") == 2 and shown.count("<small>") == 1 and "40% bee" in shown
    assert "onerror=alert(1)>" not in shown


def test_texts_stand_below_each_other():
    views = [{"text": "good film"}, {"text": BAD}]
    shown = varied.grid({"task": "text-classification", "rows": [{"labels": ["pos"], "views": views}]})
    assert "good film" in shown and shown.count("<li>") == 2 and "<img" not in shown
