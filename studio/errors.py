"""The two ways a job ends badly, told to a person in one paragraph instead of a traceback."""


class RequestError(ValueError):
    """The request cannot be carried out as it stands: a setting, a file or a name is wrong (exit code 2)."""


class RunError(RuntimeError):
    """The request was sound and the run failed on the way: no space, not a number, out of memory (exit code 1)."""
