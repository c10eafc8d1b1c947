"""Who may speak to the page, along which ways, with how much, and what a browser may do with its answers.

Stands before Gradio and FastAPI and decides before a body is read. Another website must not reach the page through a
person's own browser: not by its address under another name (DNS rebinding), not by a request from elsewhere
(cross-site). What Gradio offers and the page does not use is closed.
"""

import re
import secrets
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from starlette.formparsers import MultiPartException

from studio.runs import size_bytes
from studio.ui.answers import Message, Receive, Send, answer
from studio.ui.login import Login

App = Callable[[Message, Receive, Send], Awaitable[None]]

UPLOAD_BYTES = 2_000_000_000  # a request that brings files
CACHE_BYTES = 16 * 1024**3  # everything uploaded that still lies there
BODY_BYTES = 16 * 1024**2  # any other request
_READ = {"GET", "HEAD"}
_WAYS = {  # of Gradio's routes, those that its page in the browser uses
    "GET": r"/|/config/?|/theme\.css|/favicon\.ico|/manifest\.json|/robots\.txt|/(static|assets|svelte)/.+"
    r"|/gradio_api/(info/?|app_id/?|startup-events|theme\.css|queue/(data|status)|upload_progress|heartbeat/[\w-]+"
    r"|file=(?!\w+:).+)",
    "POST": r"/gradio_api/(queue/join|run/[\w-]+/?|upload|component_server/?|cancel|reset/?)",
}
# Gradio's charts (Vega) compile their expressions, hence 'unsafe-eval'; styles stand in the text of its elements.
_POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'"
)
_FILE_POLICY = "default-src 'none'; sandbox"
_UPLOADS = ("/gradio_api/upload", "/gradio_api/component_server")


class Guard:
    """The ASGI app that lets through to `app` what is allowed.

    `hosts` are the names with ports under which the page may be asked for. With a `login`, who has not logged in gets
    `visitors_app`, or 401 where there is none. `cache` is the folder that uploads come to.
    """

    def __init__(
        self,
        app: App,
        visitors_app: App | None = None,
        *,
        hosts: Iterable[str],
        cache: Path,
        login: Login | None = None,
        frame_ancestors: str = "'none'",
    ):
        self.app, self.visitors_app = app, visitors_app
        self.hosts = {host.lower() for host in hosts}
        self.cache, self.login, self.frame_ancestors = cache, login, frame_ancestors
        self._arriving = 0  # bytes promised by uploads that are on their way

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] == "websocket":  # the page uses none
            return await send({"type": "websocket.close", "code": 1008})
        nonce = secrets.token_urlsafe(16)
        send = _Headers(send, self._headers(scope["path"], nonce), nonce)
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        if refusal := self._foreign(scope["method"], headers):
            return await answer(send, *refusal)
        admitted = self.login is None or self.login.admits(headers)
        if self.login and scope["path"] == "/login":
            return await self.login.page(scope, headers, receive, send)
        if not admitted and self.visitors_app is None:
            return await self.login.page(scope, headers, receive, send)
        if not _is_way(scope["method"], scope["path"]):
            return await answer(send, 404, "There is nothing here.")
        if scope["path"] == "/":  # it is rewritten on its way out, and so must come as plain text
            scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self._pass_on(self.app if admitted else self.visitors_app, scope, headers, receive, send)

    def _foreign(self, method: str, headers: list[tuple[str, str]]) -> tuple[int, str] | None:
        """Why a request does not come from this page or from a person at this machine."""
        hosts, origins, sites, modes = (
            [value.lower() for name, value in headers if name == wanted]
            for wanted in ("host", "origin", "sec-fetch-site", "sec-fetch-mode")
        )
        if len(hosts) != 1 or hosts[0] not in self.hosts:
            return 421, "This page is not served under that name: open it by the address it printed when it started."
        if any(origin.split("://", 1)[-1] != hosts[0] or "://" not in origin for origin in origins):
            return 403, "Requests from other websites are refused."
        followed_link = method in _READ and modes == ["navigate"]
        if any(site not in ("same-origin", "none") for site in sites) and not followed_link:
            return 403, "Requests from other websites are refused."
        return None

    async def _pass_on(
        self, app: App, scope: Message, headers: list[tuple[str, str]], receive: Receive, send: "_Headers"
    ) -> None:
        limit = BODY_BYTES
        if uploads := scope["path"].rstrip("/") in _UPLOADS:
            limit = max(0, min(UPLOAD_BYTES, CACHE_BYTES - size_bytes(self.cache) - self._arriving))
        told = next((int(value) for name, value in headers if name == "content-length" and value.isdigit()), 0)
        if told > limit:
            return await answer(send, 413, _too_large(limit))
        promised = (told or limit) if uploads else 0
        self._arriving += promised
        body = send.body = _Body(receive, limit)
        try:
            await app(scope, receive if scope["method"] in _READ else body, send)
        except MultiPartException:
            if not send.started:
                await answer(send, 413 if body.too_large else 400, "")
        finally:
            self._arriving -= promised

    def _headers(self, path: str, nonce: str) -> dict[str, str]:
        # what people have uploaded does nothing, wherever it is opened
        policy = _FILE_POLICY if path.startswith("/gradio_api/file=") else _POLICY.format(nonce=nonce)
        # files of Gradio's page have a hash of their content in their names
        stays = {"cache-control": "public, max-age=31536000, immutable"} if path.startswith("/assets/") else {}
        return stays | {
            "content-security-policy": f"{policy}; frame-ancestors {self.frame_ancestors}",
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "permissions-policy": "camera=(self), microphone=(), geolocation=()",
        }


