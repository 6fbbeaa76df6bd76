"""What all strategies share: the frame they look at, the interface, and how state is kept."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
import torch

from samflow.errors import SamflowError
from samflow.masks import ColorGuide
from samflow.sam import Segmenter

_Kept = TypeVar("_Kept")

# Which given frames a strategy keeps in mind: none, the one that its way leads to, or every
# corrected one
Keeps = Literal["none", "next", "corrections"]


class Frame:
    """One frame on its way through the strategies: decoded once, encoded by SAM at most once.

    Parameters
    ----------
    image : ndarray
        (H, W, 3) uint8 RGB.
    index : int
        Frame number of the clip.
    boxes : mapping of int to box, optional
        What the user drew on the frame, by region id: XYXY in px.
    before, after : ndarray, optional
        The images beside it in the clip, as `image`; by default, and where the clip ends, the image
        itself.
    """

    def __init__(
        self,
        image: np.ndarray,
        index: int = 0,
        boxes: Mapping[int, Sequence[float]] | None = None,
        before: np.ndarray | None = None,
        after: np.ndarray | None = None,
    ) -> None:
        self.image = image
        self.before = image if before is None else before
        self.after = image if after is None else after
        self.index = index
        self.boxes = boxes or {}
        self._encoded: tuple[Segmenter, Any] | None = None

    def embedding(self, sam: Segmenter) -> Any:
        """SAM's encoding of the frame, computed on first use."""
        if self._encoded is None or self._encoded[0] is not sam:
            self._encoded = (sam, sam.embed(self.image))
        return self._encoded[1]

    @cached_property
    def color_guide(self) -> ColorGuide:
        """The frame's colours, to sharpen label maps by; computed on first use."""
        return ColorGuide(self.image)


class Strategy(ABC):
    """A way through a clip, forwards or backwards; each starts anew with `start`.

    `name` is the strategy's name in runs. `sources` are the strategies whose results it looks at:
    it steps them itself, and they may be stepped before it with the same frame. `keeps` says
    which frames `keep` is to be called with before a start, for it or for a source.
    """

    name: str
    sources: tuple["Strategy", ...] = ()
    keeps: Keeps = "none"

    def keep(self, frame: Frame, labels: np.ndarray) -> None:  # noqa: B027 - most keep nothing
        """Take note of another frame whose label map is known; called before `start`."""

    @abstractmethod
    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Begin with the first frame and its label map (H, W) uint8; returns its result."""

    @abstractmethod
    def step(self, frame: Frame) -> np.ndarray:
        """Label map (H, W) uint8 of the next frame in time, or of the one before.

        A way through a clip never turns. Background regions are included.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, besides `sources`: tensors, numbers, lists, dicts."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state; `sources` are loaded by themselves."""


class TrackingStrategy(Strategy):
    """A strategy that can say how sure it is of its latest label map."""

    @property
    @abstractmethod
    def certainty(self) -> np.ndarray:
        """Probability of the label that each pixel has, (H, W) float32 in [0, 1]."""


class KeepingArrays(Strategy):
    """A strategy whose whole state is some named arrays, `kept` from its first frame on."""

    _kept: dict[str, np.ndarray] | None = None

    @property
    def kept(self) -> dict[str, np.ndarray]:
        """The arrays; a `SamflowError` before the first frame."""
        return started(self._kept)

    @kept.setter
    def kept(self, arrays: dict[str, np.ndarray]) -> None:
        self._kept = arrays

    def state_dict(self) -> dict[str, Any]:
        """Copies of the arrays as tensors, which `torch.load(..., weights_only=True)` reads."""
        return {name: torch.from_numpy(kept.copy()) for name, kept in (self._kept or {}).items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._kept = {name: kept.numpy().copy() for name, kept in state.items()} or None


class FromLatest(KeepingArrays):
    """A strategy that makes each label map from the one before."""

    @abstractmethod
    def advance(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Label map of a frame from the latest one, (H, W) uint8 each."""

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Make the given label map again on its own frame."""
        self.kept = {"labels": labels}
        return self.step(frame)

    def step(self, frame: Frame) -> np.ndarray:
        """Label map of the next frame, from the latest one."""
        labels = self.advance(frame, self.kept["labels"])
        self.kept = {"labels": labels}
        return labels


def with_sources(strategies: Iterable[Strategy]) -> list[Strategy]:
    """The strategies and their sources, each once, sources before those that look at them.

    Together their states are the whole state of the strategies.
    """
    found: dict[int, Strategy] = {}
    for strategy in strategies:
        for each in (*with_sources(strategy.sources), strategy):
            found.setdefault(id(each), each)
    return list(found.values())


def started(kept: _Kept | None) -> _Kept:
    """What a strategy keeps from its first frame on; a `SamflowError` when it has not started."""
    if kept is None:
        raise SamflowError("this strategy has no first frame yet: call start first.")
    return kept
