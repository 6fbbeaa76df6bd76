"""Flow quantities of a run: tables of every strategy, CSV, plots."""

from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from samflow.errors import SamflowError
from samflow.files import atomic_path
from samflow.measure import Measures, measure_track, spread
from samflow.plots import plot_box_counts, plot_measures, plot_profiles, plot_spread
from samflow.record import Run

__all__ = ["measure_run"]


def measure_run(
    run: Run, mm_per_px: float | None = None, video_path: str | Path | None = None
) -> dict[str, Measures]:
    """Measure every strategy of a run; writes `measures.csv` and plots in its folder.

    Parameters
    ----------
    run : Run
        With all its frames done.
    mm_per_px : float, optional
        The scale, the same across the picture; without it lengths are in pixels.
    video_path : str or Path, optional
        The video, when it is no longer where the run found it: the times of the frames come
        from it.

    Returns
    -------
    dict of str to Measures
        The tables of each strategy, see `samflow.measure`.

    Raises
    ------
    SamflowError
        When the run lacks frames or has only one, all its regions are background, the scale is
        not above 0, or the video is not there.

    Notes
    -----
    `measures.csv` has one row for each strategy, frame and region: `strategy`, `frame`, `time_s`
    (seconds since the run's first frame, from the video's own timestamps), `region`, then the
    quantities with their units in the column names; an empty cell is a quantity that has no
    value there. In `plots/`: `measures.png` (each strategy over time), `spread.png` (their median
    and the band from the lowest to the highest, with two strategies or more), `profiles.png`
    (intermittency over height) and `box_counts.png`.
    """
    ids = [region.id for region in run.result_regions]
    if not ids:
        raise SamflowError(f"all regions of {run.folder} are background: nothing to measure.")
    tracks = {name: run.finished_track(name) for name in run.strategies}
    timestamps = run.clip(video_path).timestamps
    times = timestamps - timestamps[0]
    measures = {}
    for name, track in tracks.items():
        with tqdm(track, unit="frame", desc=f"measure {name}") as shown:
            measures[name] = measure_track(shown, ids, times, mm_per_px=mm_per_px)
    _write_table(measures, run.folder / "measures.csv")
    _draw(measures, run)
    return measures


def _write_table(measures: dict[str, Measures], path: Path) -> None:
    tables = [measured.frames.assign(strategy=name) for name, measured in measures.items()]
    keys = ["strategy", "frame", "time_s", "region"]
    whole = pd.concat(tables, ignore_index=True)
    whole = whole[[*keys, *(column for column in whole.columns if column not in keys)]]
    with atomic_path(path) as part:
        whole.to_csv(part, index=False, float_format="%.9g", lineterminator="\n")


def _draw(measures: dict[str, Measures], run: Run) -> None:
    folder = run.folder / "plots"
    names = {region.id: region.name for region in run.result_regions}
    frames = {name: measured.frames for name, measured in measures.items()}
    profiles = {name: measured.profiles for name, measured in measures.items()}
    counts = {name: measured.box_counts for name, measured in measures.items()}
    plot_measures(frames, folder / "measures.png", names=names)
    plot_profiles(profiles, folder / "profiles.png", names=names)
    plot_box_counts(counts, folder / "box_counts.png", names=names)
    if len(frames) > 1:
        plot_spread(spread(frames), folder / "spread.png", names=names)
    else:
        (folder / "spread.png").unlink(missing_ok=True)
