"""The errors that a user's input can cause."""


class SamflowError(ValueError):
    """Input that samflow can't use.

    The message is one line: what was expected, what came, what to do. The commands print it and
    exit with status 1; a library user can catch it as a `ValueError`.
    """
