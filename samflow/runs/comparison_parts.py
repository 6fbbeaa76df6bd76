"""A run's comparison video, written in parts that are joined in the end."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from samflow.overlay import Comparison
from samflow.runs.record import RunRecord
from samflow.runs.sweep import Stopwatch
from samflow.strategies import strategy_entry
from samflow.video import Video, VideoWriter, concatenate_videos


class ComparisonParts:
    """The parts of a comparison video: finished ones outlast a kill.

    Parameters
    ----------
    folder : Path
        For the parts; made with the first frame.
    clip : Video
    record : RunRecord
    strategies : iterable of str
        Of the panels: those of the run, or those that it will have.
    watch : Stopwatch
    """

    def __init__(
        self,
        folder: Path,
        clip: Video,
        record: RunRecord,
        strategies: Iterable[str],
        watch: Stopwatch,
    ) -> None:
        self._folder, self._clip, self._watch = folder, clip, watch
        titles = [strategy_entry(name).title for name in strategies]
        self._comparison = Comparison(
            clip.size, titles, record.prompts.regions, heading=record.note
        )
        self._writer: VideoWriter | None = None

    def _part(self, begin: int) -> Path:
        return self._folder / f"comparison-{begin:06d}.mp4"

    @contextmanager
    def part(self, begin: int) -> Iterator[None]:
        """Collect the frames that are written in the block in the part that starts at `begin`."""
        with ExitStack() as stack:
            self._stack, self._begin, self._writer = stack, begin, None
            yield

    def write(self, image: np.ndarray, results: Mapping[str, np.ndarray], index: int) -> None:
        """Draw frame `index` with each strategy's label map, and write it."""
        seconds = float(self._clip.timestamps[index] - self._clip.timestamps[0])
        with self._watch("overlay"):
            panels = {strategy_entry(name).title: labels for name, labels in results.items()}
            picture = self._comparison.frame(image, panels, seconds, index)
        with self._watch("write"):
            if self._writer is None:
                writer = self._comparison.writer(self._part(self._begin), self._clip.fps)
                self._writer = self._stack.enter_context(writer)
            self._writer.write(picture, seconds)

    def join(self, every: int, path: Path) -> None:
        """Write the whole video from its parts of `every` frames."""
        with self._watch("write"):
            parts = [self._part(begin) for begin in range(0, len(self._clip), every)]
            concatenate_videos(parts, path)
