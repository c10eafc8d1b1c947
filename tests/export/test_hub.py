"""Publishing, against a stand-in for the Hub: one commit, listed files only, no secret, and a second try that works.

The client is a process of its own, because huggingface_hub reads the Hub's address when it is imported.
"""

import os
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

from studio.export import hub
from tests.hub_server import HubServer

CANARY = "hf_" + "CANARYcanaryCANARYcanaryCANARYcana"
LABELS = {0: "bad", 1: "good"}
PUBLISHED = {"README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}

PUSH = """
import sys
from pathlib import Path
from studio.errors import RequestError, RunError
from studio.export import hub

try:
    print(hub.push(Path(sys.argv[1]), sys.argv[2], private=sys.argv[3] == "private"))
except (RequestError, RunError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""

CHECK = """
import sys
from studio.errors import RequestError
from studio.export import hub

try:
    hub.check(sys.argv[1])
except RequestError as error:
    sys.exit(f"RequestError: {error}")
"""

USE = """
import sys
from transformers import pipeline

print(pipeline("text-classification", model=sys.argv[1])("good film")[0]["label"])
"""


@pytest.fixture
def model(tmp_path) -> Path:
    """A model folder as a run leaves it, with the things beside it that must never be published."""
    folder = tmp_path / "model"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film"]
    BertTokenizer(vocab={word: i for i, word in enumerate(words)}).save_pretrained(folder)
    config = BertConfig(
        vocab_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, id2label=LABELS
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    (folder / "README.md").write_text(
        '---\nlibrary_name: transformers\n---\n# A model\npipeline(model="path/to/this/folder")\n'
    )
    for name in ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "weights.pkl", "events.jsonl"):
        (folder / name).write_text(f"a pickle with {CANARY} inside")
    (folder / "runs").mkdir()
    (folder / "runs" / "config.json").write_text(CANARY)
    return folder


def client(tmp_path: Path, url: str, script: str, *arguments: str, **environment: str | None):
    """Runs the script as a logged-in person whose Hub is at `url`."""
    variables = os.environ | {
        "HF_ENDPOINT": url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "hf"),
        "HF_TOKEN": CANARY,
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    variables = {name: value for name, value in (variables | environment).items() if value is not None}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120)


def test_a_model_is_published_in_one_commit_of_listed_files_and_works_from_there(model, tmp_path):
    with HubServer(CANARY) as server:
        done = client(tmp_path, server.url, PUSH, model, "me/film-reviews", "private")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == f"{server.url}/me/film-reviews"
        repository = server.repositories["me/film-reviews"]
        assert repository.private
        assert len(repository.commits) == 1
        assert set(repository.files) == PUBLISHED
        for name in PUBLISHED - {"README.md"}:
            assert repository.files[name] == (model / name).read_bytes()
        assert b'pipeline(model="me/film-reviews")' in repository.files["README.md"]  # as it is used from there
        assert sum(map(len, server.received)) > (model / "model.safetensors").stat().st_size
        assert not any(CANARY.encode() in body for body in server.received)

        used = client(tmp_path, server.url, USE, "me/film-reviews")
        assert used.returncode == 0, used.stderr
        assert used.stdout.strip() in LABELS.values()


def test_a_passing_fault_during_the_upload_is_sat_out(model, tmp_path):
    with HubServer(CANARY) as server:
        server.failures["/preupload/"] = 1
        done = client(tmp_path, server.url, PUSH, model, "me/film-reviews", "private")
        assert done.returncode == 0, done.stderr
        assert [set(commit) for commit in server.repositories["me/film-reviews"].commits] == [PUBLISHED]


def test_after_an_outage_the_command_that_was_named_publishes_and_uploads_no_weights_twice(model, tmp_path):
    before = {file: file.read_bytes() for file in model.iterdir() if file.is_file()}
    with HubServer(CANARY) as server:
        server.failures["/commit/"] = 1
        (model.parent / "run.json").write_text("{}")
        failed = client(tmp_path, server.url, PUSH, model, "me/film-reviews", "private")
        assert failed.returncode == 1
        assert failed.stderr.startswith("RunError: me/film-reviews was not published")
        assert server.repositories["me/film-reviews"].commits == []
        assert {file: file.read_bytes() for file in model.iterdir() if file.is_file()} == before

        again = shlex.split(failed.stderr.partition("try again by: ")[2])
        assert again[:4] == ["python", "-m", "studio", "push"]
        done = client(tmp_path, server.url, "from studio.cli import main; main()", *again[3:])
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == f"{server.url}/me/film-reviews"
        assert [set(commit) for commit in server.repositories["me/film-reviews"].commits] == [PUBLISHED]
        assert sum(request.startswith("PUT ") for request in server.requests) == 1


@pytest.mark.parametrize("name", ["README.md", "config.json", "tokenizer.json", "model.safetensors"])
def test_a_token_in_any_published_file_stops_everything(model, tmp_path, name):
    foreign = b"hf_" + b"Ab1" * 12
    with (model / name).open("ab") as file:
        file.write(b"\nmy token is " + foreign)
    with HubServer(CANARY) as server:
        done = client(tmp_path, server.url, PUSH, model, "me/film-reviews", "private")
        assert done.returncode == 1
        assert done.stderr.startswith(f"RequestError: {model / name} holds an access token")
        assert server.repositories == {}
        assert foreign.decode() not in done.stderr


def test_the_token_in_use_is_found_even_if_it_looks_like_no_token(model, tmp_path):
    odd = "an-odd-token-of-a-private-hub"
    (model / "README.md").write_text(f"log in with {odd}")
    with HubServer(odd) as server:
        done = client(tmp_path, server.url, PUSH, model, "me/film-reviews", "private", HF_TOKEN=odd)
        assert "holds an access token" in done.stderr
        assert odd not in done.stderr
        assert server.repositories == {}


def test_a_private_model_is_never_pushed_into_a_public_repository(model, tmp_path):
    with HubServer(CANARY) as server:
        assert client(tmp_path, server.url, PUSH, model, "me/film-reviews", "public").returncode == 0
        done = client(tmp_path, server.url, PUSH, model, "me/film-reviews", "private")
        assert done.stderr.startswith("RequestError: --hub_model_id me/film-reviews exists and is public")
        assert len(server.repositories["me/film-reviews"].commits) == 1


def test_a_namespace_of_others_is_refused_with_the_remedy(model, tmp_path):
    with HubServer(CANARY) as server:
        done = client(tmp_path, server.url, PUSH, model, "others/film-reviews", "private")
        assert done.stderr.startswith("RequestError: the Hub does not let this token publish others/film-reviews")


def test_nobody_logged_in_is_told_how_to_log_in(tmp_path):
    with HubServer(CANARY) as server:
        done = client(tmp_path, server.url, CHECK, "me/film-reviews", HF_TOKEN=None)
        assert done.stderr.startswith("RequestError: --push_to_hub needs a login: run `hf auth login`")
        assert server.requests == []


@pytest.mark.parametrize(
    ("token", "role", "complaint"),
    [("hf_wrong", "write", "the Hub does not know this token"), (CANARY, "read", "the token can only read")],
)
def test_a_useless_token_is_noticed_before_training(tmp_path, token, role, complaint):
    with HubServer(CANARY, role) as server:
        done = client(tmp_path, server.url, CHECK, "me/film-reviews", HF_TOKEN=token)
        assert done.stderr.startswith(f"RequestError: {complaint}")
        assert token not in done.stderr


def test_a_good_token_and_name_pass_the_check(tmp_path):
    with HubServer(CANARY) as server:
        done = client(tmp_path, server.url, CHECK, "me/film-reviews")
        assert (done.returncode, done.stderr) == (0, "")
        assert "GET /api/whoami-v2" in server.requests
        assert server.repositories == {}


def test_a_name_that_is_none_is_refused(tmp_path):
    done = client(tmp_path, "http://127.0.0.1:9", CHECK, "me/film reviews!")
    assert done.stderr.startswith("RequestError: --hub_model_id me/film reviews! is no name for a model")


@pytest.mark.slow
def test_a_hub_out_of_reach_is_told_within_seconds(model, tmp_path):
    with socket.socket() as deaf:  # takes connections and never answers
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        for url in (f"http://127.0.0.1:{deaf.getsockname()[1]}", "http://127.0.0.1:9"):
            began = time.monotonic()
            done = client(tmp_path, url, PUSH, model, "me/film-reviews", "private")
            assert time.monotonic() - began < 30  # 5 s of waiting, the rest are imports
            assert done.stderr.startswith("RunError: me/film-reviews was not published: the Hub is out of reach")
            assert "intact" in done.stderr
    done = client(tmp_path, "http://127.0.0.1:9", CHECK, "me/film-reviews")
    assert done.stderr.startswith("RequestError: --push_to_hub: the Hub is out of reach")


def test_a_folder_without_a_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(hub.RequestError, match="model.safetensors are needed"):
        hub.push(tmp_path, "me/film-reviews", private=True)
