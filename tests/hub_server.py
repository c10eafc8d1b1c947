"""A stand-in for the Hugging Face Hub on the loopback interface: one user, repositories in memory, faults on demand.

It speaks what huggingface_hub needs to sign in, make a repository, upload in one commit and download again.
A client takes it for the Hub when HF_ENDPOINT and HF_HUB_DISABLE_XET=1 are set before huggingface_hub is imported.
"""

import base64
import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Repository:
    """`commits` holds, oldest first, the files that each one added: name -> content."""

    private: bool
    commits: list[dict[str, bytes]] = field(default_factory=list)

    @property
    def files(self) -> dict[str, bytes]:
        return {name: content for commit in self.commits for name, content in commit.items()}

    @property
    def revision(self) -> str:
        return f"{len(self.commits):040x}"


class HubServer:
    """`with HubServer(token="hf_...") as hub:` serves at `hub.url` until the end of the block.

    `received` collects the body of every request. `failures["/commit/"] = 2` answers the next two requests whose
    path holds that text with a 500.
    """

    def __init__(self, token: str, role: str = "write"):
        self.token = token
        self.role = role
        self.repositories: dict[str, Repository] = {}
        self.large_files: dict[str, bytes] = {}  # by sha256
        self.received: list[bytes] = []
        self.requests: list[str] = []
        self.failures: Counter[str] = Counter()
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "HubServer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._route("GET")

    def do_HEAD(self) -> None:
        self._route("HEAD")

    def do_POST(self) -> None:
        self._route("POST")

    def do_PUT(self) -> None:
        self._route("PUT")

    def log_message(self, *_) -> None:
        pass

    def _route(self, method: str) -> None:
        self.body = self._read_body()
        path = self.path.split("?")[0]
        self.hub.requests.append(f"{method} {path}")
        self.hub.received.append(self.body)
        for text in self.hub.failures:
            if text in path and self.hub.failures[text] > 0:
                self.hub.failures[text] -= 1
                return self._answer(500, {"error": "Internal Error"})
        if not path.startswith("/large/") and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self._answer(401, {"error": "Invalid username or password."})
        for verb, pattern, respond in _ROUTES:
            found = re.fullmatch(pattern, path)
            if found and verb == ("GET" if method == "HEAD" else method):
                return respond(self, *found.groups())
        return self._answer(404, {"error": "Not Found"})

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _whoami(self) -> None:
        self._answer(200, {"type": "user", "name": "me", "auth": {"accessToken": {"role": self.hub.role}}})

    def _validate_yaml(self) -> None:
        self._answer(200, {"errors": [], "warnings": []})

    def _create(self) -> None:
        asked = json.loads(self.body)
        repo_id = f"{asked.get('organization') or 'me'}/{asked['name']}"
        if repo_id.split("/")[0] != "me":
            return self._answer(403, {"error": "You don't have the rights to create a model under this namespace"})
        exists = repo_id in self.hub.repositories
        if not exists:
            private = asked.get("visibility") == "private" or asked.get("private", False)
            self.hub.repositories[repo_id] = Repository(private)
        return self._answer(409 if exists else 200, {"url": f"{self.hub.url}/{repo_id}"})

    def _info(self, repo_id: str, _revision: str | None) -> None:
        if repo_id not in self.hub.repositories:
            return self._answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        repository = self.hub.repositories[repo_id]
        siblings = [{"rfilename": name} for name in repository.files]
        about = {"id": repo_id, "sha": repository.revision, "private": repository.private, "tags": []}
        return self._answer(200, about | {"siblings": siblings})

    def _tree(self, repo_id: str) -> None:
        files = self.hub.repositories[repo_id].files
        self._answer(
            200,
            [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in files.items()
            ],
        )

    def _preupload(self, _repo_id: str) -> None:
        names = [file["path"] for file in json.loads(self.body)["files"]]
        mode = {True: "lfs", False: "regular"}
        files = [{"path": n, "uploadMode": mode[n.endswith(".safetensors")], "shouldIgnore": False} for n in names]
        self._answer(200, {"files": files})

    def _large_file_batch(self, _repo_id: str) -> None:
        objects = []
        for asked in json.loads(self.body)["objects"]:
            upload = {"upload": {"href": f"{self.hub.url}/large/{asked['oid']}"}}
            known = asked["oid"] in self.hub.large_files
            objects.append(asked if known else asked | {"actions": upload})
        self._answer(200, {"transfer": "basic", "objects": objects})

    def _large_file(self, sha256: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != sha256:
            return self._answer(400, {"error": "the content is not what was announced"})
        self.hub.large_files[sha256] = self.body
        return self._answer(200, {})

    def _commit(self, repo_id: str) -> None:
        files = {}
        for line in self.body.splitlines():
            item = json.loads(line)
            if item["key"] == "file":
                files[item["value"]["path"]] = base64.b64decode(item["value"]["content"])
            elif item["key"] == "lfsFile":
                files[item["value"]["path"]] = self.hub.large_files[item["value"]["oid"]]
        repository = self.hub.repositories[repo_id]
        repository.commits.append(files)
        address = f"{self.hub.url}/{repo_id}/commit/{repository.revision}"
        self._answer(200, {"commitUrl": address, "commitOid": repository.revision})

    def _download(self, repo_id: str, name: str) -> None:
        repository = self.hub.repositories.get(repo_id)
        if repository is None or name not in repository.files:
            code = "RepoNotFound" if repository is None else "EntryNotFound"
            return self._answer(404, {"error": code}, {"X-Error-Code": code})
        content = repository.files[name]
        tag = f'"{hashlib.sha1(content).hexdigest()}"'
        return self._answer(200, content, {"X-Repo-Commit": repository.revision, "ETag": tag})


_ID = r"([\w.-]+/[\w.-]+)"
_ROUTES: list[tuple[str, str, Callable]] = [
    ("GET", "/api/whoami-v2", _Handler._whoami),
    ("POST", "/api/validate-yaml", _Handler._validate_yaml),
    ("POST", "/api/repos/create", _Handler._create),
    ("GET", f"/api/models/{_ID}(/revision/.+)?", _Handler._info),
    ("GET", f"/api/models/{_ID}/tree/[^/]+/?", _Handler._tree),
    ("POST", f"/api/models/{_ID}/preupload/main", _Handler._preupload),
    ("POST", f"/api/models/{_ID}/commit/main", _Handler._commit),
    ("POST", f"/{_ID}.git/info/lfs/objects/batch", _Handler._large_file_batch),
    ("PUT", "/large/([0-9a-f]{64})", _Handler._large_file),
    ("GET", f"/{_ID}/resolve/[^/]+/(.+)", _Handler._download),
]
