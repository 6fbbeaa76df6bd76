"""The errors that a user's input can cause."""


class SamflowError(ValueError):
    """Input that samflow can't use.

    The message is one line: what was expected, what came, what to do. The commands print it and
    exit with status 1, a notebook shows it without the traceback, and a library user can catch it
    as a `ValueError`.
    """

    _shown = False

    def _render_traceback_(self) -> list[str]:
        """Lines that IPython shows: the message; the traceback when it is asked for again, by %tb.

        IPython calls this method in place of its own formatting, see
        `IPython.core.interactiveshell.InteractiveShell.showtraceback`.
        """
        from IPython import get_ipython

        shell = get_ipython()
        if self._shown and shell is not None:
            return shell.InteractiveTB.structured_traceback(type(self), self, self.__traceback__)
        self._shown = True
        red, plain = "\x1b[31m", "\x1b[0m"
        message = " ".join(str(self).split())
        return [f"{red}samflow:{plain} {message}", "(%tb in a cell shows where it came up.)"]
