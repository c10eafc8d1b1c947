"""The two ways a job ends badly, told to a person in one paragraph instead of a traceback."""

import os
import re


class RequestError(ValueError):
    """The request cannot be carried out as it stands: a setting, a file or a name is wrong (exit code 2)."""


class RunError(RuntimeError):
    """The request was sound and the run failed on the way (exit code 1).

    `cause` is one word for programs: memory, disk, nan, data, worker, or error for all else.
    """

    def __init__(self, message: str, cause: str = "error"):
        super().__init__(message)
        self.cause = cause


def redacted(text: str) -> str:
    """The text without the values of tokens, keys and passwords in the environment, which a library may quote."""
    for name, value in os.environ.items():
        if len(value) >= 8 and re.search(r"(TOKEN|KEY|SECRET|PASSWORD)$", name):
            text = text.replace(value, f"[{name}]")
    return text
