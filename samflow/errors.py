"""The errors that a user's input can cause."""

from collections.abc import Iterable
from difflib import get_close_matches
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


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """What to add to a message about an unknown name: the known one that is most like it, or "".

    Examples
    --------
    >>> did_you_mean("xmen", ["sam", "xmem", "flow"])
    " Did you mean 'xmem'?"
    >>> did_you_mean("Refined_Box", ["refined", "refined-box"])
    " Did you mean 'refined-box'?"
    >>> did_you_mean("water", ["sam", "xmem", "flow"])
    ''
    """
    plain = {each.lower().replace("_", "-"): each for each in known}
    near = get_close_matches(name.lower().replace("_", "-"), plain, n=1)
    return f" Did you mean {plain[near[0]]!r}?" if near else ""


def check_image(image: "np.ndarray") -> None:
    """Raise SamflowError unless the array is an image (H, W, 3) uint8."""
    shape = image.shape
    if len(shape) != 3 or shape[2] != 3 or image.dtype != "uint8" or image.size == 0:
        raise SamflowError(
            f"expected an RGB image (H, W, 3) of uint8, got {shape} of {image.dtype}: convert it "
            "first."
        )
