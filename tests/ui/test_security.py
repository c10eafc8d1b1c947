"""No other website, no stranger and no file reaches the studio: each promise is tried on a real server.

The numbers in comments are rows of the list of threats in the design: 18 names, 19 origins, 20 login, 21 paths,
22 addresses, 23 markup, 24 sessions, 25 caps, 26 shells.
"""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil
import pytest

from studio.errors import RequestError
from studio.runs import size_bytes
from studio.ui.login import Login
from studio.ui.security import Guard
from tests.finished_runs import answers, write_run
from tests.ui import every_input
from tests.ui.conftest import FIGURES_FILE, ROOT, end, free_port

TOKEN = "a-token-of-some-length"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
SECRET = "canary-5d1c"
WEB = httpx.Client(verify=False, timeout=20)  # one for all: each new one reads the certificates, 30 ms
SESSIONS = 500 if FIGURES_FILE else 150
MARKUP = '<img src=x onerror="window.pwned=1"><b id=pwned>'
# Runs before anything else in a server's process and writes down whom the process wants to speak to.
WATCH = """
import os, sys
def watch(event, args):
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(args[1], tuple)):
        with open(os.environ["WATCHED"], "a") as file:
            file.write(f"{event} {args!r}\\n")
sys.addaudithook(watch)
"""


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A folder that has a server's process write down whom it connects to; the file, and what to put in its
    environment."""
    folder = tmp_path_factory.mktemp("watch")
    (folder / "sitecustomize.py").write_text(WATCH)
    (folder / "seen").touch()
    return folder / "seen", {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "WATCHED": str(folder / "seen")}


@pytest.fixture(scope="module")
def page(start_page, tmp_path_factory, watched):
    """The studio's page over two runs, one of them with a hostile name."""
    root = tmp_path_factory.mktemp("page") / "runs"
    root.mkdir()
    write_run(root, "one", answers("1" * 30 + "0" * 10))
    write_run(root, MARKUP.replace("/", ""), answers("1" * 40))
    started = start_page(root, env=watched[1])
    yield started
    end(started)


@pytest.fixture(scope="module")
def inputs(start_page, tmp_path_factory, watched):
    """A page with every kind of input and small caps."""
    root = tmp_path_factory.mktemp("inputs") / "runs"
    root.mkdir()
    started = start_page(root, env=watched[1], program=(str(Path(every_input.__file__)),))
    yield started
    end(started)


@pytest.fixture(scope="module")
def ways():
    """Every method and path that Gradio serves, with something in place of each parameter, and some it does not."""
    from studio.ui.build import build
    from studio.ui.mount import mounted

    gradio = mounted(build(Path("nowhere"))).routes[-1].app
    routes = [r for route in gradio.routes for r in getattr(getattr(route, "original_router", None), "routes", [route])]
    paths = sorted({re.sub(r"{[^}]*}", "x", route.path) for route in routes})
    assert len(paths) > 60 and "/gradio_api/upload" in paths
    return [(method, path) for method in METHODS for path in (*paths, "/login", "/elsewhere")]


def in_a_loop(work: Coroutine) -> object:
    """Its result, from a thread of its own: Playwright has a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def ask_all(url: str, ways: list[tuple[str, str]], headers: dict[str, str]) -> list[int]:
    """The status of each way's answer."""
    upload = {"files": ("a.txt", b"x" * 100)}
    with httpx.Client(base_url=url, timeout=20) as client:
        return [
            client.request(method, path, headers=headers, files=upload if method == "POST" else None).status_code
            for method, path in ways
        ]


def named(path: str) -> dict[str, object]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


# 18


def test_under_a_foreign_name_no_route_is_reached_by_any_method(page, ways, figure):
    port, asked = page.url.rsplit(":", 1)[1], 0
    for name in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"localhost.evil.example:{port}", "127.0.0.1:1"):
        tried = ways if name == "evil.example" else ways[::7]
        assert set(ask_all(page.url, tried, {"Host": name})) == {421}
        asked += len(tried)
    figure(18, f"{asked:,} requests under 5 names, over {len(ways)} pairs of method and route: all refused (421)")
    assert {200, 404} <= set(ask_all(page.url, [way for way in ways if way[0] == "GET" and "x" not in way[1]][:20], {}))


