"""Who may ask a server: programs of this machine, with the token where there is one, and no page of another site."""

import hmac
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
TOKEN = "STUDIO_SERVE_TOKEN"  # in the environment: what those who ask have to send


class Guard:
    """Stands before all routes; `token` None lets everybody on this machine ask. /health needs none."""

    def __init__(self, app: ASGIApp, token: str | None):
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal:
            await refusal(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if _host(f"//{headers.get('host', '')}") not in LOOPBACK:  # DNS that a foreign page turns to this machine
            return JSONResponse({"error": "this server answers to 127.0.0.1 and localhost alone"}, 403)
        if "origin" in headers and _host(headers["origin"]) not in LOOPBACK:
            return JSONResponse({"error": "pages of other sites may not ask this server"}, 403)
        if self.token and scope["path"] != "/health":
            given = headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                told = "a token is needed: send the header Authorization: Bearer TOKEN"
                return JSONResponse({"error": told}, 401, {"WWW-Authenticate": "Bearer"})
        return None


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
