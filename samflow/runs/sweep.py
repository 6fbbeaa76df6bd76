"""Strategies led together over frames in one direction, from a frame whose label map is given."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from samflow.masks import sharpen_labels, without_labels
from samflow.prompts import Prompts
from samflow.runs.run_options import RunOptions
from samflow.sam import Segmenter
from samflow.strategies import (
    Frame,
    Keeps,
    Strategy,
    models_needed,
    segment_first_frame,
    strategy_entry,
    with_sources,
)
from samflow.weights import waiting

_Item = TypeVar("_Item")


@dataclass
class Stopwatch:
    """Seconds spent in each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent

    def each(self, stage: str, items: Iterator[_Item]) -> Iterator[_Item]:
        """Give the items; add the time that getting them takes to a stage."""
        while True:
            with self(stage):
                item = next(items, None)
            if item is None:
                return
            yield item


class Sweep:
    """Strategies side by side: each frame is encoded by SAM and tracked by each tracker once.

    Parameters
    ----------
    strategies : dict of str to Strategy
    sam : Segmenter
    prompts : Prompts
        Their background regions are 0 in the results.
    options : RunOptions
    watch : Stopwatch
    """

    def __init__(
        self,
        strategies: dict[str, Strategy],
        sam: Segmenter,
        prompts: Prompts,
        options: RunOptions,
        watch: Stopwatch,
    ) -> None:
        self.strategies = strategies
        self.sam = sam
        self.prompts = prompts
        self.options = options
        self.watch = watch
        # strategies that refine another one find its result ready, so that times are told apart
        self.stepped = with_sources(strategies.values())

    def start(
        self,
        frame: Frame,
        labels: np.ndarray | None = None,
        kept: Mapping[Keeps, Sequence[tuple[Frame, np.ndarray]]] | None = None,
    ) -> dict[str, np.ndarray]:
        """Every strategy's result for its first frame.

        Parameters
        ----------
        frame : Frame
        labels : (H, W) uint8, optional
            What is given on it, background regions included; by default SAM's from the prompts.
        kept : mapping of str to sequence of (Frame, (H, W) uint8), optional
            Frames that strategies keep in mind, and what is given on them, by `Strategy.keeps`.
        """
        # later frames have a bar that goes on, and each line would stay in a saved notebook
        with waiting(f"SAM encodes frame {frame.index} on {self.sam.device.type}"):
            self._encode(frame)
        with self.watch("first frame"):
            if labels is None:
                labels = self.from_prompts(frame)
                drawn = {each.id: each.box for each in self.prompts.regions if each.box}
                frame.boxes = drawn
            for each in self.stepped:
                for other, given in (kept or {}).get(each.keeps, ()):
                    each.keep(other, given)
            results = {each.name: each.start(frame, labels) for each in self.stepped}
        return self._shown(frame, results)

    def from_prompts(self, frame: Frame) -> np.ndarray:
        """SAM's label map of the prompts' frame, background regions included."""
        return segment_first_frame(self.sam, frame, self.prompts, self.options.prompting)

    def _encode(self, frame: Frame) -> None:
        with self.watch("sam encode"):
            frame.embedding(self.sam)

    def step(self, frame: Frame) -> dict[str, np.ndarray]:
        """Every strategy's result for the next frame, without background regions."""
        if "sam" in models_needed(self.strategies):
            self._encode(frame)
        results = {}
        for each in self.stepped:
            with self.watch(each.name):
                results[each.name] = each.step(frame)
        return self._shown(frame, results)

    def _shown(self, frame: Frame, results: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What is written of the results; the strategies go on from their own label maps."""
        if self.options.sharpen:
            with self.watch("sharpen"):
                for name in self.strategies:
                    if strategy_entry(name).can_be_sharpened:
                        labels = results[name]
                        results[name] = sharpen_labels(labels, frame.image, frame.color_guide)
        background = self.prompts.background_ids
        return {name: without_labels(results[name], background) for name in self.strategies}

    def state_dict(self) -> dict[str, Any]:
        """The state of every strategy and source by name."""
        return {each.name: each.state_dict() for each in self.stepped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        for each in self.stepped:
            each.load_state_dict(state[each.name])
