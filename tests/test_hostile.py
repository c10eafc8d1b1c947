"""Hostile files are refused by name, write nothing, run nothing and fill no memory; what is good beside them trains."""

import ast
from pathlib import Path

import datasets
import pytest

from studio.data.reading import archives
from studio.fields import read_yaml
from tests import hostile
from tests.bench.hostile import open_all, open_archives, open_pictures, read

ROOT = Path(__file__).parent.parent
PATIENCE_S = 10  # five times and more what `make hostile` measures: this is no place to time things
RUNNING = {"eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen"}
RUNNING |= {
    f"{module}.{name}" for module in ("pickle", "marshal", "shelve", "joblib", "dill") for name in ("load", "open")
}
RUNNING |= {"pickle.loads", "marshal.loads", "subprocess.getoutput", "subprocess.getstatusoutput"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


def test_twelve_archives_are_refused_and_leave_nothing_behind(tmp_path):
    opened, left, written = open_archives(tmp_path)
    assert len(opened) == 12 and all(one.refusal for one in opened), [one for one in opened if not one.refusal]
    assert left == 0 and not list(archives.cache_folder().iterdir())
    assert written <= max(archives.size_limit(one.path) for one in opened)
    assert max(one.seconds for one in opened) < PATIENCE_S


def test_fifteen_picture_bombs_are_all_named_in_little_memory_and_the_rest_trains(tmp_path):
    (tmp_path / "red").mkdir()
    listed, rows, grown, _ = open_pictures(tmp_path)
    assert (listed, rows) == (15, 150)
    assert grown <= 200_000_000


def test_ten_table_bombs_are_refused_by_row(tmp_path):
    opened = open_all(hostile.tables(tmp_path), read)
    assert len(opened) == 10 and all(one.refusal for one in opened), [one for one in opened if not one.refusal]
    unnamed = [one.path.name for one in opened if not one.row_named]
    assert unnamed == ["bomb.csv.gz"]  # which is refused for its size before there are rows
    assert max(one.seconds for one in opened) < PATIENCE_S


def test_no_hostile_yaml_is_run_or_read(tmp_path):
    opened = open_all(hostile.settings(tmp_path, tmp_path / "canary"), read_yaml)
    assert len(opened) == 13 and all(one.refusal for one in opened), [one for one in opened if not one.refusal]
    assert not (tmp_path / "canary").exists()
    assert max(one.seconds for one in opened) < PATIENCE_S


def running_calls(code: str) -> list[str]:
    """The calls in a program that would run what they are given or read."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            arguments = {argument.arg: ast.unparse(argument.value) for argument in node.keywords}
            unsafe = name == "torch.load" and arguments.get("weights_only") != "True"
            if name in RUNNING or unsafe or arguments.get("shell", "False") != "False":
                found.append(f"line {node.lineno}: {ast.unparse(node)[:80]}")
        elif isinstance(node, ast.ImportFrom) and node.module in {"pickle", "marshal", "shelve", "dill", "joblib"}:
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


@pytest.mark.parametrize(
    "code",
    ["eval('1')", "exec(x)", "yaml.load(f)", "pickle.load(f)", "torch.load(p)", "os.system('ls')"]
    + ["torch.load(p, weights_only=False)", "subprocess.run('ls', shell=True)", "from pickle import loads"],
)
def test_calls_that_run_what_they_read_are_seen(code):
    assert running_calls(code)


def test_no_file_of_the_project_runs_what_it_reads():
    files = [
        ROOT / "app.py",
        *(file for part in ("studio", "recipes", "tests") for file in (ROOT / part).rglob("*.py")),
    ]
    assert len(files) > 50
    found = {str(file.relative_to(ROOT)): calls for file in files if (calls := running_calls(file.read_text()))}
    assert not found
    assert not running_calls("model.eval(); yaml.safe_load(f); torch.load(p, weights_only=True)")
