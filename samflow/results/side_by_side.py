"""Results of runs side by side: one comparison video from several run folders."""

from collections.abc import Sequence
from pathlib import Path

from tqdm.auto import tqdm

from samflow.errors import SamflowError
from samflow.maskio import Track
from samflow.overlay import Comparison, contact_sheet, evenly_spaced
from samflow.runs import Run
from samflow.strategies import TITLES
from samflow.video import VideoWriter


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
        When the runs belong to different clips, are incomplete, or none has one of the strategies.
    """
    tracks = _tracks(runs, strategies)
    clip = runs[0].clip(video_path)
    comparison = Comparison(clip.size, list(tracks), runs[0].record.prompts.regions)
    times = clip.timestamps - clip.timestamps[0]
    with VideoWriter(out, comparison.size, clip.fps) as writer:
        frames = zip(clip, *tracks.values(), strict=True)
        for index, (image, *labels) in enumerate(tqdm(frames, total=len(clip), unit="frame")):
            panels = dict(zip(tracks, labels, strict=True))
            writer.write(comparison.frame(image, panels, times[index], index), times[index])
    return Path(out)


def run_sheet(run: Run, path: str | Path, columns: int = 4) -> Path:
    """Write a page of evenly spaced frames of a run, one row a strategy.

    Parameters
    ----------
    run : Run
        Complete, its video where the run found it.
    path : str or Path
        The PNG to write.
    columns : int
        How many frames.

    Returns
    -------
    Path
        `path`.
    """
    tracks = _tracks([run])
    clip = run.clip()
    times = clip.timestamps - clip.timestamps[0]
    frames = [
        (f"{times[i]:.2f} s", clip[i], {title: track[i] for title, track in tracks.items()})
        for i in evenly_spaced(len(clip), columns)
    ]
    contact_sheet(frames, run.record.prompts.regions, path)
    return Path(path)


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
            title = TITLES[name]
            tracks[f"{run.folder.name}: {title}" if len(runs) > 1 else title] = run.track(name)
    return tracks