def test_a_request_with_two_names_or_none_is_refused(page):
    host, port = page.url.removeprefix("http://").split(":")
    for names in ("", f"Host: {host}:{port}\r\nHost: evil.example\r\n"):
        with socket.create_connection((host, int(port))) as line:
            line.sendall(f"GET /config HTTP/1.1\r\n{names}Connection: close\r\n\r\n".encode())
            assert line.recv(100).split()[1] in (b"421", b"400")


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_this_machines_own_names_are_answered(page, name):
    port = page.url.rsplit(":", 1)[1]
    assert WEB.get(page.url, headers={"Host": f"{name}:{port}"}).status_code == 200


# 19


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_from_a_foreign_origin_no_route_is_reached_and_nothing_is_stored(page, ways, origin, figure):
    before = size_bytes(page.root / ".page")
    assert set(ask_all(page.url, ways, {"Origin": origin})) == {403}
    assert size_bytes(page.root / ".page") == before
    figure(
        19, f"{len(ways)} requests from the origin {origin}, each POST with a file: all refused (403), 0 bytes stored"
    )


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_browser_marks_as_from_elsewhere_is_refused_unless_it_is_a_link_that_was_followed(page, ways, site):
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
    assert set(ask_all(page.url, ways[::3], headers)) == {403}
    posted = WEB.post(f"{page.url}/gradio_api/cancel", headers=headers | {"Sec-Fetch-Mode": "navigate"})
    assert posted.status_code == 403
    assert WEB.get(page.url, headers=headers | {"Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_the_pages_own_origin_may_upload(page):
    sent = WEB.post(f"{page.url}/gradio_api/upload", files={"files": ("a.txt", b"own")}, headers={"Origin": page.url})
    assert sent.status_code == 200 and Path(sent.json()[0]).read_bytes() == b"own"


def test_what_the_page_does_not_use_is_closed(page):
    closed = "openapi.json dev/reload deep_link monitoring runs process_recording vibe-code proxy=http://127.0.0.1:1"
    for path in closed.split():
        for way in (f"/gradio_api/{path}", f"/{path}"):
            assert WEB.get(page.url + way).status_code == 404, way
    assert WEB.post(f"{page.url}/gradio_api/vibe-edit", json={}).status_code == 404
    assert WEB.get(f"{page.url}/openapi.json").status_code == 404


# 20


def app(*flags: str, root: Path, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "app.py", *flags],
        cwd=ROOT,
        env=os.environ | {"STUDIO_RUNS": str(root)} | env,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("host", "token"),
    [
        ("0.0.0.0", ""),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in (("::", ""), ("192.0.2.1", ""), ("0.0.0.0", "short"))),
    ],
)
def test_others_are_not_let_in_without_a_login(tmp_path, host, token, figure):
    done = app("--host", host, "--port", str(free_port()), root=tmp_path, STUDIO_TOKEN=token)
    assert done.returncode == 2
    assert "STUDIO_TOKEN" in done.stderr and "Traceback" not in done.stderr
    figure(20, f"--host {host} with {'a short' if token else 'no'} token: does not start")


@pytest.fixture(scope="module")
def guarded(start_page, tmp_path_factory):
    root = tmp_path_factory.mktemp("guarded") / "runs"
    root.mkdir()
    started = start_page(root, "--host", "0.0.0.0", env={"STUDIO_TOKEN": TOKEN})
    yield started
    end(started)


