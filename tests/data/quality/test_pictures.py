"""Pictures that cannot be read or differ from the rest are found, and good ones are left alone."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from studio.data import alike
from studio.data.quality import pictures
from tests.data.quality.planted import found, items, photo, photos, put


def planted(folder, picture, name="planted.png"):
    """Good photos of 320 x 240 pixels and one more."""
    photos(folder, size=(320, 240))
    return put(picture, folder / "cat" / name)


def placeholder():
    picture = Image.new("RGB", (320, 240), "white")
    ImageDraw.Draw(picture).text((90, 110), "image not available", fill="grey")
    return picture


def test_good_photos_give_no_finding(tmp_path):
    assert found(photos(tmp_path, size=(320, 240))) == {}


@pytest.mark.parametrize(
    ("kind", "picture"),
    [
        ("blank", Image.new("RGB", (320, 240), (90, 90, 92))),
        ("flat", placeholder()),
        ("dark", photo(99, (320, 240)).point(lambda level: level // 8)),
        ("bright", photo(99, (320, 240)).point(lambda level: 232 + level // 12)),
        ("blurry", photo(99, (320, 240)).filter(ImageFilter.GaussianBlur(6))),
        ("too_small", photo(99, (40, 30))),
        ("narrow", photo(99, (700, 160))),
        ("odd_modes", photo(99, (320, 240)).convert("RGBA")),
    ],
)
def test_a_picture_unlike_the_others_is_found(tmp_path, kind, picture):
    file = planted(tmp_path / "photos", picture)
    findings = found(tmp_path / "photos")
    assert set(findings) == {kind} and findings[kind].count == 1
    assert findings[kind].examples[0].place == str(file)
    if kind != "odd_modes":
        assert list(findings[kind].decision.exclude) == [findings[kind].examples[0].row]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"<html>not found</html>", "is a web page"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 60, "is damaged"),
    ],
)
def test_a_file_that_is_no_picture_is_told_with_the_reason(tmp_path, content, reason):
    file = photos(tmp_path / "photos") / "cat" / "bad.png"
    file.write_bytes(content)
    finding = found(tmp_path / "photos")["unreadable"]
    assert finding.count == 1 and finding.severity == "error"
    assert finding.examples[0].place == str(file) and reason in finding.examples[0].remark


def test_a_truncated_photo_is_unreadable(tmp_path):
    file = put(photo(99, (320, 240)), photos(tmp_path / "photos") / "cat" / "cut.jpg")
    file.write_bytes(file.read_bytes()[:2000])
    assert found(tmp_path / "photos")["unreadable"].examples[0].place == str(file)


def test_so_many_unreadable_pictures_that_training_refuses_are_still_told(tmp_path):
    folder = photos(tmp_path / "photos", 20)
    for at in range(8):
        (folder / "dog" / f"bad {at}.jpg").write_bytes(b"")
    assert found(folder)["unreadable"].count == 8


def test_drawings_are_not_odd_among_drawings(tmp_path):
    for at in range(24):
        picture = Image.new("L", (105, 105), "white")
        ImageDraw.Draw(picture).line([(10 + at, 15), (80 - 2 * at, 90), (60, 20 + 3 * at)], fill="black", width=2)
        put(picture, tmp_path / "photos" / "ab"[at % 2] / f"{at}.png")
    assert not found(tmp_path / "photos").keys() & {"flat", "bright", "dark", "blurry", "blank"}


def drawing(folder, at, ink="black"):
    """Two thin lines, less than half a hundredth of the page, on white; every eighth drawing has twice as many."""
    picture = Image.new("L", (400, 400), "white")
    for line in range(2 if at % 8 else 4):
        ImageDraw.Draw(picture).line([(10 + at, 15 + 9 * line), (200 - at, 90 + 40 * line)], fill=ink, width=1)
    return put(picture, folder / "ab"[at % 2] / f"{at}.png")


def test_thin_lines_on_white_are_no_washed_out_pictures_where_most_are_such(tmp_path):
    for at in range(24):
        drawing(tmp_path / "photos", at)
    for at in range(2):
        put(photo(at, (400, 400)).convert("L"), tmp_path / "photos" / "ab"[at] / f"photo {at}.png")
    assert not found(tmp_path / "photos").keys() & {"flat", "bright", "dark", "blurry", "blank"}
    file = drawing(tmp_path / "photos", 33, ink=(238))
    findings = found(tmp_path / "photos")
    assert [example.place for example in findings["bright"].examples] == [str(file)]


def test_pictures_are_decoded_once_for_all_that_is_looked_for(tmp_path, monkeypatch):
    photos(tmp_path / "photos", 20)
    decoded = []
    for module in (pictures, alike):
        real = module.decode
        monkeypatch.setattr(module, "decode", lambda *given, real=real: (decoded.append(given), real(*given))[1])
    put(photo(0).resize((48, 32)), tmp_path / "photos" / "dog" / "small copy.png")
    assert found(tmp_path / "photos")["near_duplicates"].count == 1 and len(decoded) == 21


def test_a_class_told_by_the_size_of_its_pictures_is_suspect(tmp_path):
    for at in range(60):
        size = (100, 80) if at % 2 else (104, 80)
        put(photo(at, size), tmp_path / "photos" / ("cat" if at % 2 else "dog") / f"{at}.png")
    titles = [finding.title for finding in items(tmp_path / "photos")[1].findings if finding.kind == "shortcut"]
    assert titles[0].startswith("The picture's size alone tells the class in 100% of the cases, 50% being chance")


def test_a_class_told_by_the_format_of_its_files_is_suspect(tmp_path):
    for at in range(60):
        name = f"cat/{at}.jpg" if at % 2 else f"dog/{at}.png"
        put(photo(at), tmp_path / "photos" / name)
    titles = [finding.title for finding in items(tmp_path / "photos")[1].findings if finding.kind == "shortcut"]
    assert any(title.startswith("The format of the file") for title in titles)


def test_a_class_told_by_a_folder_that_classes_share_is_suspect_and_kinds_of_a_class_are_not(tmp_path):
    for at in range(80):
        label, mostly = ("cat", "phone") if at % 2 else ("dog", "camera")
        place = "camera" if at % 20 == 1 else "phone" if at % 20 == 2 else mostly
        put(photo(at), tmp_path / "shared" / label / place / f"{at}.png")
        put(photo(at), tmp_path / "kinds" / label / f"{label} {at % 3}" / f"{at}.png")
    assert "The folder of the file" in found(tmp_path / "shared")["shortcut"].title
    assert found(tmp_path / "kinds") == {}


def test_a_quick_check_opens_headers_alone(tmp_path):
    file = planted(tmp_path / "photos", photo(99, (40, 30)))
    with file.with_name("cut.jpg").open("wb") as cut:
        cut.write(b"no picture")
    _, report = items(tmp_path / "photos", quick=True)
    assert {finding.kind for finding in report.findings} == {"too_small", "unreadable"}


def test_an_interrupted_check_tells_what_was_found_until_then(tmp_path, monkeypatch):
    planted(tmp_path / "photos", Image.new("RGB", (320, 240)), "0 black.png")
    main, looked = threading.main_thread(), []
    real = pictures.each

    def interrupted(rows, look, bar):
        for looked_at in real(rows, look, bar):
            if len(looked) == 30 and threading.current_thread() is main:
                raise KeyboardInterrupt
            looked.append(looked_at)
            yield looked_at

    monkeypatch.setattr(pictures, "each", interrupted)
    _, report = items(tmp_path / "photos")
    assert not report.complete and [finding.kind for finding in report.findings] == ["blank"]


def test_full_checks_do_sixty_photos_a_second_and_quick_ones_five_hundred(tmp_path):
    file = put(photo(0, (640, 480)), tmp_path / "photo.jpg")
    row = {"bytes": None, "path": str(file)}
    for look, speed in ((pictures.look, 60), (pictures.look_quickly, 500)):
        took = min(_seconds(lambda look=look: look(row, ""), time.process_time) for _ in range(20))
        assert 1 / took > speed


def _seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    begin = clock()
    work()
    return clock() - begin


def test_sharpness_falls_with_every_blur():
    picture = photo(3, (320, 240))
    blurred = [picture.filter(ImageFilter.GaussianBlur(radius)).convert("L") for radius in (0, 1, 2)]
    sharpness = [pictures._sharpness(np.asarray(one, np.int16)) for one in blurred]
    assert sharpness == sorted(sharpness, reverse=True) and sharpness[0] > 10 * sharpness[2]
