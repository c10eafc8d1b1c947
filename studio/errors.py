"""The two ways a job ends badly, told to a person in one paragraph instead of a traceback."""


class RequestError(ValueError):
    """The request cannot be carried out as it stands: a setting, a file or a name is wrong (exit code 2)."""


class RunError(RuntimeError):
    """The request was sound and the run failed on the way (exit code 1).

    `cause` is one word for programs: memory, disk, nan, data, worker, or error for all else.
    """

    def __init__(self, message: str, cause: str = "error"):
        super().__init__(message)
        self.cause = cause
