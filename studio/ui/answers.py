"""Plain answers that the page's guard and login send themselves, without Gradio."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]  # of ASGI
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def answer(send: Send, status: int, text: str, kind: str = "text/plain", **headers: str) -> None:
    """Sends a whole answer; the names of `headers` have _ for -."""
    body = text.encode()
    pairs = {"content-type": f"{kind}; charset=utf-8", "content-length": str(len(body)), **headers}
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in pairs.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
