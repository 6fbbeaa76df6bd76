"""Work that waits a moment, so that requests that come close together share it."""

import asyncio
from collections.abc import Callable


class Later:
    """Calls a function once for all requests that come before it is due.

    Parameters
    ----------
    action : callable
        Called on the event loop, without arguments.
    """

    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action
        self._timer: asyncio.TimerHandle | None = None

    def request(self, delay_s: float) -> None:
        """Have it called in this many seconds, or when an earlier request is due."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no loop, as in a script: there is no later
            self._call()
            return
        due = loop.time() + delay_s
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = loop.call_later(delay_s, self._call)

    def _call(self) -> None:
        self._timer = None
        self._action()
