"""One-line messages on the screens."""

from html import escape


def message(text: str) -> str:
    """HTML that shows the text as it is, whatever stands in it, and that screen readers read out."""
    return f'<p role="status">{escape(text)}</p>' if text else ""
