"""The login: one token for everybody who may use the page, shown once by a browser and each time by a program."""

import hashlib
import hmac
import html
import os
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from studio.errors import RequestError
from studio.ui.answers import Message, Receive, Send, answer

TOKEN = "STUDIO_TOKEN"
_LEAST_CHARACTERS = 16
_COOKIE = "studio-login"
_MONTH_S = 30 * 24 * 3600
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Fine-tuning studio: log in</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root {{ color-scheme: light dark; font-family: system-ui, sans-serif; }}
body {{ min-height: 90vh; display: grid; place-items: center; margin: 0 1rem; }}
form {{ display: grid; gap: .75rem; width: min(22rem, 100%); }}
input, button {{ font: inherit; padding: .6rem .8rem; border-radius: .5rem; border: 1px solid #8888; }}
button {{ background: #0f5f6b; color: #fff; cursor: pointer; }}
</style></head><body><form method="post" action="/login"><h1>Fine-tuning studio</h1>
<p role="alert">{message}</p>
<label for="token">Token (the value of STUDIO_TOKEN where the studio was started)</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Log in</button></form></body></html>"""


class Login:
    """Who has shown the token. The cookie is derived from it, so that it outlives the page and not the token."""

    def __init__(self, token: str, *, secure: bool = False):
        """`secure`: the cookie is sent over https alone.

        Raises:
            RequestError: the token is too short to withstand guessing.
        """
        if len(token) < _LEAST_CHARACTERS:
            raise RequestError(
                f"{TOKEN} has {len(token)} characters and needs {_LEAST_CHARACTERS} or more: "
                'make one by `python -c "import secrets; print(secrets.token_urlsafe())"`'
            )
        self._token, self._secure = token, secure
        self._cookie = hmac.new(token.encode(), b"studio login", hashlib.sha256).hexdigest()

    @classmethod
    def from_environment(cls, *, secure: bool = False) -> "Login | None":
        """The login that STUDIO_TOKEN asks for; the token is taken out of the environment, so that no job inherits it.

        Raises:
            RequestError: the token is too short.
        """
        token = os.environ.pop(TOKEN, "")
        return cls(token, secure=secure) if token else None

    def admits(self, headers: list[tuple[str, str]]) -> bool:
        """Whether a request bears the token or the cookie."""
        for name, value in headers:
            if name == "authorization" and value[:7].lower() == "bearer " and _equal(value[7:].strip(), self._token):
                return True
            if name == "cookie" and _equal(_cookie(value), self._cookie):
                return True
        return False

    async def page(self, scope: Message, headers: list[tuple[str, str]], receive: Receive, send: Send) -> None:
        """Answers somebody who has not logged in: with 401, unless what they post to /login is the token."""
        message = ""
        if scope["method"] == "POST" and scope["path"] == "/login":
            if _equal(await _posted_token(receive), self._token):
                cookie = f"{_COOKIE}={self._cookie}; Path=/; Max-Age={_MONTH_S}; HttpOnly; SameSite=Strict"
                cookie += "; Secure" if self._secure else ""
                return await answer(send, 303, "", location="/", set_cookie=cookie)
            message = "That is not the token."
        if any(name == "accept" and "text/html" in value for name, value in headers):
            return await answer(send, 401, _PAGE.format(message=html.escape(message)), "text/html")
        await answer(send, 401, f"Log in at /login, or send the token: Authorization: Bearer ${TOKEN}")


def _equal(given: str, wanted: str) -> bool:
    """In a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode(), wanted.encode())


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(_COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


async def _posted_token(receive: Receive) -> str:
    body = b""
    while len(body) <= 4096:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return parse_qs(body[:4096].decode("utf-8", "replace")).get("token", [""])[0]
