"""The server speaks the format of Hugging Face's inference API, and only to programs of this machine."""

import base64
import http.client
import os
import signal
import subprocess
import sys

import httpx2
import huggingface_hub
import pytest
from huggingface_hub import InferenceClient

from studio.evaluation.explain import explain
from studio.predictor import Predictor
from tests.conftest import ROOT
from tests.serving.conftest import png

pytestmark = pytest.mark.xdist_group("serving")


@pytest.fixture(scope="module")
def text_server(models, text_classifier):
    with models.lease(text_classifier) as (server,):
        server.ready()
        yield server


@pytest.fixture(scope="module")
def image_server(models, image_classifier):
    with models.lease(image_classifier) as (server,):
        server.ready()
        yield server


def post(server, path="/predict", **more) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {server.token}"} | more.pop("headers", {})
    return httpx2.post(f"{server.url}{path}", headers=headers, trust_env=False, timeout=60, **more)


def expected(folder, item) -> dict[str, float]:
    return Predictor(folder, device="cpu").predict([item])[0].scores


@pytest.fixture
def client_may_ask(monkeypatch):
    """The tests are offline, for which this client takes the address of the loopback as well."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)


def test_the_client_of_hugging_face_asks_it_about_texts(text_server, text_classifier, client_may_ask):
    client = InferenceClient(model=f"{text_server.url}/predict", token=text_server.token)
    told = {each.label: each.score for each in client.text_classification("a good film")}
    assert told == pytest.approx(expected(text_classifier, "a good film"), abs=1e-5)
    assert [each.label for each in client.text_classification("a good film", top_k=1)] == [max(told, key=told.get)]


def test_the_client_of_hugging_face_asks_it_about_pictures(image_server, image_classifier, client_may_ask):
    client = InferenceClient(model=f"{image_server.url}/predict", token=image_server.token)
    told = {each.label: each.score for each in client.image_classification(png("red"))}
    assert told == pytest.approx(expected(image_classifier, png("red")), abs=1e-5)
    assert len(client.image_classification(png("red"), top_k=1)) == 1  # comes as base64 within JSON


def test_several_inputs_are_answered_in_their_order(text_server):
    one, other = (post(text_server, json={"inputs": text}).json()[0] for text in ("good film", "bad day"))
    both = post(text_server, json={"inputs": ["bad day", "good film"]}).json()
    assert [[each["label"] for each in row] for row in both] == [[e["label"] for e in other], [e["label"] for e in one]]


def test_one_bad_picture_does_not_spoil_the_others(image_server):
    inputs = [base64.b64encode(content).decode() for content in (png("red"), b"no picture", png("blue"))]
    first, second, third = post(image_server, json={"inputs": inputs}).json()
    assert first[0]["label"] in ("ant", "bee") and third[0]["label"] in ("ant", "bee")
    assert "damaged" in second["error"]


def test_an_answer_is_explained_word_by_word(text_server, text_classifier):
    wish = {"inputs": "a good film", "parameters": {"label": "good"}}
    found = post(text_server, "/explain", json=wish).json()
    expected = explain(Predictor(text_classifier, device="cpu"), "a good film", "good").told()
    assert found["label"] == "good" and found["complete"]
    for ours, theirs in zip(found["words"], expected["words"], strict=True):
        assert ours["score"] == pytest.approx(theirs.pop("score"), abs=1e-4) and theirs.items() <= ours.items()
    best = post(text_server, json={"inputs": "a good film"}).json()[0][0]["label"]
    assert post(text_server, "/explain", json={"inputs": "a good film"}).json()["label"] == best


def test_an_answer_to_a_picture_is_explained_by_its_parts(image_server):
    raw = post(image_server, "/explain", content=png("red"), headers={"Content-Type": "image/png"}).json()
    wish = {"inputs": base64.b64encode(png("red")).decode(), "parameters": {"label": raw["label"]}}
    assert post(image_server, "/explain", json=wish).json() == raw
    assert [len(row) for row in raw["grid"]] == [4] * 4
    assert base64.b64decode(raw["overlay"]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "status, word, body",
    [
        (422, "JSON", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
        (422, "one text", {"json": {"inputs": ["a", "b"]}}),
        (422, "one text", {"json": {}}),
        (422, "at most 1,000,000 characters", {"json": {"inputs": "a" * 1_000_001}}),
        (422, "no label 'splendid'", {"json": {"inputs": "a", "parameters": {"label": "splendid"}}}),
        (422, "top_k", {"json": {"inputs": "a", "parameters": {"top_k": 1}}}),
        (415, "takes texts", {"content": b"x", "headers": {"Content-Type": "image/png"}}),
        (415, "text/plain", {"content": b"x", "headers": {"Content-Type": "text/plain"}}),
        (413, "more than 64 MB", {"content": b"x" * 64_000_001, "headers": {"Content-Type": "application/json"}}),
    ],
)
def test_a_bad_wish_for_an_explanation_is_refused_with_the_reason(text_server, status, word, body):
    answer = post(text_server, "/explain", **body)
    assert (answer.status_code, word in answer.json()["error"]) == (status, True), answer.text


@pytest.mark.parametrize(
    "status, word, body",
    [
        (422, "JSON", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
        (422, "inputs", {"json": {}}),
        (422, "inputs", {"json": {"inputs": []}}),
        (422, "inputs", {"json": {"inputs": 7}}),
        (422, "inputs", {"json": {"inputs": ["a"] * 300}}),
        (422, "inputs", {"json": {"inputs": "a" * 1_000_001}}),
        (422, "top_k", {"json": {"inputs": "a", "parameters": {"top_k": 0}}}),
        (422, "temperature", {"json": {"inputs": "a", "parameters": {"temperature": 1}}}),
        (415, "takes texts", {"content": b"x", "headers": {"Content-Type": "image/png"}}),
        (415, "text/plain", {"content": b"x", "headers": {"Content-Type": "text/plain"}}),
    ],
)
def test_a_bad_question_is_refused_with_the_reason(text_server, status, word, body):
    answer = post(text_server, **body)
    assert (answer.status_code, word in answer.json()["error"]) == (status, True), answer.text


def test_a_bad_picture_is_refused_with_the_reason(image_server):
    answer = post(image_server, content=b"no picture", headers={"Content-Type": "image/png"})
    assert answer.status_code == 422 and "damaged" in answer.json()["error"]


def test_a_body_that_is_too_large_is_refused_before_it_is_read(image_server):
    connection = http.client.HTTPConnection(image_server.url.removeprefix("http://"), timeout=10)
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Length", str(10**10))
    connection.putheader("Authorization", f"Bearer {image_server.token}")
    connection.endheaders()
    assert connection.getresponse().status == 413


@pytest.mark.parametrize("path", ["/predict", "/explain", "/health", "/ready", "/openapi.json", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_no_other_site_reaches_any_route(text_server, path, method, headers):
    headers = headers | {"Authorization": f"Bearer {text_server.token}"}
    answer = httpx2.request(method, text_server.url + path, headers=headers, trust_env=False)
    assert answer.status_code == 403


def test_nobody_is_answered_without_the_token(text_server):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer \u00fc".encode()}):
        answer = httpx2.post(f"{text_server.url}/predict", json={"inputs": "a"}, headers=headers, trust_env=False)
        assert answer.status_code == 401
    assert httpx2.get(f"{text_server.url}/health", trust_env=False).json() == {"status": "alive"}


def test_the_command_serves_until_it_is_interrupted(text_classifier):
    command = [sys.executable, "-m", "studio", "serve", str(text_classifier), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        url = process.stdout.readline().split()[-1]
        answer = None
        while answer is None or answer.status_code == 503:  # it says that it is loading
            answer = httpx2.post(url, json={"inputs": "good"}, timeout=60, trust_env=False)
        assert len(answer.json()[0]) == 3
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def test_it_serves_this_machine_alone(program, text_classifier):
    done = program("-m", "studio", "serve", text_classifier, "--host", "0.0.0.0")
    assert done.returncode == 2 and "this machine alone" in done.stderr
