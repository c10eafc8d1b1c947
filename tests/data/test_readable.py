"""Unreadable pictures are left out, counted and named; too many of them are refused."""

import dataclasses
import io

import pytest
from datasets import Dataset, Features, Value
from datasets import Image as Picture
from PIL import Image

from studio.data.readable import readable
from studio.data.sources import Source
from studio.errors import RequestError


def png(number: int) -> bytes:
    stream = io.BytesIO()
    picture = Image.new("RGB", (8, 8), (number, 0, 0))
    picture.putpixel((1, 1), (number, 200, 0))
    picture.save(stream, "PNG")
    return stream.getvalue()


def rows(contents: list[bytes], prefix: str = "", named: bool = True) -> Dataset:
    columns = {
        "image": [{"bytes": c, "path": f"{prefix}{i}.png" if named else None} for i, c in enumerate(contents)],
        "label": [0] * len(contents),
        "row_id": [f"{prefix}{i}" for i in range(len(contents))],
    }
    features = Features({"image": Picture(decode=False), "label": Value("int64"), "row_id": Value("string")})
    return Dataset.from_dict(columns, features=features)


def source(**splits: Dataset) -> Source:
    return Source(splits=splits, labels=["a"], notes=["first"], origin="zoo")


def test_readable_data_passes_as_it_is():
    given = source(train=rows([png(i) for i in range(5)]))
    assert readable(given) is given


def test_unreadable_pictures_are_left_out_counted_and_named():
    contents = [png(i) for i in range(70)]
    contents[3], contents[68] = b"<html>", b""
    checked = readable(source(train=rows(contents), test=rows([png(1), png(2)[:40]], "test/")))
    assert checked.splits["train"]["row_id"][:] == [str(i) for i in range(70) if i not in (3, 68)]
    assert checked.splits["test"]["row_id"][:] == ["test/0"]
    assert checked.notes[0] == "first" and len(checked.notes) == 2
    for part in ("3 of 72", "3.png is a web page", "68.png is empty", "test/1.png is damaged"):
        assert part in checked.notes[1]


def test_blank_pictures_are_kept_counted_and_named():
    blank = io.BytesIO()
    Image.new("L", (8, 8), 3).save(blank, "PNG")
    checked = readable(source(train=rows([png(1), blank.getvalue(), png(2)])))
    assert len(checked.splits["train"]) == 3
    assert checked.notes == ["first", "1 of 3 pictures are blank, of one colour all over: 1.png."]


def test_a_picture_without_a_path_is_named_by_its_row():
    checked = readable(source(train=rows([png(1), b"", png(2)], named=False)))
    assert "row 1 is empty" in checked.notes[1]


@pytest.mark.parametrize(
    ("bad", "total", "refused"), [(3, 5, False), (4, 39, True), (4, 40, False), (5, 49, True), (2, 2, True)]
)
def test_more_than_a_tenth_is_refused_once_there_are_more_than_three(bad, total, refused):
    given = source(train=rows([b""] * bad + [png(i) for i in range(total - bad)]))
    if not refused:
        assert len(readable(given).splits["train"]) == total - bad
        return
    with pytest.raises(RequestError, match=f"zoo: {bad} of {total} pictures cannot be read .*0.png is empty"):
        readable(given)


def test_a_split_or_class_of_which_no_picture_can_be_read_is_refused():
    good = [png(i) for i in range(30)]
    with pytest.raises(RequestError, match="zoo: none of the test rows can be used"):
        readable(source(train=rows(good), test=rows([b""])))
    train = rows([*good, b""]).remove_columns("label").add_column("label", [0] * 30 + [1])
    with pytest.raises(RequestError, match="no training row of class 'b' has content"):
        readable(dataclasses.replace(source(train=train), labels=["a", "b"]))


def test_no_bar_is_drawn_where_nobody_watches(capfd):
    readable(source(train=rows([png(1)])))
    assert capfd.readouterr() == ("", "")


def test_a_bar_is_drawn_on_a_terminal(capfd, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    readable(source(train=rows([png(1)])))
    assert "Checking pictures" in capfd.readouterr().err
