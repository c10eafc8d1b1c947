"""A run travels as one file; an archive brings nothing along that is carried out by itself."""

import io
import json
import stat
import tarfile
from pathlib import Path

import pytest

from studio.errors import RequestError
from studio.jobs.packing import pack, unpack
from studio.runs import Run
from tests.jobs.conftest import ENDLESS, state, until


def made(folder: Path, state: str = "stopped", **more) -> Run:
    run = Run(folder)
    run.create(recipe="toy", task="t", command=[], settings="seed: 1\n", seed=1, **more)
    run.set_state(state)
    run.unlock()
    return run


def archive(file: Path, members: dict[str, str | tarfile.TarInfo], mode: str = "w") -> Path:
    with tarfile.open(file, mode) as tar:
        for name, content in members.items():
            entry = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            data = b"" if isinstance(content, tarfile.TarInfo) else content.encode()
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return file


def test_a_packed_run_goes_on_elsewhere_with_its_data_elsewhere(root, studio, recipe, tmp_path):
    rows, file = tmp_path / "rows.csv", recipe(ENDLESS)
    rows.write_text("text,label\n")
    studio("run", file, "--dataset_name", rows, "--output_dir", root / "a")
    until(lambda: state(root / "a") == "running")
    assert "is running: stop it first" in studio("pack", "a", tmp_path / "a.tar", code=2).stderr
    studio("stop", "a", "--wait")
    studio("pack", "a", tmp_path / "a.tar")
    assert "exists: remove or rename it first" in studio("unpack", tmp_path / "a.tar", code=2).stderr
    (root / "a").rename(tmp_path / "gone")
    rows.rename(tmp_path / "moved.csv")
    studio("unpack", tmp_path / "a.tar")
    assert state(root / "a") == "stopped"
    moved = ["resume", "a", "--dataset_name", tmp_path / "moved.csv"]
    assert (
        "there is no recipe 'toy0'" in studio(*moved, code=2).stderr
    )  # found by its name, as the other machine has it
    (tmp_path / "recipes").mkdir()
    file.rename(tmp_path / "recipes/toy0.py")
    studio(*moved, cwd=tmp_path)
    until(lambda: state(root / "a") == "running")


def test_what_is_packed_and_unpacked_is_for_its_owner(tmp_path):
    run = made(tmp_path / "a")
    (run.folder / "splits").mkdir()
    (run.folder / "splits/train.txt").write_text("ids")
    (run.folder / "link").symlink_to("/etc/hostname")
    pack(run.folder, tmp_path / "a.tar")
    assert stat.S_IMODE((tmp_path / "a.tar").stat().st_mode) == 0o600
    folder = unpack(tmp_path / "root", tmp_path / "a.tar")
    assert (folder / "splits/train.txt").read_text() == "ids" and not (folder / "link").is_symlink()
    for entry in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(entry.stat().st_mode) & 0o077 == 0, entry
    assert [entry.name for entry in (tmp_path / "root").iterdir()] == ["a"]


def link(kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo("a/out")
    entry.type, entry.linkname = kind, "../b/run.json"
    return entry


@pytest.mark.parametrize(
    "bad",
    [
        {"b/run.json": "{}"},
        {"engine.lock": "x"},
        {"../b": "x"},
        {"a/../b/run.json": "{}"},
        {"/b/run.json": "{}"},
        {"a/out": link(tarfile.SYMTYPE)},
        {"a/out": link(tarfile.LNKTYPE)},
        {"a/out": link(tarfile.FIFOTYPE)},
    ],
    ids=lambda bad: next(iter(bad)),
)
def test_an_archive_reaches_nothing_but_the_new_run_folder(tmp_path, bad):
    root = tmp_path / "root"
    made(root / "b")
    before = (root / "b/run.json").read_bytes()
    file = archive(tmp_path / "x.tar", {"a/run.json": '{"recipe": "toy"}', **bad})
    with pytest.raises(RequestError, match="nothing was unpacked"):
        unpack(root, file)
    assert [entry.name for entry in root.iterdir()] == ["b"] and (root / "b/run.json").read_bytes() == before


@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_a_compressed_archive_is_refused(tmp_path, mode):
    file = archive(tmp_path / "x.tar", {"a/run.json": "{}"}, mode)
    with pytest.raises(RequestError, match="cannot be unpacked"):
        unpack(tmp_path / "root", file)


@pytest.mark.parametrize("content", ["", "[]", "null", '{"recipe": "../evil.py"}', '{"recipe": ["x"]}'])
def test_an_archive_without_a_sound_record_leaves_nothing(tmp_path, content):
    file = archive(tmp_path / "x.tar", {"a/run.json": content, "a/evil.py": "raise SystemExit"})
    with pytest.raises(RequestError):
        unpack(tmp_path / "root", file)
    assert list((tmp_path / "root").iterdir()) == []


@pytest.mark.parametrize("state_there", ["queued", "running"])
def test_an_unpacked_run_starts_nothing_by_itself(root, studio, tmp_path, state_there):
    here = root / "a"
    start = {
        "recipe": str(here / "evil.py"),
        "arguments": ["--push_to_hub", "--hub_model_id", "evil/x"],
        "processes": 2,
    }
    run = made(tmp_path / "a", state_there, start=start)
    status = json.loads((run.folder / "status.json").read_text())
    (run.folder / "status.json").write_text(json.dumps(status | {"host": "another"}))
    (run.folder / "evil.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    members = {
        f"a/{file.name}": file.read_text() for file in run.folder.iterdir() if file.name not in ("lock", "spare")
    }
    studio("unpack", archive(tmp_path / "x.tar", members))
    assert Run(here).start() == {"processes": 2} and state(here) == "stopped"
    assert json.loads(studio("queue", "restore", "--json").stdout) == []
    assert "there is no recipe 'toy'" in studio("resume", "a", code=2).stderr
    assert not (tmp_path / "canary").exists()
