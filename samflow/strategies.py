"""The ways through a clip: XMem, SAM from frame to frame, SAM refining XMem.

A strategy turns frames into label maps one at a time. Its label maps keep the background regions,
because propagation needs them; `samflow.masks.without_labels` drops them from results.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from samflow.errors import SamflowError
from samflow.masks import (
    fill_holes,
    labels_to_boxes,
    labels_to_one_hot,
    logits_to_labels,
    mask_to_low_res_logits,
)
from samflow.prompts import Prompts
from samflow.sam import Embedding, Sam
from samflow.xmem import Tracker, XMem

STRATEGY_TITLES = {
    "xmem": "XMem",
    "sam": "SAM from frame to frame",
    "refined": "SAM refining XMem (mask + box)",
    "refined-box": "SAM refining XMem (box only)",
}
STRATEGY_NAMES = tuple(STRATEGY_TITLES)


class Frame:
    """One frame on its way through the strategies: decoded once, encoded by SAM at most once.

    Parameters
    ----------
    image : ndarray
        (H, W, 3) uint8 RGB.
    index : int
        Frame number of the clip.
    """

    def __init__(self, image: np.ndarray, index: int = 0) -> None:
        self.image = image
        self.index = index
        self._encoded: tuple[Sam, Embedding] | None = None

    def embedding(self, sam: Sam) -> Embedding:
        """SAM's encoding of the frame, computed on first use."""
        if self._encoded is None or self._encoded[0] is not sam:
            self._encoded = (sam, sam.embed(self.image))
        return self._encoded[1]


class Strategy(Protocol):
    """What every way through a clip offers; each starts anew with `start`."""

    name: str

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Begin with the first frame and its label map (H, W) uint8; returns its result."""

    def step(self, frame: Frame) -> np.ndarray:
        """Label map (H, W) uint8 of the next frame, background regions included."""

    def state_dict(self) -> dict[str, Any]:
        """Everything the next step depends on, as tensors, numbers, lists and dicts."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""


@dataclass(frozen=True)
class PromptOptions:
    """How masks become prompts for SAM and logits become masks again.

    Parameters
    ----------
    mask_value : float
        Magnitude of the mask prompt's logits.
    coverage : float
        Share of a low-resolution cell above which it is foreground, in [0, 1).
    max_hole_area : int, optional
        Largest hole that is filled in a region, px; None fills holes of any size, 0 none.
    """

    mask_value: float = 18.0
    coverage: float = 0.0
    max_hole_area: int | None = None


def segment_first_frame(
    sam: Sam,
    frame: Frame,
    prompts: Prompts,
    use_points: bool = False,
    options: PromptOptions | None = None,
) -> np.ndarray:
    """Predict the user's regions on the frame that the prompts belong to.

    Parameters
    ----------
    sam : Sam
    frame : Frame
    prompts : Prompts
    use_points : bool
        Use points beside the boxes.
    options : PromptOptions, optional

    Returns
    -------
    ndarray
        (H, W) uint8 label map, background regions included.
    """
    options = options or PromptOptions()
    logits = sam.predict_regions(frame.embedding(sam), prompts, use_points)
    filled = fill_holes(logits, sam.mask_threshold, options.max_hole_area)
    return logits_to_labels(filled, sam.mask_threshold, ids=prompts.ids)


def refine_labels(
    sam: Sam,
    frame: Frame,
    labels: np.ndarray,
    use_masks: bool = True,
    options: PromptOptions | None = None,
) -> np.ndarray:
    """Predict every region of a label map again, prompted by its own box and mask.

    Parameters
    ----------
    sam : Sam
    frame : Frame
    labels : ndarray
        (H, W) uint8, background regions included. A label with no pixel gets no prompt and no mask.
    use_masks : bool
        Prompt with mask + box; otherwise with the box only.
    options : PromptOptions, optional

    Returns
    -------
    ndarray
        (H, W) uint8 label map.
    """
    options = options or PromptOptions()
    ids = [int(i) for i in np.unique(labels) if i != 0]
    if not ids:
        return np.zeros_like(labels)
    boxes = labels_to_boxes(labels, ids)
    mask_logits = None
    if use_masks:
        mask_logits = np.stack(
            [
                mask_to_low_res_logits(
                    mask, sam.image_size, sam.mask_size, options.mask_value, options.coverage
                )
                for mask in labels_to_one_hot(labels, ids)
            ]
        )  # (N, 1, mask_size, mask_size)
    logits = sam.predict(
        frame.embedding(sam), boxes=np.array([boxes[i] for i in ids]), mask_logits=mask_logits
    )
    filled = fill_holes(logits, sam.mask_threshold, options.max_hole_area)
    return logits_to_labels(filled, sam.mask_threshold, ids=ids)


