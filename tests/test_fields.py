"""One declaration gives flag, YAML key, bounds and help."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import pytest

from studio.errors import RequestError
from studio.fields import Parser, Range, Settings, arg, read_yaml, specs, to_flags, to_yaml


@dataclass
class Oven(Settings):
    title: ClassVar[str] = "Oven"

    degrees: Annotated[float, Range(50, 300)] = arg(180.0, "heat in °C, 100% honest")
    minutes: Annotated[int, Range(1)] | None = arg(None, "time")
    fan: bool = arg(False, "hot air")
    door: Literal["open", "shut"] = arg("shut", "the door")
    trays: list[str] = arg([], "what is in")
    book: str | None = arg(None, "recipe book", path=True)


def parse(*flags: str) -> Oven:
    (oven,), leftover = Parser([Oven], {}, "about", "usage").settings(list(flags))
    assert not leftover
    return oven


def test_flags_become_typed_values():
    assert parse("--degrees", "2e2", "--minutes=9", "--fan", "--trays", "a", "b") == Oven(
        degrees=200.0, minutes=9, fan=True, trays=["a", "b"]
    )
    assert parse("--fan", "false") == Oven(fan=False)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--degrees", "20"], "--degrees must be at least 50, got 20"),
        (["--degrees", "301"], "--degrees must be at most 300, got 301"),
        (["--degrees", "nan"], "--degrees must be a number"),
        (["--minutes", "0"], "--minutes must be at least 1, got 0"),
        (["--minutes", "1.5"], "--minutes: expected a whole number, got"),
        (["--fan", "perhaps"], "expected true or false, got 'perhaps'"),
        (["--door", "ajar"], "invalid choice: 'ajar'"),
    ],
)
def test_a_bad_value_is_refused_by_flag_value_and_remedy(flags, message):
    with pytest.raises(RequestError, match=message):
        parse(*flags)


def test_settings_survive_yaml_unchanged(tmp_path):
    oven = Oven(degrees=1.5e2, minutes=7, fan=True, door="open", trays=["yes", "012"])
    (tmp_path / "oven.yaml").write_text(to_yaml([oven], {}))
    assert parse(*to_flags(read_yaml(tmp_path / "oven.yaml"))) == oven


def test_yaml_numbers_without_a_point_are_numbers(tmp_path):
    (tmp_path / "oven.yaml").write_text("degrees: 2e2\nfan: yes\n")
    assert parse(*to_flags(read_yaml(tmp_path / "oven.yaml"))) == Oven(degrees=200.0, fan=True)


def test_yaml_makes_paths_absolute_that_exist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.book").touch()
    assert f"book: {tmp_path}/my.book" in to_yaml([Oven(book="my.book")], {})
    assert "book: other.book" in to_yaml([Oven(book="other.book")], {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [1]\nb: *x\n", "line 2: aliases"),
        ("a: !!python/object/apply:os.system [ls]\n", "line 1: aliases .* and tags"),
        ("- 1\n", "must hold lines like"),
        ("a: [1\n", "is not YAML"),
        ("x: " + "y" * 2_000_000, "larger than"),
    ],
)
def test_hostile_or_broken_yaml_is_refused(tmp_path, text, message):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(RequestError, match=message):
        read_yaml(tmp_path / "bad.yaml")


def test_a_missing_yaml_is_named():
    with pytest.raises(RequestError, match="nowhere.yaml cannot be read"):
        read_yaml("nowhere.yaml")


def test_specs_know_what_a_form_needs():
    by_name = {spec.name: spec for spec in specs(Oven)}
    assert by_name["degrees"].bounds == Range(50, 300)
    assert by_name["minutes"].bounds.low == 1 and by_name["minutes"].kind is int
    assert by_name["door"].choices == ("open", "shut")
    assert by_name["trays"].many and by_name["trays"].kind is str
    assert by_name["book"].path and not by_name["fan"].path


def test_help_shows_title_default_and_percent_signs(capsys):
    with pytest.raises(SystemExit):
        parse("--help")
    text = capsys.readouterr().out
    assert "Oven:" in text and "100% honest [180.0]" in text
