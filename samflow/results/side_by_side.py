"""Results of runs side by side: one comparison video from several run folders."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from samflow.errors import SamflowError
from samflow.maskio import Track
from samflow.overlay import Comparison, contact_sheet, evenly_spaced
from samflow.prompts import Region
from samflow.runs import Run
from samflow.strategies import strategy_entry
from samflow.video import Video


def compare(
    runs: Sequence[Run],
    out: str | Path,
    video_path: str | Path | None = None,
    strategies: Sequence[str] | None = None,
) -> Path:
    """Write the overlays of all strategies of some runs side by side.

    Parameters
    ----------
    runs : sequence of Run
        Over the same frames of the same video.
    out : str or Path
        The mp4 to write.
    video_path : str or Path, optional
        The video, when it is no longer where the first run found it.
    strategies : sequence of str, optional
        Those to show, of each run that has them; by default all.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    SamflowError
        When the runs belong to different clips, are incomplete, or none has one of the strategies,
        or `out` is no mp4.
    """
    out = Path(out)
    if out.suffix.lower() != ".mp4" or out.is_dir():
        raise SamflowError(f"the video to write is {out}: expected a file such as comparison.mp4.")
    tracks = _tracks(runs, strategies)
    clip = runs[0].clip(video_path)
    if out.exists() and out.samefile(clip.path):
        raise SamflowError(f"{out} is the film itself: choose another name.")
    heading = next(filter(None, (run.record.note for run in runs)), "")
    regions = runs[0].record.prompts.regions
    write_comparison(clip, tracks, regions, out, progress=True, heading=heading)
    return out


def write_comparison(
    clip: Video,
    tracks: Mapping[str, Iterable[Any]],
    regions: Sequence[Region],
    path: str | Path,
    *,
    film: bool = True,
    progress: bool = False,
    heading: str = "",
) -> None:
    """Write the overlays of some tracks side by side as a video.

    `tracks` has the label maps (H, W) uint8 of the clip's frames by panel title, `regions` names
    and colours; `film` shows the plain film as first panel, `progress` a bar; `heading` stands
    above all panels.
    """
    comparison = Comparison(clip.size, list(tracks), regions, film=film, heading=heading)
    times = clip.timestamps - clip.timestamps[0]
    with comparison.writer(path, clip.fps) as writer:
        frames = zip(clip, *tracks.values(), strict=True)
        shown = tqdm(frames, total=len(clip), unit="frame", disable=not progress)
        for index, (image, *maps) in enumerate(shown):
            labels = {name: np.asarray(m, np.uint8) for name, m in zip(tracks, maps, strict=True)}
            writer.write(comparison.frame(image, labels, times[index], index), times[index])


def clip_sheet(
    clip: Video,
    tracks: Mapping[str, Any],
    regions: Sequence[Region],
    path: str | Path | None = None,
    *,
    columns: int = 4,
    max_width: int = 2400,
) -> np.ndarray:
    """Draw evenly spaced frames of some tracks on one page, one row per track: (H, W, 3) uint8 RGB.

    `tracks` has the label maps (H, W) uint8 of the clip's frames by title; `regions`, `path` and
    `max_width` are as in `samflow.overlay.contact_sheet`.
    """
    times = clip.timestamps - clip.timestamps[0]
    frames = [
        (f"{times[i]:.2f} s", clip[i], {title: maps[i] for title, maps in tracks.items()})
        for i in evenly_spaced(len(clip), columns)
    ]
    return contact_sheet(frames, regions, path, max_width=max_width)


def run_sheet(run: Run, path: str | Path) -> None:
    """Write a PNG page of evenly spaced frames of a complete run, one row per strategy."""
    clip_sheet(run.clip(), _tracks([run]), run.record.prompts.regions, path)


def _tracks(runs: Sequence[Run], strategies: Sequence[str] | None = None) -> dict[str, Track]:
    """The tracks of all runs, or some strategies of theirs, by panel title."""
    if not runs:
        raise SamflowError("nothing to compare: give at least one run folder.")
    first = runs[0].record.video
    there = {name for run in runs for name in run.strategies}
    for name in strategies or ():
        if name not in there:
            raise SamflowError(
                f"strategy {name!r} is in none of the runs: choose from {', '.join(sorted(there))}."
            )
    tracks: dict[str, Track] = {}
    for run in runs:
        video = run.record.video
        if (video.sha256, video.first, video.frames) != (first.sha256, first.first, first.frames):
            raise SamflowError(
                f"{run.folder} is over another clip than {runs[0].folder}: compare runs over the "
                "same frames of the same video."
            )
        run.check_finished()
        for name in run.strategies:
            if strategies is not None and name not in strategies:
                continue
            title = strategy_entry(name).title
            tracks[f"{run.folder.name}: {title}" if len(runs) > 1 else title] = run.track(name)
    return tracks
