"""Strategies in which SAM predicts every frame."""

from typing import Any

import numpy as np
import torch

from samflow.errors import SamflowError
from samflow.sam import Sam
from samflow.strategies.base import Frame, Strategy
from samflow.strategies.prompting import PromptOptions, refine_labels


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
