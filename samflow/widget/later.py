"""Work that is done soon, and shared by requests that come in a crowd."""

import asyncio
from collections.abc import Callable

# Requests that come this soon after each other, or after the work itself, have waited for the
# kernel: a hand is never that fast.
_CROWD_S = 0.015


class Later:
    """Calls a function from the event loop, once for requests that come in a crowd.

    Parameters
    ----------
    action : callable
        Called on the event loop, without arguments.
    """

    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action
        self._timer: asyncio.TimerHandle | None = None
        # on the loop's clock: when the latest request came, or the action ended
        self._latest = float("-inf")

    def request(self, delay_s: float = 0.0) -> None:
        """Have it called in this many seconds, unless another request comes before."""
        loop = _running_loop()
        if loop is None:  # as in a script: there is no later
            self._action()
            return
        if self._timer is not None:
            self._timer.cancel()
        now = loop.time()
        if now - self._latest < _CROWD_S:
            delay_s = max(delay_s, _CROWD_S)
        self._latest = now
        # also without a delay: what was sent before gets on its way
        self._timer = loop.call_later(delay_s, self.act)

    def is_calm(self) -> bool:
        """Whether nothing waits and no crowd is near, so that it may be called at once."""
        loop = _running_loop()
        return loop is not None and self._timer is None and loop.time() - self._latest >= _CROWD_S

    def act(self) -> None:
        """Call it now."""
        self._timer = None
        try:
            self._action()
        finally:
            if (loop := _running_loop()) is not None:
                self._latest = loop.time()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
