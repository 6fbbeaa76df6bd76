"""Frames out: H.264 films that browsers play."""

import math
from contextlib import AbstractContextManager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from samflow.errors import SamflowError
from samflow.files import atomic_path

# 25, 30 and 29.97 frames per second have whole ticks, other times are kept to 6 microseconds
TIME_BASE = Fraction(1, 90_000)
MUXER_OPTIONS = {
    "movflags": "faststart",
    "movie_timescale": str(TIME_BASE.denominator),
    "video_track_timescale": str(TIME_BASE.denominator),
}
_SCALING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
# x264's output depends on its number of threads; with one, nothing depends on when threads meet.
# Its macroblock tree reads memory that it never wrote (core 165): without it, the same frames give
# the same bytes.
_THREADS = 1
# Blocks are smoothed with every preset: "ultrafast" alone leaves it out, and is larger for it.
_X264_OPTIONS = {"bf": "0", "mbtree": "0", "x264-params": "deblock=0,0"}
_BT709 = 1  # matrix, primaries and transfer, ITU-T H.273


class _AbandonedError(Exception):
    """Tells `atomic_path` to drop the file."""


class VideoWriter:
    """Write an H.264 mp4 (yuv420p, BT.709) frame by frame; it appears complete or not at all.

    Use it in a `with` block: the file takes its name when the block ends, and nothing is left
    when the block raises. The same frames give the same bytes.

    Parameters
    ----------
    path : str or Path
        The file to write, an mp4. An older one is replaced.
    size : (int, int)
        (H, W) of the frames. Odd sizes are made even by repeating the last row or column.
    fps : float
        Frames per second, for frames without a timestamp.
    crf : float
        x264's constant rate factor, 0 (best) to 51; 18 looks like the original.
    preset : str
        x264's, such as "medium" or "ultrafast".

    Raises
    ------
    SamflowError
        For a frame of another size, timestamps that do not grow, a full disk, or no frame at all.

    Notes
    -----
    Each frame is decodable after those before it (no B-frames), so that films written in parts
    can be joined, see `samflow.video.concatenate_videos`.

    Examples
    --------
    >>> import tempfile
    >>> from samflow.video import Video
    >>> path = Path(tempfile.mkdtemp()) / "grey.mp4"
    >>> with VideoWriter(path, size=(32, 32), fps=10) as writer:
    ...     for _ in range(3):
    ...         writer.write(np.full((32, 32, 3), 128, np.uint8))
    >>> Video(path).timestamps.tolist()
    [0.0, 0.1, 0.2]
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        fps: float = 25.0,
        crf: float = 18,
        preset: str = "medium",
    ) -> None:
        if not (len(size) == 2 and min(size) > 0):
            raise SamflowError(f"size is {size}: expected (height, width) in pixels.")
        if not (math.isfinite(fps) and fps > 0):
            raise SamflowError(f"fps is {fps}: expected a positive number of frames per second.")
        self.path = Path(path)
        self.size = (int(size[0]), int(size[1]))
        self.fps = float(fps)
        self.crf = crf
        self.preset = preset
        self._scaler = VideoReformatter()
        self._count = 0
        self._last_pts = -1
        self._container: OutputContainer | None = None

    def __enter__(self) -> "VideoWriter":
        self._atomic: AbstractContextManager[Path] = atomic_path(self.path)
        self._part = self._atomic.__enter__()
        try:
            self._container = av.open(str(self._part), "w", format="mp4", options=MUXER_OPTIONS)
            self._add_stream(self._container)
        except BaseException as error:
            self._abandon()
            if isinstance(error, av.FFmpegError):
                raise self._failure(error) from error
            raise
        return self

    def _add_stream(self, container: OutputContainer) -> None:
        rate = Fraction(self.fps).limit_denominator(1001)
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = (n + n % 2 for n in self.size)
        stream.pix_fmt = "yuv420p"
        stream.time_base = TIME_BASE
        stream.options = {"crf": str(self.crf), "preset": self.preset, **_X264_OPTIONS}
        codec = stream.codec_context
        codec.time_base = TIME_BASE
        codec.thread_count = _THREADS
        # a keyframe every two seconds keeps scrubbing quick
        codec.gop_size = max(1, round(2 * self.fps))
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        codec.color_range = ColorRange.MPEG
        self._stream = stream

    def write(self, image: NDArray[np.uint8], timestamp: float | None = None) -> None:
        """Append one frame.

        Parameters
        ----------
        image : (H, W, 3) uint8
            RGB, of the writer's size.
        timestamp : float, optional
            Seconds, greater than the previous frame's; by default the frame's number / fps.
            The file keeps it as it is: a film whose first timestamp is 10 starts at 10 s.

        Raises
        ------
        SamflowError
            When the image does not fit, the time does not grow, or the file can't be written.
        """
        if self._container is None:
            raise RuntimeError("VideoWriter is not open: use it in a with block.")
        if image.shape != (*self.size, 3) or image.dtype != np.uint8:
            raise SamflowError(
                f"frame {self._count} for {self.path} is {image.dtype} {image.shape}: expected "
                f"uint8 {(*self.size, 3)}."
            )
        time = self._count / self.fps if timestamp is None else float(timestamp)
        pts = round(time * TIME_BASE.denominator) if math.isfinite(time) else -1
        if pts <= self._last_pts:
            raise SamflowError(
                f"frame {self._count} for {self.path} is at {time:g} s, the one before at "
                f"{max(self._last_pts, 0) * float(TIME_BASE):g} s: timestamps must grow from 0."
            )
        height, width = self.size
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = self._scaler.reformat(
            frame,
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=_SCALING,
            threads=1,
        )
        frame.pts, frame.time_base = pts, TIME_BASE
        frame.duration = round(TIME_BASE.denominator / self.fps)
        self._encode(frame)
        self._last_pts = pts
        self._count += 1

    def _encode(self, frame: av.VideoFrame | None) -> None:
        assert self._container is not None
        try:
            self._container.mux(self._stream.encode(frame))
        except av.FFmpegError as error:
            raise self._failure(error) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._abandon()
            return
        try:
            if not self._count:
                raise SamflowError(f"no frame was written to {self.path}: write at least one.")
            self._encode(None)
            assert self._container is not None
            self._container.close()
        except BaseException as failure:
            self._abandon()
            if isinstance(failure, (av.FFmpegError, OSError)):
                raise self._failure(failure) from failure
            raise
        self._container = None
        self._atomic.__exit__(None, None, None)

    def _failure(self, error: Exception) -> SamflowError:
        return unwritable(self.path, error)

    def _abandon(self) -> None:
        if self._container is not None:
            with suppress(av.FFmpegError):
                self._container.close()
            self._container = None
        with suppress(_AbandonedError):
            self._atomic.__exit__(_AbandonedError, _AbandonedError(), None)


def unwritable(path: Path, error: Exception) -> SamflowError:
    """Say that a file could not be written, and why."""
    reason = getattr(error, "strerror", None) or error
    return SamflowError(
        f"{path} could not be written: {reason}. Free some space or choose another folder, "
        "then run the command again."
    )
