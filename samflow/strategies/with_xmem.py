"""The strategy in which XMem tracks the first frame's regions."""

from samflow.strategies.base import started
from samflow.strategies.with_tracker import TrackerStrategy
from samflow.xmem import Tracker, XMem


class XMemStrategy(TrackerStrategy):
    """XMem alone, given the first frame's label map.

    Parameters
    ----------
    network : XMem
    size : int, optional
        Working size: the shorter side of larger frames inside XMem, px; None leaves all as they
        are.
    """

    def __init__(self, network: XMem, size: int | None = None) -> None:
        super().__init__("xmem", lambda: Tracker(network))
        self.network = network
        self.size = size

    def _new_tracker(self, size: tuple[int, ...]) -> Tracker:
        larger = self.size is not None and min(size) > self.size
        return Tracker(self.network, size=self.size if larger else None)

    @property
    def memory_sizes(self) -> tuple[int, int]:
        """Elements in working and long-term memory."""
        tracker = started(self._tracker)
        assert isinstance(tracker, Tracker)
        return tracker.memory_sizes