def test_with_a_login_everything_answers_401_until_the_token_is_shown(guarded, ways, figure):
    assert set(ask_all(guarded.url, ways, {})) == {401}
    for wrong in ({"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": TOKEN}, {"Cookie": f"studio-login={TOKEN}"}):
        assert set(ask_all(guarded.url, ways[::9], wrong)) == {401}
    assert size_bytes(guarded.root / ".page") == 0
    assert WEB.get(f"{guarded.url}/config", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    foreign = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://evil.example"}
    assert set(ask_all(guarded.url, ways[::9], foreign)) == {403}
    figure(20, f"{len(ways) + 3 * len(ways[::9])} requests with no or a wrong token: all 401, 0 bytes stored")


def test_a_browser_logs_in_once_and_gets_a_cookie_that_scripts_and_other_sites_do_not(guarded):
    with httpx.Client(base_url=guarded.url) as client:
        shown = client.get("/", headers={"Accept": "text/html"})
        assert shown.status_code == 401 and 'name="token"' in shown.text and "<script" not in shown.text
        assert client.post("/login", data={"token": "wrong"}).status_code == 401
        assert not client.cookies
        done = client.post("/login", data={"token": TOKEN})
        assert (done.status_code, done.headers["location"]) == (303, "/")
        assert {"HttpOnly", "SameSite=Strict"} <= set(done.headers["set-cookie"].split("; "))
        assert TOKEN not in done.headers["set-cookie"]
        assert client.get("/").status_code == 200


def test_websockets_are_refused(guarded, page):
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for url in (guarded.url, page.url):
        for path in ("/", "/gradio_api/queue/join", "/ws"):
            assert WEB.get(url + path, headers=upgrade).status_code != 101, path
    sent = []

    async def send(message):
        sent.append(message["type"])

    guard = Guard(None, hosts={"testserver"}, cache=Path("nowhere"))
    in_a_loop(guard({"type": "websocket", "path": "/", "headers": [(b"host", b"testserver")]}, None, send))
    assert sent == ["websocket.close"]


def test_an_answer_does_not_wait_for_the_networks_timers(page):
    with httpx.Client(base_url=page.url) as client:
        times = []
        for _ in range(15):
            started = time.monotonic()
            client.get("/theme.css")
            times.append(time.monotonic() - started)
    assert sorted(times)[7] < 0.03


def test_no_job_inherits_the_token(monkeypatch):
    monkeypatch.setenv("STUDIO_TOKEN", TOKEN)
    assert Login.from_environment() is not None
    assert "STUDIO_TOKEN" not in os.environ
    with pytest.raises(RequestError, match="needs 16"):
        Login("short")


def test_on_a_space_visitors_may_only_try_and_who_logs_in_may_do_the_rest(tmp_path, monkeypatch):
    from studio.ui import serve

    monkeypatch.setenv("STUDIO_RUNS", str(tmp_path))
    monkeypatch.setenv("SPACE_HOST", "me-studio.hf.space")

    async def tabs(login: Login | None, headers: dict[str, str]) -> tuple[int, list[str]]:
        applications = serve._applications(True, login)
        guard = Guard(*applications, hosts=serve._hosts("0.0.0.0", 7860, True), cache=tmp_path, login=login)
        transport = httpx.ASGITransport(guard)
        async with httpx.AsyncClient(transport=transport, base_url="https://me-studio.hf.space") as client:
            found = await client.get("/config", headers=headers)
            login_page = await client.get("/login")
        components = found.json()["components"]
        labels = [component["props"]["label"] for component in components if component["type"] == "tabitem"]
        return login_page.status_code, [label for label in labels if label in screens]

    screens = ["Data", "Train", "Runs", "Evaluate", "Compare", "Try"]  # which have tabs of their own
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert in_a_loop(tabs(Login(TOKEN), {})) == (401, ["Try"])
    assert in_a_loop(tabs(Login(TOKEN), bearer)) == (401, screens)
    assert in_a_loop(tabs(None, bearer)) == (404, ["Try"])


def test_a_taken_port_is_named_with_its_owner_and_not_moved(page, tmp_path):
    port = page.url.rsplit(":", 1)[1]
    done = app("--port", port, root=tmp_path)
    assert done.returncode == 2
    assert f"--port {port} is taken by process {page.process.pid}" in done.stderr


# 21


def strange_paths(target: Path) -> list[str]:
    """200 ways to write a file's path that lead out of a folder."""
    bare = str(target).lstrip("/")
    ups = [
        "../",
        "..%2f",
        "%2e%2e/",
        "%2e%2e%2f",
        "%252e%252e%252f",
        "..%5c",
        "..\\",
        "....//",
        "..;/",
        "%c0%ae%c0%ae/",
    ]
    ups += ["..%00/", "./../", "..//", "%2e%2e%5c", "\u2025/", "..%c0%af", "%u002e%u002e/", "..\x00/", "/..", ".%2e/"]
    found = [up * depth + bare for up in ups for depth in (1, 2, 4, 8, 16)]
    starts = [
        "/",
        "//",
        "file://",
        "file:///",
        "/proc/self/root/",
        "/proc/self/cwd/../../",
        "/./",
        "%2f",
        "%252f",
        "~/../",
    ]
    found += [start + bare for start in starts]
    ends = ["", "\0.png", "%00.png", "/", "/.", "?x=.png", "#.png", " ", ".", "::$DATA"]
    found += [start + bare + end for start in starts[:9] for end in ends]
    assert len(set(found)) >= 200 - 10
    return found


def safe_url(path: str) -> str:
    """As it can stand in a request line; what is encoded already is left so."""
    return "".join(
        c if c.isascii() and c.isprintable() and c not in ' "<>#?\\^`{|}' else f"%{ord(c) & 255:02x}" for c in path
    )


def test_no_spelling_of_a_path_leads_to_a_file_outside(page, inputs, tmp_path, figure):
    canary = tmp_path / "canary.txt"
    canary.write_text(SECRET)
    before = (canary.stat().st_mtime_ns, sorted(tmp_path.iterdir()))
    strange = strange_paths(canary)
    routes = ("/gradio_api/file=", "/static/", "/assets/", "/svelte/", "/gradio_api/file/", "/gradio_api/heartbeat/")
    tried = 0
    for url in (page.url, inputs.url):
        host, port = url.removeprefix("http://").split(":")
        with ThreadPoolExecutor(8) as pool:
            lines = [f"GET {route}{safe_url(path)} HTTP/1.1" for route in routes for path in strange]
            for reply in pool.map(lambda line, at=(host, int(port)): raw(*at, line), lines):
                assert SECRET.encode() not in reply
                tried += 1
    with ThreadPoolExecutor(8) as pool:
        fields = [(name, value) for name in every_input.FILES for path in strange[::3] for value in shapes(name, path)]
        for answer in pool.map(lambda field: call_cached(inputs.url, *field), fields):
            assert SECRET not in answer
            tried += 1
        names = [("files", (path, b"x")) for path in strange]
        for sent in pool.map(lambda name: WEB.post(f"{inputs.url}/gradio_api/upload", files=[name]), names):
            stored = [Path(path) for path in sent.json()] if sent.status_code == 200 else []
            assert all(inputs.root / ".page" in path.resolve().parents for path in stored)
    assert tried > 3000
    assert (canary.stat().st_mtime_ns, sorted(tmp_path.iterdir())) == before
    assert canary.read_text() == SECRET
    figure(21, f"{tried:,} trials of {len(strange)} spellings in routes, fields and names of uploads: 0 files reached")


def raw(host: str, port: int, line: str) -> bytes:
    """The answer to a request line that no client would send, without its path put right."""
    with socket.create_connection((host, port), timeout=10) as connection:
        connection.sendall(f"{line}\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode("latin-1"))
        connection.settimeout(1)  # a stream may never end
        reply = b""
        try:
            while len(reply) < 100_000 and (data := connection.recv(65536)):
                reply += data
                if b"text/event-stream" in reply:
                    break
        except TimeoutError:
            pass
        return reply


_INDEX: dict[str, dict[str, int]] = {}


def call_cached(url: str, name: str, value: object) -> str:
    if url not in _INDEX:
        functions = WEB.get(f"{url}/config").json()["dependencies"]
        _INDEX[url] = {f["api_name"]: f["id"] for f in functions}
    body = {"data": [value], "fn_index": _INDEX[url][name], "session_hash": "s"}
    return WEB.post(f"{url}/gradio_api/run/{name}", json=body).text


def shapes(name: str, path: str) -> list[object]:
    """A file by this path as each kind of input takes it."""
    file = named(path)
    if name == "Files":
        return [[file]]
    if name == "Sketchpad":
        return [{"background": file, "layers": [file], "composite": file}]
    if name == "Gallery":
        return [[{"image": file, "caption": None}], [{"video": file, "caption": None}]]
    if name == "MultimodalTextbox":
        return [{"text": "", "files": [file]}]
    if name == "Video":
        return [file, {"video": file, "subtitles": file}]
    return [file, {**named("x"), "url": path}]


# 22


def test_no_field_and_no_route_makes_the_page_fetch_an_address(page, inputs, watched, figure):
    hits, tried = [], 0

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self):
            hits.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_HEAD = do_POST = do_GET
        log_message = lambda *_: None  # noqa: E731

    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        here = listener.server_address[1]
        addresses = [f"http://127.0.0.1:{here}/a.png", f"http://localhost:{here}/a.png", f"http://[::1]:{here}/a.png"]
        addresses += [f"http://0x7f000001:{here}/", f"HTTP://127.0.0.1:{here}/", f"//127.0.0.1:{here}/a.png"]
        addresses += ["https://studio-canary.invalid/a.png", "http://93.184.215.14/a.png", "ftp://127.0.0.1/a"]
        for address in addresses:
            for name in every_input.FILES:
                for value in [*shapes(name, address), address, [address]]:
                    call_cached(inputs.url, name, value)
                    call_cached(inputs.url, f"{name}_shown", value)
                    tried += 2
            for name in every_input.WORDS:
                call_cached(inputs.url, f"{name}_shown", address)
            for route in ("file=", "file/", "proxy=", "file=%2f", "stream/"):
                for url in (page.url, inputs.url):
                    WEB.get(f"{url}/gradio_api/{route}{address}", headers={"Referer": address})
                    WEB.get(f"{url}/?deep_link={address}&url={address}")
                    tried += 2
        listener.shutdown()
    assert hits == []
    assert watched[0].read_text() == ""  # not even a name was looked up
    figure(22, f"{tried:,} trials of {len(addresses)} addresses in fields and routes: 0 requests, 0 names looked up")


# 23


def test_a_hostile_name_is_shown_as_text(page, browser_page, figure):
    asked, dialogs = [], []
    browser_page.on("request", lambda request: asked.append(request.url))
    browser_page.on("dialog", lambda dialog: dialogs.append(dialog.dismiss()))
    browser_page.goto(page.url)
    browser_page.get_by_role("tab", name="Compare", exact=True).click()
    browser_page.get_by_text("points of accuracy").wait_for(timeout=30_000)
    browser_page.get_by_text("onerror").first.wait_for()
    assert browser_page.evaluate("window.pwned") is None
    assert browser_page.locator("#pwned, img[src=x]").count() == 0
    assert not dialogs
    own = ("data:", "blob:", page.url)
    assert [url for url in asked if not url.startswith(own)] == []  # no outside host, fonts included
    figure(23, "a run named by markup: shown as text, 0 live tags")


def test_markup_that_did_get_into_the_page_would_not_run(page, browser_page, figure):
    browser_page.goto(page.url)
    browser_page.get_by_role("tab", name="Compare", exact=True).wait_for()
    browser_page.evaluate(
        """() => {
            document.body.insertAdjacentHTML('beforeend', '<img src="x:" onerror="window.pwned = 1">');
            document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.pwned = 2'}));
            location.href = 'javascript:window.pwned = 3';
        }"""
    )
    browser_page.wait_for_timeout(500)
    assert browser_page.evaluate("window.pwned") is None
    figure(23, "3 scripts put into the page on purpose: 0 ran (content security policy)")


def test_the_policy_stops_nothing_that_inputs_need(inputs, browser_page):
    stopped = []
    browser_page.on("console", lambda said: stopped.append(said.text) if "Content Security" in said.text else None)
    browser_page.on("pageerror", lambda error: stopped.append(str(error)))
    browser_page.goto(inputs.url)
    browser_page.locator("canvas").first.wait_for(timeout=30_000)  # of the sketchpad
    browser_page.get_by_role("button", name="Textbox", exact=True).first.click()
    browser_page.wait_for_timeout(1000)
    assert stopped == []


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.xml", "a.js", "a.pdf", 'a"; filename=x.png.html'])
def test_an_uploaded_file_is_handed_out_to_be_saved_and_can_do_nothing(page, name, figure):
    content = b"<script>window.pwned=1</script>"
    stored = WEB.post(f"{page.url}/gradio_api/upload", files={"files": (name, content)}).json()[0]
    shown = WEB.get(f"{page.url}/gradio_api/file={quote(stored)}")
    assert shown.status_code == 200 and shown.content == content
    assert shown.headers["content-disposition"].startswith("attachment")
    assert shown.headers["content-security-policy"].startswith("default-src 'none'; sandbox")
    assert shown.headers["x-content-type-options"] == "nosniff"
    figure(23, f"`{name}`: an attachment")


def test_every_answer_bears_the_headers_that_protect_it(page, ways):
    with httpx.Client(base_url=page.url) as client:
        for method, path in ways[::5]:
            headers = client.request(method, path).headers
            assert "frame-ancestors 'none'" in headers["content-security-policy"], (method, path)
            assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "same-origin"
    document = WEB.get(page.url)
    policy = document.headers["content-security-policy"]
    (nonce,) = re.findall(r"'nonce-([^']+)'", policy)
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    assert set(re.findall(r"<script( nonce=\"[^\"]+\")?", document.text)) == {f' nonce="{nonce}"'}
    assert nonce not in WEB.get(page.url).text


# 24


def run_function(url: str, session: str, function: int, data: list[object]) -> list[object]:
    """What a function of the page answers by way of the queue, as a browser asks."""
    body = {"data": data, "fn_index": function, "session_hash": session}
    joined = WEB.post(f"{url}/gradio_api/queue/join", json=body)
    assert joined.status_code == 200, joined.text
    with WEB.stream("GET", f"{url}/gradio_api/queue/data?session_hash={session}") as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data: ")) if line else {}
            if message.get("msg") == "process_completed":
                return message["output"].get("data", [])
    return []


def offers_runs(url: str) -> int:
    """The function that tells the Compare screen which runs there are."""
    functions = WEB.get(f"{url}/config").json()["dependencies"]
    return next(f["id"] for f in functions if f["api_name"] == "runs_to_compare")


def test_a_second_browser_and_one_that_comes_back_see_the_same_runs(page, figure):
    function, seen, seconds = offers_runs(page.url), [], []
    for session in ("first", "second", "first"):
        started = time.monotonic()
        seen.append(run_function(page.url, session, function, [[]]))
        seconds.append(time.monotonic() - started)
    assert max(seconds) < 3
    figure(24, f"3 sessions, one of them twice: the same runs after {max(seconds):.1f} s at most")
    assert seen[0] == seen[1] == seen[2] and "one" in json.dumps(seen[0])


# 25


def test_sessions_do_not_grow_the_page_by_more_than_5_mb_for_each_100(page, figure):
    function, process = offers_runs(page.url), psutil.Process(page.process.pid)
    for i in range(100):
        run_function(page.url, f"warm{i}", function, [])
    before = process.memory_info().rss
    for i in range(SESSIONS):
        run_function(page.url, f"session{i}", function, [])
    grown = (process.memory_info().rss - before) / (SESSIONS / 100)
    assert grown <= 5 * 1024**2
    figure(25, f"{SESSIONS} sessions: {grown / 1024**2:.1f} MB for each 100")


def chunks(size: int):
    for _ in range(size // 50_000):
        yield b"x" * 50_000


def multipart(size: int):
    yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    yield from chunks(size)
    yield b"\r\n--b--\r\n"


def stored(inputs) -> int:
    return size_bytes(inputs.root / ".page")


def test_what_is_too_large_is_refused_also_when_its_size_is_not_told(inputs):
    before, url = stored(inputs), f"{inputs.url}/gradio_api/upload"
    told = WEB.post(url, files={"files": ("a", b"x" * 2_000_000)})
    untold = WEB.post(
        url, content=multipart(2_000_000), headers={"Content-Type": "multipart/form-data; boundary=b"}, timeout=20
    )
    assert (told.status_code, untold.status_code) == (413, 413)
    body = WEB.post(f"{inputs.url}/gradio_api/queue/join", content=chunks(20_000_000))
    assert body.status_code == 413
    assert stored(inputs) == before


def test_an_upload_that_breaks_off_leaves_nothing(inputs):
    before = stored(inputs)
    host, port = inputs.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        head = f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 900000\r\n"
        line.sendall(head.encode() + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n")
        for part in list(multipart(400_000))[:-1]:
            line.sendall(part)
        deadline = time.monotonic() + 5
        while stored(inputs) == before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert stored(inputs) > before  # it was on its way
    deadline = time.monotonic() + 5
    while stored(inputs) > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert stored(inputs) == before


def test_uploads_stop_at_the_cap_of_the_folder_and_go_when_the_page_ends(start_page, tmp_path, figure):
    program = (str(Path(every_input.__file__)),)
    own = start_page(tmp_path, program=program)
    try:
        sent = [
            WEB.post(f"{own.url}/gradio_api/upload", files={"files": ("a", bytes([i]) * 900_000)}).status_code
            for i in range(6)
        ]
        assert sent == [200, 200, 200, 413, 413, 413]
        assert stored(own) <= every_input.CACHE_BYTES
        assert oct((own.root / ".page").stat().st_mode)[-3:] == "700"
    finally:
        end(own)
    assert stored(own) == 0
    figure(25, "uploads of twice the cap: refused (413) from the cap on, 0 bytes left when the page has ended")


# 26


SHELL = ["; touch {0}", "$(touch {0})", "`touch {0}`", "| touch {0}", "\ntouch {0}\n", "--json={0}"]


@pytest.mark.parametrize("word", SHELL if FIGURES_FILE else ["".join(SHELL[:-1]), SHELL[-1]])
def test_no_word_in_any_field_reaches_a_shell(page, tmp_path, word, figure):
    sentinel = tmp_path / "sentinel"
    words = word.format(sentinel)
    functions = WEB.get(f"{page.url}/config").json()["dependencies"]
    for function in functions:
        for value in (words, [words]):
            session = f"shell{function['id']}{len(str(value))}"
            run_function(page.url, session, function["id"], [value] * len(function["inputs"]))
    assert not sentinel.exists()
    figure(26, f"`{json.dumps(word)[1:-1]}` in all fields of {len(functions)} functions: not carried out")
