"""The frames that a widget can show: those of a video, or one image."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from samflow.errors import SamflowError, check_image
from samflow.prompts import FrameReference, VideoReference, frame_sha256
from samflow.video import Video

# visually lossless; a frame of 1280x720 px takes about 300 kB
_JPEG_QUALITY = 93


class Frames:
    """Frames by their index in the file, whether they come from a video or are one image.

    Parameters
    ----------
    source : Video, str, Path or ndarray
        A video, the path of one, or an image (H, W, 3) uint8 RGB.

    Attributes
    ----------
    indices : sequence of int
        Frame numbers in the file, ascending.
    size : (H, W)
    video : VideoReference or None
        Name and hash of the file.
    path : Path or None
        Of the file.

    Raises
    ------
    SamflowError
        For an image of another shape or dtype, or a video that can't be read.
    """

    def __init__(self, source: "Video | str | Path | np.ndarray") -> None:
        if isinstance(source, str | Path):
            source = Video(source)
        self.video: VideoReference | None = None
        self.path: Path | None = None
        self._times: dict[int, float] = {}
        if isinstance(source, Video):
            numbers: Sequence[int] = source.indices
            self._times = dict(zip(numbers, source.timestamps.tolist(), strict=True))
            self.path = source.path
            self.video = VideoReference(name=source.name, sha256=source.sha256)
            self.size = source.size
        else:
            if not isinstance(source, np.ndarray):
                raise SamflowError(
                    "expected a Video, a path or an image (H, W, 3) uint8, got "
                    f"{type(source).__name__}."
                )
            check_image(source)
            numbers = range(1)
            self.size = (source.shape[0], source.shape[1])
        self.indices: Sequence[int] = sorted(numbers)
        positions = {number: i for i, number in enumerate(numbers)}

        @lru_cache(maxsize=4)
        def read(index: int) -> np.ndarray:
            return source[positions[index]] if isinstance(source, Video) else source

        self._read = read
        self._references: dict[int, FrameReference] = {}

    def __getitem__(self, index: int) -> np.ndarray:
        """Image (H, W, 3) uint8 RGB of the frame with this number."""
        if index not in self.indices:
            raise SamflowError(
                f"there is no frame {index}: choose {self.indices[0]} to {self.indices[-1]}."
            )
        return self._read(index)

    def time(self, index: int) -> float | None:
        """Seconds from the file's first frame; None for an image."""
        return self._times.get(index)

    def reference(self, index: int) -> FrameReference:
        """What prompts on this frame say about it."""
        if index not in self._references:
            height, width = self.size
            self._references[index] = FrameReference(
                index=index, width=width, height=height, sha256=frame_sha256(self[index])
            )
        return self._references[index]

    def jpeg(self, index: int) -> bytes:
        """The frame as JPEG, for the page."""
        return jpeg_bytes(self[index], _JPEG_QUALITY)


def jpeg_bytes(image: np.ndarray, quality: int) -> bytes:
    """An image (H, W, 3) uint8 RGB as JPEG."""
    picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
