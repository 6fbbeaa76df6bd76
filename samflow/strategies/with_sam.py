"""Strategies in which SAM predicts every frame."""

from typing import TYPE_CHECKING, Any

import numpy as np

from samflow.sam import Segmenter
from samflow.strategies.base import Frame, FromLatest, Strategy
from samflow.strategies.prompt_options import PromptOptions
from samflow.strategies.prompting import refine_labels

if TYPE_CHECKING:
    from samflow.strategies.build import Parts


class SamStrategy(FromLatest):
    """SAM from frame to frame: each label map prompts the next frame.

    Parameters
    ----------
    sam : Segmenter
    options : PromptOptions, optional
    """

    name = "sam"

    def __init__(self, sam: Segmenter, options: PromptOptions | None = None) -> None:
        self.sam = sam
        self.options = options

    def advance(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Prompt SAM with every region's mask and box of the latest label map."""
        return refine_labels(self.sam, frame, labels, options=self.options)


class RefinedStrategy(Strategy):
    """SAM refining another strategy's label map on each frame.

    Parameters
    ----------
    sam : Segmenter
    source : Strategy
        Where the prompts come from. It is stepped by this strategy, and may be stepped by others
        with the same frames when it remembers its latest result, as `TrackerStrategy` does.
    use_masks : bool
        Prompt with mask + box (`refined`); otherwise with the box only (`refined-box`).
    options : PromptOptions, optional
    name : str, optional
        In runs; by default `refined` or `refined-box`.
    """

    def __init__(
        self,
        sam: Segmenter,
        source: Strategy,
        use_masks: bool = True,
        options: PromptOptions | None = None,
        name: str | None = None,
    ) -> None:
        self.name = name or ("refined" if use_masks else "refined-box")
        self.sam = sam
        self.sources = (source,)
        self.keeps = source.keeps
        self.use_masks = use_masks
        self.options = options

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Start the source with the given label map and refine its result."""
        return self._refine(frame, self.sources[0].start(frame, labels))

    def step(self, frame: Frame) -> np.ndarray:
        """Step the source and refine its result."""
        return self._refine(frame, self.sources[0].step(frame))

    def _refine(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        return refine_labels(self.sam, frame, labels, self.use_masks, self.options)

    def state_dict(self) -> dict[str, Any]:
        """Nothing: refining looks at one frame alone."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to load."""


def build_sam(name: str, parts: "Parts") -> SamStrategy:
    """SAM from frame to frame."""
    return SamStrategy(parts.sam, parts.options)


def build_refined(name: str, parts: "Parts") -> RefinedStrategy:
    """SAM refining a shared tracker: "refined" with mask + box, "refined-box" with the box only."""
    use_masks = name.partition(":")[0] == "refined"
    return RefinedStrategy(parts.sam, parts.source(name), use_masks, parts.options, name)
