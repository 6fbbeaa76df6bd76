"""Which frames a film holds: their times, and where a decoder can start."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from samflow.errors import SamflowError

# In these codecs each packet that is not marked as discarded gives one frame. Others (VP8's
# hidden frames, MPEG-4's frames that are not coded) are counted by decoding.
_ONE_FRAME_PER_PACKET = {
    "av1", "dnxhd", "ffv1", "h264", "hevc", "mjpeg", "png", "prores", "rawvideo", "vp9",
}  # fmt: skip
# the length that these containers state comes from their index, not from a guess by bit rate
_STATED_LENGTH = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}


@dataclass(frozen=True)
class FrameIndex:
    """The frames of a film in display order.

    Attributes
    ----------
    pts : (T,) int64
        Presentation time of each frame in units of `time_base`, strictly increasing.
    keyframes : (K,) int64
        Indices of the frames at which a decoder can start. The first is 0.
    time_base : Fraction
        Seconds per unit of `pts`.
    by_pts : bool
        True when the decoder's frames carry these `pts`, so that a seek can be checked. Otherwise
        a frame is found by counting from the start.
    rate : float or None
        Frames per second that the file states.
    damage : str or None
        One sentence about what is missing, or None.
    """

    pts: NDArray[np.int64]
    keyframes: NDArray[np.int64]
    time_base: Fraction
    by_pts: bool
    rate: float | None
    damage: str | None

    @property
    def timestamps(self) -> NDArray[np.float64]:
        """Seconds from the first frame to each frame, (T,) float64."""
        ticks = (self.pts - self.pts[0]).astype(np.float64)
        return ticks * self.time_base.numerator / self.time_base.denominator

    @property
    def fps(self) -> float:
        """Average frames per second: the stated rate, unless the timestamps contradict it."""
        times = self.timestamps
        if len(times) < 2:
            return self.rate or 25.0
        measured = float((len(times) - 1) / times[-1])
        # timestamps are rounded to the time base: a millisecond in Matroska
        tolerance = 2 * float(self.time_base) / float(times[-1]) + 1e-4
        if self.rate and abs(self.rate / measured - 1) < tolerance:
            return self.rate
        return measured


@dataclass
class Scan:
    """What the packets of a video stream say, in the order in which they are stored."""

    packets: list[tuple[int | None, bool]] = field(default_factory=list)
    """Time stamp and whether it is a keyframe; the discarded ones left out."""
    ticks: list[int] = field(default_factory=list)
    """Presentation times of these packets, or their decoding times where there are no others."""
    stored: int = 0
    """Packets, the discarded ones included."""
    last_dts: int | None = None
    end: float = 0.0
    """Seconds at which the last packet of any stream ends."""
    truncated: bool = False
    """A packet is incomplete, the container can't be read on, or ends before it should."""


def open_film(path: Path) -> tuple[InputContainer, VideoStream]:
    """Open a film and find its video stream.

    Raises
    ------
    SamflowError
        When the file is not a video, or has no video stream that can be decoded.
    """
    try:
        container = av.open(str(path))
    except (av.FFmpegError, UnicodeError) as error:
        raise SamflowError(
            f"{path} is not a video that can be read: expected an mp4, mov, avi, mkv or webm file "
            "or a folder of images. If it was downloaded or copied, it may be incomplete: get it "
            "again."
        ) from error
    try:
        kind = container.format.name
        if kind.endswith("_pipe") or kind in ("image2", "tty"):
            raise SamflowError(
                f"{path} is a single image or a text: expected a video, or a folder of images."
            )
        cover = Disposition.attached_pic
        streams = [s for s in container.streams.video if not s.disposition & cover]
        if not streams:
            raise SamflowError(f"{path} has no video stream, only sound or data: expected a video.")
        if streams[0].codec_context is None:
            raise SamflowError(f"{path} uses a codec that can't be decoded: convert it to H.264.")
    except SamflowError:
        container.close()
        raise
    streams[0].thread_type = "AUTO"
    return container, streams[0]


