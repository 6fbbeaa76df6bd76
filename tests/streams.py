"""A track that tells how many of its label maps are alive, for tests of streaming."""

import weakref
from collections.abc import Iterator, Sequence

import numpy as np


class CountingTrack:
    """Label maps made one by one; `most` is the largest number alive at a time."""

    def __init__(self, maps: Sequence[np.ndarray], indices: range) -> None:
        self.maps, self.indices, self.alive, self.most = maps, indices, 0, 0

    def __len__(self) -> int:
        return len(self.maps)

    def __iter__(self) -> Iterator[np.ndarray]:
        for labels in self.maps:
            fresh = labels.copy()
            self.alive += 1
            self.most = max(self.most, self.alive)
            weakref.finalize(fresh, self._died)
            yield fresh
            del fresh

    def _died(self) -> None:
        self.alive -= 1
