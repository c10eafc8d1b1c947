"""An archive brings regular files into its own folder, or nothing at all."""

import gzip
import os
import stat
import zipfile
from pathlib import Path

import datasets
import pytest

from studio.data.reading import archives
from studio.data.reading.rows import cache_folder
from studio.errors import RequestError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def zipped(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, content in entries:
            archive.writestr(entry, content)
    return path


def special(name: str, kind: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (kind | 0o777) << 16
    return entry


def locked(path: Path) -> Path:
    """A zip whose only entry claims to be encrypted."""
    content = bytearray(zipped(path, ("a.csv", b"text")).read_bytes())
    content[6] |= 1  # flags of the entry's own header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and of the table of contents
    path.write_bytes(content)
    return path


def test_files_and_folders_come_out_as_they_went_in(tmp_path):
    path = zipped(tmp_path / "a.zip", ("cats/", b""), ("cats/ünï 猫.png", b"1"), ("read/me.txt", b"2"))
    folder = archives.unzipped(path)
    found = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert found == {"cats/ünï 猫.png": b"1", "read/me.txt": b"2"}


def test_an_archive_is_unpacked_once_and_again_when_its_content_changes(tmp_path):
    path = zipped(tmp_path / "a.zip", ("a.csv", b"one"))
    first = archives.unzipped(path)
    assert archives.unzipped(path) == first
    zipped(path, ("a.csv", b"two"))
    os.utime(path, ns=(1, 1))
    assert (archives.unzipped(path) / "a.csv").read_bytes() == b"two"


@pytest.mark.parametrize(
    "entry, reason",
    [
        ("../escaped.txt", "leads outside"),
        ("fine/../../escaped.txt", "leads outside"),
        ("/tmp/escaped.txt", "leads outside"),
        ("C:/escaped.txt", "leads outside"),
        ("..\\escaped.txt", "leads outside"),
        (special("link", stat.S_IFLNK), "link or a device"),
        (special("device", stat.S_IFCHR), "link or a device"),
        (special("pipe", stat.S_IFIFO), "link or a device"),
        ("/".join("d" * 21) + "/a.txt", "20 folders deep"),
    ],
    ids=lambda value: getattr(value, "filename", value)[:12],
)
def test_an_archive_with_a_hostile_entry_writes_nothing(tmp_path, entry, reason):
    path = zipped(tmp_path / "a.zip", ("a.csv", b"harmless"), (entry, b"/etc/passwd"))
    before = set(tmp_path.rglob("*"))
    with pytest.raises(RequestError, match=reason):
        archives.unzipped(path)
    assert set(tmp_path.rglob("*")) - before <= {tmp_path / "cache", cache_folder()}
    assert not Path("/tmp/escaped.txt").exists()


def test_a_bomb_is_stopped_by_the_bytes_it_writes_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_FREE_BYTES", 100_000)
    path = zipped(tmp_path / "a.zip", *((f"{at}.txt", bytes(60_000)) for at in range(9)))
    with pytest.raises(RequestError, match="100 times its size"):
        archives.unzipped(path)
    packed = tmp_path / "a.parquet.gz"
    packed.write_bytes(gzip.compress(bytes(2_000_000)))
    with pytest.raises(RequestError, match="100 times its size"):
        archives.gunzipped(packed)
    assert not list(cache_folder().iterdir())


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_COUNT_LIMIT", 3)
    with pytest.raises(RequestError, match="4 files"):
        archives.unzipped(zipped(tmp_path / "a.zip", *((f"{at}.txt", b"") for at in range(4))))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a.csv", "a.csv"), ("a.csv/b.csv", "a.csv"), ("a.csv", "a.csv/b/c.csv")])
def test_a_name_that_an_archive_holds_twice_is_told_in_words(tmp_path, names):
    path = zipped(tmp_path / "a.zip", *((name, b"one") for name in names))
    with pytest.raises(RequestError, match=f"a.zip holds '{names[1]}' twice") as refused:
        archives.unzipped(path)
    assert "cache" not in str(refused.value) and not list(cache_folder().iterdir())


def test_a_locked_archive_is_refused(tmp_path):
    with pytest.raises(RequestError, match="password"):
        archives.unzipped(locked(tmp_path / "a.zip"))


@pytest.mark.parametrize("damage", [lambda b: b"no zip", lambda b: b[:-30], lambda b: b[:40] + b"\xff" * 20 + b[60:]])
def test_a_damaged_archive_is_refused(tmp_path, damage):
    path = zipped(tmp_path / "a.zip", ("a.csv", os.urandom(200)))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RequestError, match="no zip that can be unpacked"):
        archives.unzipped(path)
    assert not list(cache_folder().iterdir())