def index_frames(path: Path) -> FrameIndex:
    """List the frames of a film from its packets, without decoding where that is safe.

    Parameters
    ----------
    path : Path
        An existing file.

    Returns
    -------
    FrameIndex
        Of a truncated film, only the frames before the damage.

    Raises
    ------
    SamflowError
        When the file is not a video, or no frame can be decoded.
    """
    container, stream = open_film(path)
    with container:
        scan = scan_packets(container, stream)
        trusted = _is_trusted(container, stream, scan)
        reorder = stream.codec_context.reorder_depth
        rate = float(stream.average_rate) if stream.average_rate else None
        time_base = stream.time_base or Fraction(1, 90_000)
        duration = _stated_seconds(container)
    if trusted:
        frames = sorted((pts, key) for pts, key in scan.packets if pts is not None)
        by_pts = True
    else:
        frames, by_pts = _decode_all(path, time_base, rate)
    if scan.truncated:
        # A later packet can't be shown before its own decoding time, so all frames up to the
        # last complete packet's decoding time are there.
        if by_pts and scan.last_dts is not None:
            frames = [f for f in frames if f[0] <= scan.last_dts]
        else:
            frames = frames[: len(frames) - reorder]
    if not frames:
        raise SamflowError(
            f"{path} has no frame that can be decoded: the file is damaged, get it again."
        )
    pts = np.array([f[0] for f in frames], np.int64)
    damage = None
    if scan.truncated:
        seconds = float((pts[-1] - pts[0]) * time_base)
        of = f" of {duration:.2f} s" if duration > seconds + 0.01 else ""
        damage = (
            f"{path.name} is cut short: its first {len(pts)} frames, up to {seconds:.2f} s{of}, "
            "are usable, the rest is missing or damaged."
        )
    keyframes = np.array([i for i, f in enumerate(frames) if f[1] or i == 0], np.int64)
    return FrameIndex(pts, keyframes, time_base, by_pts, rate, damage)


def scan_packets(container: InputContainer, stream: VideoStream) -> Scan:
    """Read through a film's packets without decoding any."""
    scan = Scan()
    try:
        for packet in container.demux():
            begin = packet.pts if packet.pts is not None else packet.dts
            if begin is not None and packet.time_base:
                end = float((begin + (packet.duration or 0)) * packet.time_base)
                scan.end = max(scan.end, end)
            if packet.stream.index != stream.index or not packet.size:
                continue
            if packet.is_corrupt:
                scan.truncated = True
                break
            scan.stored += 1
            scan.last_dts = packet.dts
            if not packet.is_discard:
                scan.packets.append((packet.pts, packet.is_keyframe))
                scan.ticks += [] if begin is None else [begin]
    except av.FFmpegError:
        scan.truncated = True
    if container.format.name.startswith("mov") and scan.stored < len(stream.index_entries):
        scan.truncated = True
    # a truncated Matroska file ends without a word, long before the length in its header
    scan.truncated |= scan.end < _stated_seconds(container) - 0.25
    return scan


def _stated_seconds(container: InputContainer) -> float:
    if container.format.name not in _STATED_LENGTH:
        return 0.0
    return (container.duration or 0) / av.time_base


def _is_trusted(container: InputContainer, stream: VideoStream, scan: Scan) -> bool:
    """Tell whether the packets alone say which frames come out of the decoder, and when."""
    if stream.codec_context.codec.canonical_name not in _ONE_FRAME_PER_PACKET:
        return False
    # AVI stores no presentation times, so frames that are reordered get wrong ones
    if container.format.name == "avi" and stream.codec_context.has_b_frames:
        return False
    times = [pts for pts, _ in scan.packets if pts is not None]
    if not times or len(set(times)) != len(scan.packets):
        return False
    # frames before the first keyframe, in storage or in time, lack what they refer to
    first_pts, first_key = scan.packets[0]
    return first_key and first_pts == min(times)


def _decode_all(
    path: Path, time_base: Fraction, rate: float | None
) -> tuple[list[tuple[int, bool]], bool]:
    """List (pts, keyframe) of every frame that decodes, and whether their pts can be trusted."""
    frames: list[tuple[int | None, bool]] = []
    container, stream = open_film(path)
    with container:
        for frame in decoded_frames(container, stream):
            frames.append((frame.pts, bool(frame.key_frame)))
    times = [pts for pts, _ in frames if pts is not None]
    if len(times) == len(frames) and all(a < b for a, b in pairwise(times)):
        return [(pts, key) for pts, key in frames if pts is not None], True
    ticks = 1 / (time_base * Fraction(rate or 25.0))
    return [(round(i * ticks), False) for i in range(len(frames))], False


def decoded_frames(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """Decode from the container's position to the end, past packets that can't be decoded."""
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                break
            # the empty packet at the end would drain the decoder: it is drained below
            if packet.size:
                yield from _frames_of(stream, packet)
    except av.FFmpegError:
        # the container can't be read on: what the decoder holds is still good
        pass
    yield from _frames_of(stream, None)


def _frames_of(stream: VideoStream, packet: Packet | None) -> list[av.VideoFrame]:
    try:
        return stream.decode(packet)
    except (av.InvalidDataError, av.EOFError):
        return []
