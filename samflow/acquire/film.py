"""What a film file holds, and ffmpeg as a program to convert it with."""

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from samflow.errors import SamflowError

# the tags and the conversion must agree, or players show other colours than the film had
ENCODING = [
    *["-crf", "16", "-movflags", "+faststart"],
    *["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"],
    *["-color_range", "tv"],
]
TO_BT709 = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"


def ffmpeg_program() -> str:
    """Path of the ffmpeg that moviepy brings along."""
    from moviepy.config import FFMPEG_BINARY

    return str(FFMPEG_BINARY)


def run_ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg; its last argument is the file it writes."""
    command = [ffmpeg_program(), "-y", "-v", "error", "-nostdin", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise SamflowError(f"ffmpeg could not write {arguments[-1]}: {lines[-1]}.")


def convert_to_mp4(source: Path, out: Path, keep_video: bool) -> None:
    """Bring a film to mp4; times stay as they are."""
    video = ["-c:v", "copy"] if keep_video else ["-c:v", "libx264", "-vf", TO_BT709, *ENCODING]
    streams = ["-map", "0:v:0", "-map", "0:a:0?", "-fps_mode", "passthrough", "-c:a", "aac"]
    run_ffmpeg("-i", source, *streams, *video, "-movflags", "+faststart", out)


@dataclass(frozen=True)
class Timing:
    """When the frames of a film are shown."""

    times: NDArray[np.float64]  # (T,) seconds from the first frame
    offset: float  # seconds from the start of the container to the first frame
    grace: float  # seconds by which the container may have rounded a time
    rate: Fraction  # average frames per second
    codec: str
    is_mp4: bool

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the end of the last."""
        return float(self.times[-1] + 1 / self.rate)

    @property
    def is_regular(self) -> bool:
        """True when frame i is at i / rate, not a hair earlier: what moviepy's seek relies on."""
        late = self.times - np.arange(len(self.times)) / float(self.rate)
        return bool(late.min() > -5e-6 and late.max() < 0.3 / self.rate) and self.offset < 1e-3


def inspect_film(path: Path) -> Timing:
    """Read a film's times from its packets.

    Raises
    ------
    SamflowError
        When it is not a video, or incomplete.
    """
    if not path.is_file():
        raise SamflowError(f"{path} does not exist: expected a video file.")
    refusal = SamflowError(
        f"{path} is not a complete video that can be read: expected a film such as an mp4. "
        "Get it again, or convert the part that plays."
    )
    try:
        with av.open(str(path)) as container:
            timing = _read_timing(container, path)
    except av.FFmpegError as error:
        raise refusal from error
    if timing is None:
        raise refusal
    return timing


def _read_timing(container: InputContainer, path: Path) -> Timing | None:
    """Read the times of all packets; None when there are none, or some are missing."""
    if not container.streams.video:
        return None
    stream = container.streams.video[0]
    ticks, stored, end = [], 0, 0.0
    for packet in container.demux():
        tick = packet.dts if packet.pts is None else packet.pts
        if packet.is_corrupt:
            return None
        if tick is None or packet.time_base is None or not packet.size:
            continue
        end = max(end, float((tick + (packet.duration or 0)) * packet.time_base))
        if packet.stream.index == stream.index:
            stored += 1
            if not packet.is_discard:
                ticks.append(tick)
    kind = container.format.name
    is_mov = kind.startswith("mov")
    short = is_mov and stored < len(stream.index_entries)
    # a truncated Matroska file ends without a word, long before the length in its header
    short |= kind.startswith("matroska") and end < (container.duration or 0) / av.time_base - 0.25
    if short or not ticks or stream.time_base is None or stream.codec_context is None:
        return None
    times = np.sort(np.array(ticks, np.float64)) * float(stream.time_base)
    return Timing(
        times=times - times[0],
        offset=float(times[0]) - (container.start_time or 0) / av.time_base,
        grace=float(stream.time_base) / 2 + 1e-6,
        rate=stream.average_rate or Fraction(25),
        codec=stream.codec_context.codec.canonical_name,
        is_mp4=is_mov and path.suffix.lower() == ".mp4",
    )


def is_turned(path: Path) -> bool:
    """Tell whether a film's display matrix turns or mirrors its picture."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0), None)
        return frame is not None and frame.side_data.get("DISPLAYMATRIX") is not None


def check_decodes(path: Path) -> None:
    """Decode the first frame and the last group of frames."""
    times = inspect_film(path).times
    try:
        with av.open(str(path)) as container:
            first = next(container.decode(video=0))
            container.seek(int((float(first.time or 0) + times[-1]) * av.time_base))
            last = max((frame.time or 0.0) for frame in container.decode(video=0))
    except (av.FFmpegError, StopIteration, ValueError) as error:
        raise SamflowError(f"{path} does not decode: get it again.") from error
    if last - float(first.time or 0) < times[-1] - 0.5:
        raise SamflowError(f"{path} ends at {last:.1f} s of {times[-1]:.1f} s: get it again.")
