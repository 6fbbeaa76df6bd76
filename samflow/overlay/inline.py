"""Video inside of a notebook or a page."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from samflow.errors import SamflowError
from samflow.video import Video, VideoWriter

if TYPE_CHECKING:
    import IPython.display

_MEGABYTE = 1_000_000
# Constant rate factor of x264 for previews: visibly softer than 18, a third of its size.
_PREVIEW_CRF = 28
_MIN_PREVIEW_WIDTH = 160


def show_video(path: str | Path, max_mb: float = 8.0) -> "IPython.display.Video":
    """Play a video inside of a notebook.

    Parameters
    ----------
    path : str or Path
        A file that browsers play: H.264 and yuv420p, as `samflow.video.VideoWriter` makes it.
    max_mb : float
        The file is embedded into the notebook up to this size in MB (10^6 bytes). Of a larger
        file a smaller preview is embedded: all frames, less sharp, scaled down as far as needed.

    Returns
    -------
    IPython.display.Video
        Shown when it is the last value of a cell.

    Raises
    ------
    SamflowError
        When the file is missing or no video, IPython is not installed, or no preview is small
        enough.
    """
    try:
        from IPython.display import Video as InlineVideo
    except ImportError as error:
        raise SamflowError(
            "show_video needs IPython: install samflow with its notebook extra."
        ) from error
    data, width = video_within(path, max_mb)
    return InlineVideo(
        data=data,
        embed=True,
        mimetype="video/mp4",
        width=min(width, 1280),
        html_attributes="controls loop muted playsinline",
    )


def video_within(path: str | Path, max_mb: float) -> tuple[bytes, int]:
    """Bytes of a video file to embed into a page, or of a smaller preview when it is too large.

    Parameters
    ----------
    path : str or Path
        An mp4 file.
    max_mb : float
        The most that may be embedded, in MB (10^6 bytes).

    Returns
    -------
    data : bytes
        The file itself, or an H.264 mp4 with all its frames, less sharp and scaled down as far as
        needed.
    width : int
        Of its frames in px.

    Raises
    ------
    SamflowError
        When the file is missing or no video, or no preview is small enough.
    """
    path = Path(path)
    if not path.is_file():
        raise SamflowError(f"{path} is not a file: expected a video.")
    video = Video(path)
    if path.stat().st_size <= max_mb * _MEGABYTE:
        return path.read_bytes(), video.size[1]
    return _preview(video, max_mb)


def _preview(video: Video, max_mb: float) -> tuple[bytes, int]:
    """Bytes and width of a smaller copy that is at most `max_mb` MB."""
    width = video.size[1]
    with tempfile.TemporaryDirectory() as folder:
        while True:
            file = Path(folder) / "preview.mp4"
            _write_scaled(video, file, width)
            share = max_mb * _MEGABYTE / file.stat().st_size
            if share >= 1.0:
                return file.read_bytes(), width
            if width <= _MIN_PREVIEW_WIDTH:
                raise SamflowError(
                    f"{video.name} is over {max_mb} MB even at {width} px width: "
                    "show a part of it, or allow more with max_mb."
                )
            # bytes grow about with the area; 0.9 makes a second round rare
            width = max(_MIN_PREVIEW_WIDTH, int(width * min(0.8, 0.9 * share**0.5)))


def _write_scaled(video: Video, file: Path, width: int) -> None:
    height = max(2, round(video.size[0] * width / video.size[1]))
    with VideoWriter(file, size=(height, width), fps=video.fps, crf=_PREVIEW_CRF) as writer:
        for image, timestamp in zip(video, video.timestamps, strict=False):
            small = np.asarray(
                cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8
            )
            writer.write(small, timestamp=float(timestamp - video.timestamps[0]))
