"""Where frames come from: a film that is decoded, or a folder of images."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from samflow.errors import SamflowError
from samflow.video.folder import FolderSource
from samflow.video.video_file import FilmSource


class Source(Protocol):
    """Frames by index, from one place."""

    path: Path
    size: tuple[int, int]
    fps: float
    timestamps: NDArray[np.float64]
    grace: float  # seconds by which the timestamps may have been rounded
    damage: str | None

    def read(self, index: int) -> NDArray[np.uint8]:
        """Frame `index`, (H, W, 3) uint8 RGB."""

    def reopen(self) -> "Source":
        """Open the same frames with a position of their own, for another thread."""

    def close(self) -> None:
        """Release the file."""

    def sha256(self) -> str:
        """Hash of the content, 64 hex digits."""


def open_source(path: str | Path, fps: float | None = None) -> Source:
    """Open a film or a folder of images.

    Raises
    ------
    SamflowError
        When there is no such file, or it is neither.
    """
    path = Path(path)
    if not path.exists():
        raise SamflowError(f"{path} does not exist: expected a video file or a folder of images.")
    if path.is_dir():
        if fps is not None and not fps > 0:
            raise SamflowError(f"fps is {fps}: expected a positive number of frames per second.")
        return FolderSource(path, 25.0 if fps is None else fps)
    if fps is not None:
        raise SamflowError(f"{path} states its own frame rate: give fps for a folder only.")
    return FilmSource(path)