class SamStrategy:
    """SAM from frame to frame: each label map prompts the next frame.

    Parameters
    ----------
    sam : Sam
    options : PromptOptions, optional
    """

    name = "sam"

    def __init__(self, sam: Sam, options: PromptOptions | None = None) -> None:
        self.sam = sam
        self.options = options
        self._labels: np.ndarray | None = None

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Refine the given label map on its own frame."""
        self._labels = labels
        return self.step(frame)

    def step(self, frame: Frame) -> np.ndarray:
        """Label map of the next frame, prompted by the latest one."""
        if self._labels is None:
            raise SamflowError("this strategy has no first frame yet: call start first.")
        self._labels = refine_labels(self.sam, frame, self._labels, options=self.options)
        return self._labels

    def state_dict(self) -> dict[str, Any]:
        """The latest label map."""
        return {"labels": None if self._labels is None else torch.from_numpy(self._labels.copy())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        labels = state["labels"]
        self._labels = None if labels is None else labels.numpy().copy()


class XMemStrategy:
    """XMem alone, given the first frame's label map.

    Parameters
    ----------
    network : XMem
    size : int, optional
        Working size: the shorter side of the frames inside XMem, px; None leaves them as they are.

    Notes
    -----
    The result of the latest frame is kept, so that strategies which refine it track it only once.
    """

    name = "xmem"

    def __init__(self, network: XMem, size: int | None = None) -> None:
        self.network = network
        self.size = size
        self._tracker = Tracker(network, size=size)
        self._latest: tuple[Frame, np.ndarray] | None = None

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Begin a clip anew; the first frame's result is the given label map."""
        if self._latest is None or self._latest[0] is not frame:
            self._tracker = Tracker(self.network, size=self.size)
            self._latest = (frame, self._track(frame, labels))
        return self._latest[1]

    def step(self, frame: Frame) -> np.ndarray:
        """Label map of the next frame."""
        if self._latest is None or self._latest[0] is not frame:
            self._latest = (frame, self._track(frame))
        return self._latest[1]

    def _track(self, frame: Frame, labels: np.ndarray | None = None) -> np.ndarray:
        if labels is not None and not labels.any():
            raise SamflowError(
                "the first frame's label map is empty, so XMem has nothing to track: check the "
                "prompts with samflow segment."
            )
        probabilities = self._tracker.step(frame.image, labels)  # (1 + N, H, W)
        values = np.array([0, *self._tracker.ids], np.uint8)
        return values[probabilities.argmax(axis=0)]

    @property
    def memory_sizes(self) -> tuple[int, int]:
        """Elements in working and long-term memory."""
        return self._tracker.memory_sizes

    def state_dict(self) -> dict[str, Any]:
        """The tracker's state."""
        return {"tracker": self._tracker.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._tracker.load_state_dict(state["tracker"])
        self._latest = None


class RefinedStrategy:
    """SAM refining another strategy's label map on each frame.

    Parameters
    ----------
    sam : Sam
    source : Strategy
        Where the prompts come from. It is stepped by this strategy, and may be stepped by others
        with the same frames when it remembers its latest result, as `XMemStrategy` does.
    use_masks : bool
        Prompt with mask + box (`refined`); otherwise with the box only (`refined-box`).
    options : PromptOptions, optional
    """

    def __init__(
        self,
        sam: Sam,
        source: Strategy,
        use_masks: bool = True,
        options: PromptOptions | None = None,
    ) -> None:
        self.name = "refined" if use_masks else "refined-box"
        self.sam = sam
        self.source = source
        self.use_masks = use_masks
        self.options = options

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Start the source with the given label map and refine its result."""
        return self._refine(frame, self.source.start(frame, labels))

    def step(self, frame: Frame) -> np.ndarray:
        """Step the source and refine its result."""
        return self._refine(frame, self.source.step(frame))

    def _refine(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        return refine_labels(self.sam, frame, labels, self.use_masks, self.options)

    def state_dict(self) -> dict[str, Any]:
        """The source's state: refining keeps none of its own."""
        return self.source.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.source.load_state_dict(state)


def build_strategies(
    names: Sequence[str],
    sam: Sam,
    network: XMem | None = None,
    size: int | None = None,
    options: PromptOptions | None = None,
) -> dict[str, Strategy]:
    """Make strategies that share one SAM and one XMem.

    Parameters
    ----------
    names : sequence of str
        Of `STRATEGY_NAMES`, each once.
    sam : Sam
    network : XMem, optional
        Needed by all but `sam`.
    size : int, optional
        XMem's working size, px.
    options : PromptOptions, optional

    Returns
    -------
    dict of str to Strategy
        In the order of `names`.

    Raises
    ------
    SamflowError
        For an unknown or repeated name, or none.
    """
    check_strategy_names(names)
    tracked: XMemStrategy | None = None
    if needs_xmem(names):
        if network is None:
            raise SamflowError(f"the strategies {', '.join(names)} need an XMem network.")
        tracked = XMemStrategy(network, size)
    strategies: dict[str, Strategy] = {}
    for name in names:
        if name == "sam":
            strategies[name] = SamStrategy(sam, options)
        elif name == "xmem" and tracked is not None:
            strategies[name] = tracked
        elif tracked is not None:
            strategies[name] = RefinedStrategy(sam, tracked, name == "refined", options)
    return strategies


def needs_xmem(names: Sequence[str]) -> bool:
    """Whether any of the strategies uses XMem."""
    return any(name != "sam" for name in names)


def check_strategy_names(names: Sequence[str]) -> None:
    """Refuse unknown or repeated strategies with a `SamflowError`."""
    known = ", ".join(STRATEGY_NAMES)
    if not names:
        raise SamflowError(f"no strategy given: choose from {known}.")
    for name in names:
        if name not in STRATEGY_NAMES:
            raise SamflowError(f"strategy {name!r} is unknown: choose from {known}.")
        if list(names).count(name) > 1:
            raise SamflowError(f"strategy {name!r} is given twice: give each once.")
