"""What a format's writer is given: one strategy's label maps, and the run that they are from."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from samflow.maskio import Track
from samflow.prompts import Region
from samflow.runs.record import Run, VideoRecord


@dataclass(frozen=True)
class Source:
    """One strategy of a run, by name, with its label maps, one for each frame of the run."""

    run: Run
    name: str
    track: Track

    @property
    def video(self) -> VideoRecord:
        """The clip that the run looked at."""
        return self.run.record.video

    @property
    def regions(self) -> list[Region]:
        """The regions that occur in the label maps."""
        return self.run.result_regions

    @property
    def video_stem(self) -> str:
        """Name of the film without its ending."""
        return Path(self.video.name).stem

    def label_maps(self) -> Iterator[NDArray[np.uint8]]:
        """Read the label maps (H, W) in order, with progress on a terminal."""
        with tqdm(self.track, unit="frame", desc=f"export {self.name}") as shown:
            yield from shown
