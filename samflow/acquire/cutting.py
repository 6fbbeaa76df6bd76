"""Cut a clip out of a film, to the frame."""

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from samflow.acquire.film import (
    ENCODING,
    TO_BT709,
    Timing,
    inspect_film,
    is_turned,
    run_ffmpeg,
)
from samflow.acquire.times import parse_span
from samflow.errors import SamflowError
from samflow.files import atomic_path


def cut(
    video_path: str | Path,
    start: str | float,
    end: str | float,
    out: str | Path,
    progress: bool = True,
) -> Path:
    """Cut the frames with start <= time < end into an H.264 mp4, with the sound if there is any.

    Parameters
    ----------
    video_path : str or Path
        The film.
    start, end : str or float
        Times as `parse_time` takes them, from the film's first frame.
    out : str or Path
        The mp4 to write; it appears complete or not at all.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    SamflowError
        When the film can't be read, the span is empty or outside it, or `out` can't be written.

    Notes
    -----
    moviepy counts frames at a constant rate and knows no display matrix. Films with a variable
    or rounded frame rate, or a turned picture, are cut by ffmpeg, which keeps each frame's time.
    """
    from moviepy import VideoFileClip

    video_path, out = Path(video_path), Path(out)
    begin, stop = parse_span(start, end)
    timing = inspect_film(video_path)
    if stop > timing.duration + 0.5 / timing.rate:
        raise SamflowError(
            f"{video_path} lasts {timing.duration:.2f} s: expected an end up to that, got {end}."
        )
    limits = np.array([begin, stop]) - timing.grace
    first, last = (int(i) for i in np.searchsorted(timing.times, limits))
    if first == last:
        raise SamflowError(f"{video_path} has no frame between {start} and {end}: widen the span.")
    with atomic_path(out) as part:
        try:
            with VideoFileClip(str(video_path)) as clip:
                exact = abs(clip.fps - timing.rate) * timing.duration < 0.01
                if timing.is_regular and exact and not is_turned(video_path):
                    _cut_with_moviepy(clip, timing.rate, (first, last), part, progress)
                else:
                    _cut_with_ffmpeg(video_path, timing, (first, last), part)
        except (OSError, KeyError, IndexError) as error:
            lines = str(error).strip().splitlines() or ["no reason given"]
            raise SamflowError(
                f"{out} could not be cut from {video_path}: {lines[-1].rstrip('.')}. Check the "
                "film and the space on the disk."
            ) from error
        try:
            made = len(inspect_film(part).times)
        except SamflowError as error:
            raise SamflowError(
                f"{out} could not be written whole: check the space on the disk, then run the "
                "command again."
            ) from error
        if made != last - first:
            raise SamflowError(
                f"cutting {video_path} gave {made} frames instead of {last - first}: convert the "
                "film to an mp4 with a constant frame rate first."
            )
    return out


def _cut_with_moviepy(
    clip: Any, rate: Fraction, frames: tuple[int, int], out: Path, progress: bool
) -> None:
    """Write frames `frames[0]` up to, not including, `frames[1]` of a moviepy clip."""
    # moviepy's own progress package has no types
    from proglog import TqdmProgressBarLogger  # type: ignore[import-untyped]

    first, last = frames
    begin = float(first / rate)
    # moviepy rounds down to whole frames: a thousandth more, or the last one may be missing
    length = float((last - first + Fraction(1, 1000)) / rate)
    sound = clip.audio
    part = clip.without_audio().time_transform(lambda t: t + begin).with_duration(length)
    if sound is not None and begin < sound.duration:
        part = part.with_audio(sound.subclipped(begin, min(begin + length, sound.duration)))
    width, height = clip.size
    even = f"pad={width + width % 2}:{height + height % 2}"
    if width % 2 or height % 2:
        even += f",fillborders=right={width % 2}:bottom={height % 2}:mode=smear"
    # moviepy rounds the rate to two digits on its way to ffmpeg: number the frames anew
    clock = f"settb={rate.denominator}/{rate.numerator},setpts=N"
    with tempfile.TemporaryDirectory() as folder:
        part.write_videofile(
            str(out),
            fps=float(rate),
            codec="libx264",
            audio_codec="aac",
            temp_audiofile_path=folder,
            ffmpeg_params=[
                *["-vf", f"{clock},{even},{TO_BT709}", "-fps_mode", "passthrough"],
                *["-enc_time_base", f"{rate.denominator}/{rate.numerator}", *ENCODING],
            ],
            logger=TqdmProgressBarLogger(print_messages=False) if progress else None,
        )


def _cut_with_ffmpeg(path: Path, timing: Timing, frames: tuple[int, int], out: Path) -> None:
    """Write the same frames of a film whose times are not on a grid."""
    first, last = frames
    begin = timing.times[first] + timing.offset
    end = (timing.times[last] if last < len(timing.times) else timing.duration) + timing.offset
    # frames are counted from the start of the film: no seek, no rounding
    chosen = f"select='between(n,{first},{last - 1})',setpts=PTS-STARTPTS"
    even = "pad=ceil(iw/2)*2:ceil(ih/2)*2"
    run_ffmpeg(
        *["-i", str(path), "-map", "0:v:0", "-map", "0:a:0?", "-fps_mode", "passthrough"],
        *["-vf", f"{chosen},{even},{TO_BT709}", "-frames:v", str(last - first)],
        *["-af", f"atrim={begin:.6f}:{end:.6f},asetpts=PTS-STARTPTS"],
        *["-c:v", "libx264", "-c:a", "aac", *ENCODING, str(out)],
    )
