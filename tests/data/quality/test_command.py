"""`python -m studio check` as a person or the page calls it."""

import ast
import json
import os
import signal
import subprocess
import sys

from PIL import Image

from studio.data.quality import reading
from studio.data.quality.reasons import WHY
from tests.conftest import ROOT
from tests.data.quality.planted import good, photo, photos, put, table


def test_the_check_prints_json_and_needs_no_torch(tmp_path, program):
    place = table(tmp_path / "t.csv", [*good(), good()[0]])
    done = program("-X", "importtime", "-m", "studio", "check", place, "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0 and told["complete"] and told["rows"] == {"train": 61}
    (finding,) = told["findings"]
    assert finding["kind"] == "duplicates" and finding["examples"][0]["place"] == "t.csv, line 62"
    assert list(finding["decision"]["exclude"]) == [finding["examples"][0]["row"]]
    assert not {"torch", "transformers"} & {line.split("|")[-1].strip() for line in done.stderr.splitlines()}


def test_the_check_shows_a_table(tmp_path, program):
    place = table(tmp_path / "t.csv", [*good(), good()[0]])
    shown = program("-m", "studio", "check", place).stdout
    assert "duplicates" in shown and "1 row repeats" in shown and "--apply duplicates" in shown
    clean = program("-m", "studio", "check", table(tmp_path / "u.csv", good())).stdout
    assert "Nothing was found" in clean


def test_what_is_applied_is_kept_and_taken_by_check_preview_and_training(tmp_path, program):
    rows = [*good(), good()[0], ("torn in two", "a"), ("torn in two", "b"), ("more", "A"), ("and more", "A")]
    place, file = table(tmp_path / "t.csv", rows), tmp_path / "decisions.json"
    take = ["--curation_file", file]
    first = program("-m", "studio", "check", place, *take, "--apply", "duplicates,conflicting_labels")
    assert first.returncode == 0, first.stderr
    assert len(json.loads(file.read_text())["exclude"]) == 3
    second = program("-m", "studio", "check", place, *take, "--apply", "label_spellings", "--json")
    assert {finding["kind"] for finding in json.loads(second.stdout)["findings"]} == {"label_spellings"}
    kept = json.loads(file.read_text())
    assert len(kept["exclude"]) == 3 and kept["merge"]["A"]["into"] == "a"
    assert json.loads(program("-m", "studio", "check", place, *take, "--json").stdout)["findings"] == []
    told = json.loads(program("-m", "studio", "preview", "--dataset_name", place, *take, "--json").stdout)
    assert sum(told["sizes"].values()) == 62 and [row["label"] for row in told["classes"]] == ["a", "b"]


def test_what_cannot_be_applied_is_refused_with_the_choice(tmp_path, program):
    place = table(tmp_path / "t.csv", [*good(), good()[0]])
    done = program("-m", "studio", "check", place, "--apply", "leak", "--curation_file", tmp_path / "d.json")
    assert done.returncode == 2 and "--apply leak: the findings that can be applied are: duplicates" in done.stderr
    assert not (tmp_path / "d.json").exists()
    assert program("-m", "studio", "check", place, "--apply", "duplicates").returncode == 2


def test_flags_of_the_data_stand_behind_the_data(tmp_path, program):
    place = table(tmp_path / "t.csv", [(text, "x", label) for text, label in good()], ("body", "other", "kind"))
    done = program("-m", "studio", "check", place, "--label_column_name", "kind", "--json")
    assert json.loads(done.stdout)["labels"] == ["a", "b"]
    assert program("-m", "studio", "check", place, "--learning_rate", "1").returncode == 2


def test_the_check_tells_how_far_it_is_and_shows_examples_small(tmp_path, program):
    folder = photos(tmp_path / "photos", 30)
    put(Image.new("RGB", (96, 64)), folder / "cat" / "black.png")
    (folder / "cat" / "bad.png").write_bytes(b"")
    done = program("-m", "studio", "check", folder, "--json", "--progress", "--thumbnails", tmp_path / "small")
    *steps, told = map(json.loads, done.stdout.splitlines())
    assert {"doing": "Checking pictures", "done": 0, "total": 32} in steps
    findings = {finding["kind"]: finding for finding in told["findings"]}
    assert all(finding["why"] for finding in told["findings"]) and set(findings) == {"unreadable", "blank"}
    assert "thumbnail" not in findings["unreadable"]["examples"][0]
    with Image.open(tmp_path / "small" / findings["blank"]["examples"][0]["thumbnail"]) as picture:
        assert picture.size == (192, 128)


def test_every_kind_of_finding_says_why_it_matters():
    """Kinds are words that stand first in what makes a finding."""
    kinds = set()
    for file in (ROOT / "studio" / "data" / "quality").glob("*.py"):
        for call in filter(lambda node: isinstance(node, ast.Call), ast.walk(ast.parse(file.read_text()))):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            at = {"finding": 0, "Finding": 0, "found": 0, "_pairs": 0, "_foreign": 1, "_leaks": 2}.get(name)
            words = call.args[at : at + 1] if at is not None else []
            kinds |= {word.value for word in words if isinstance(word, ast.Constant)}
    made = {"tiny_classes", "small_classes"} | set(reading.REMEDIES)
    assert kinds | made == set(WHY)


def test_ctrl_c_ends_a_check_with_what_was_found(tmp_path):
    content = put(photo(0, (480, 360)), tmp_path / "photo.png").read_bytes()
    for at in range(3000):
        file = tmp_path / "photos" / ("cat" if at % 2 else "dog") / f"{at}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content + at.to_bytes(2))
    (tmp_path / "photos" / "cat" / "0 bad.png").write_bytes(b"")
    command = [sys.executable, "-m", "studio", "check", str(tmp_path / "photos"), "--json", "--progress"]
    environment = os.environ | {"HF_DATASETS_CACHE": str(tmp_path / "cache")}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not json.loads(process.stdout.readline() or '{"done": 1}')["done"]:
        pass  # until some pictures have been looked at
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    told = json.loads(out.splitlines()[-1])
    assert process.returncode == 130 and not told["complete"] and b"Traceback" not in err
    assert "unreadable" in {finding["kind"] for finding in told["findings"]}
