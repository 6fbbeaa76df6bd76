"""Where to correct next: the frames of a run whose right masks are expected to help most."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from samflow.errors import SamflowError
from samflow.results.metrics import drift_scores, drift_signs
from samflow.runs import Run
from samflow.video import Video

# Frames are compared at this size (W, H): blobs of dye, no grain
_THUMBNAIL = (32, 18)
# A correction carries this share of the clip's whole change of picture before it has lost all but
# 1/e of its use; chosen on seeded dye clips that are not held out
_REACH = 0.15


def suggest(run: Run, count: int = 3, video_path: str | Path | None = None) -> pd.DataFrame:
    """Find the few frames of a run whose correction is expected to help most.

    Parameters
    ----------
    run : Run
        Finished.
    count : int
        How many frames, at least 1; fewer when the clip has no more.
    video_path : str or Path, optional
        The video, when it is no longer where the run found it.

    Returns
    -------
    pandas.DataFrame
        `frame`, `time_s` (seconds since the run's first frame), `drift` (mean over strategies and
        regions on that frame) and `gain` (share of the run's whole drift that the correction is
        expected to take away, on top of those above it), best first.

    Raises
    ------
    SamflowError
        For a run that is not finished or whose video is not there, or a count below 1.

    Notes
    -----
    A given frame (the prompts', a corrected one, one suggested above) is taken to save each frame
    from exp(-d / r) of its drift: d is how much the picture changes along the way from the one
    frame to the other, summed over the frames between, r is 15 % of that sum over the whole clip.
    A pass goes through every frame between, so that is how far its errors build up. Each suggested
    frame is the one that adds most to the drift saved by the best given frame of each (greedy
    maximisation of a facility-location function, within 1 - 1/e of the best choice: Nemhauser,
    Wolsey and Fisher, Math. Programming 14, 265, 1978). The drift score is that of
    `samflow.results.metrics.drift_scores`: it ranks, and it does not know the truth.
    """
    if count < 1:
        raise SamflowError(f"{count} frames to suggest, expected at least 1.")
    clip = run.clip(video_path)
    scores = run_drift(run, clip)
    drift = scores.groupby("frame")["drift"].mean().to_numpy()
    at = run.record.prompts.frame.index - run.record.video.first
    given = sorted({at, *run.correction_files})
    chosen = choose_frames(drift, picture_path(clip), given, count)
    times = clip.timestamps - clip.timestamps[0]
    rows = [
        {"frame": frame, "time_s": times[frame], "drift": drift[frame], "gain": gain}
        for frame, gain in chosen
    ]
    return pd.DataFrame(rows, columns=["frame", "time_s", "drift", "gain"])


def run_drift(run: Run, clip: Video) -> pd.DataFrame:
    """Drift of every strategy, region and frame of a finished run, see `drift_scores`."""
    ids = [region.id for region in run.result_regions]
    tracks = {name: run.finished_track(name) for name in run.strategies}
    with tqdm(total=len(clip), unit="frame", desc="drift", leave=False) as bar:

        def counted() -> Iterator[NDArray[np.uint8]]:
            for image in clip:
                bar.update()
                yield image

        return drift_scores(drift_signs(tracks, counted(), ids))


def picture_path(clip: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """How much the picture has changed up to each frame, (T,) float64 from 0 to 1.

    The sum, over all steps so far, of the mean absolute difference of the two frames' colours, as
    a share of the sum over the whole clip; the frames' numbers where nothing changes.
    """
    steps = [0.0]
    before = None
    for image in clip:
        small = cv2.resize(image, _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
        if before is not None:
            steps.append(float(np.abs(small - before).mean()))
        before = small
    path = np.cumsum(steps) if any(steps) else np.arange(len(steps), dtype=np.float64)
    return np.asarray(path / max(path[-1], np.finfo(float).tiny), dtype=np.float64)


def choose_frames(
    drift: NDArray[np.float64], path: NDArray[np.float64], given: list[int], count: int
) -> list[tuple[int, float]]:
    """Choose frames one after the other, each the one that saves most of the drift that is left.

    Parameters
    ----------
    drift : (T,) array
        At least 0.
    path : (T,) array
        Where each frame lies on the way through the clip, see `picture_path`.
    given : list of int
        Frames that are right already.
    count : int

    Returns
    -------
    list of (int, float)
        Frames, and the share of all drift that each saves on top of those before it.

    Examples
    --------
    >>> drift = np.array([0, 0, 0, 0, 0.9, 0.9, 0.9, 0, 0, 0])
    >>> [frame for frame, gain in choose_frames(drift, np.linspace(0, 1, 10), [0], 1)]
    [5]
    """
    saves = np.exp(-np.abs(path[:, None] - path[None, :]) / _REACH)  # (given, frame)
    saved = saves[given].max(axis=0)
    total = max(float(drift.sum()), np.finfo(float).tiny)
    chosen: list[tuple[int, float]] = []
    for _ in range(min(count, len(drift) - len(given))):
        gains = np.maximum(saves - saved, 0) @ drift / total
        gains[[*given, *(frame for frame, _ in chosen)]] = -1.0
        best = int(gains.argmax())
        chosen.append((best, float(gains[best])))
        saved = np.maximum(saved, saves[best])
    return chosen