def _is_way(method: str, path: str) -> bool:
    pattern = _WAYS.get("GET" if method == "HEAD" else method)
    return pattern is not None and ".." not in re.split(r"[/\\]", path) and bool(re.fullmatch(pattern, path))


def _too_large(limit: int) -> str:
    return f"Too large: there is room for {limit:,} bytes. A data set on this machine is read by its folder's path."


class _Body:
    """A request's body up to a limit. Beyond it, and when the sender leaves halfway, Gradio is made to clean up."""

    def __init__(self, receive: Receive, limit: int):
        self._receive, self._limit = receive, limit
        self._got, self._whole, self.too_large = 0, False, False

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._got += len(message.get("body", b""))
            self._whole = not message.get("more_body")
            self.too_large = self._got > self._limit
        if self.too_large or (message["type"] == "http.disconnect" and not self._whole):
            # the one exception on which Gradio removes what it has stored of an unfinished upload
            raise MultiPartException("the body ended early" if not self.too_large else _too_large(self._limit))
        return message


class _Headers:
    """Sends answers with the page's headers, and documents with the nonce that lets their own scripts run."""

    def __init__(self, send: Send, headers: dict[str, str], nonce: str):
        self._send, self._headers, self._nonce = send, headers, nonce
        self._document: Message | None = None  # the start of an answer whose body is collected first
        self._content = b""
        self.started = False
        self.body: _Body | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            kept = [(name, value) for name, value in message["headers"] if name.decode().lower() not in self._headers]
            kept += [(name.encode(), value.encode()) for name, value in self._headers.items()]
            message = {**message, "headers": kept}
            if self.body and self.body.too_large:
                message["status"] = 413
            if any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in kept):
                self._document = message
                return
        elif self._document is not None:
            self._content += message.get("body", b"")
            if message.get("more_body"):
                return
            content = self._content.replace(b"<script", f'<script nonce="{self._nonce}"'.encode())
            rest = [(name, value) for name, value in self._document["headers"] if name.lower() != b"content-length"]
            length = (b"content-length", str(len(content)).encode())
            await self._send({**self._document, "headers": [*rest, length]})
            message = {"type": "http.response.body", "body": content}
        await self._send(message)
