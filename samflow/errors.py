"""The errors that a user's input can cause."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


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


def check_image(image: "np.ndarray") -> None:
    """Raise SamflowError unless the array is an image (H, W, 3) uint8."""
    shape = image.shape
    if len(shape) != 3 or shape[2] != 3 or image.dtype != "uint8" or image.size == 0:
        raise SamflowError(
            f"expected an RGB image (H, W, 3) of uint8, got {shape} of {image.dtype}: convert it "
            "first."
        )
