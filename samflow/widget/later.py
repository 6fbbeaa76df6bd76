"""Work that waits a moment, so that requests that come close together share it."""

import asyncio
from collections.abc import Callable


class Later:
    """Calls a function once requests have stopped coming for a moment.

    Parameters
    ----------
    action : callable
        Called on the event loop, without arguments.
    """

    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action
        self._timer: asyncio.TimerHandle | None = None

    def request(self, delay_s: float) -> None:
        """Have it called in this many seconds, unless another request comes before."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no loop, as in a script: there is no later
            self._action()
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(delay_s, self._action)
