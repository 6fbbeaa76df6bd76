"""Flow quantities of a run: tables of every strategy, drift, plots, and a page with all of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from samflow.errors import SamflowError
from samflow.maskio import Track
from samflow.results.csv_tables import write_table
from samflow.results.measures import MeasureOptions, Measures, measure_track, spread
from samflow.results.measures.units import length_unit
from samflow.results.metrics import drift_scores, drift_signs, drift_start
from samflow.results.metrics.drift import DRIFT_HOLD, DRIFT_THRESHOLD
from samflow.results.plots import (
    plot_box_counts,
    plot_drift,
    plot_lengths,
    plot_measures,
    plot_profiles,
    plot_spread,
    save_figure,
    with_note,
)
from samflow.results.report import Drift, write_report
from samflow.results.scale_finding import find_trusted_scale
from samflow.results.scoring import read_scores
from samflow.runs import Run
from samflow.video import Video


def measure(
    run: Run,
    mm_per_px: float | None = None,
    video_path: str | Path | None = None,
    *,
    scale_px: float | None = None,
) -> dict[str, Measures]:
    """Measure every strategy of a run; writes tables, plots and a page about it in its folder.

    Parameters
    ----------
    run : Run
        With all its frames done.
    mm_per_px : float, optional
        The scale, the same across the frame; by default the run's prompts' (a ruler drawn in the
        prompt widget gives it), and without any lengths are in pixels.
    video_path : str or Path, optional
        The video, when it is no longer where the run found it: the times of the frames come
        from it.
    scale_px : float, optional
        The scale that interfaces are measured at, in pixels, so that runs can be compared. By
        default the smallest one from which on the strategies and their colour-sharpened masks
        agree, see `samflow.results.scale_finding`.

    Returns
    -------
    dict of str to Measures
        The tables of each strategy, see `samflow.results.measures`; their `attrs` also hold
        `trusted_scale_px` and `scale_agreed`, see `samflow.results.measures.TrustedScale`.

    Raises
    ------
    SamflowError
        When the run lacks frames or has only one, all its regions are background, its label maps
        have another size than its frames, the scale is not above 0, the video is not there, or
        `scores.csv` is no table of scores. Nothing is written then.

    Notes
    -----
    Interface lengths, densities and dimensions are those at the scale; it stands in the column
    `interface_scale` beside them.

    `measures.csv` has one row for each strategy, frame and region: `strategy`, `frame`, `time_s`
    (seconds since the run's first frame, from the video's own timestamps), `region`, then the
    quantities with their units in the column names; an empty cell is a quantity that has no
    value there. `drift.csv` has the rows of `samflow.results.metrics.drift_scores`. In `plots/`:
    `measures.png` (each strategy over time), `spread.png` (their median, the band from the
    lowest to the highest, and the likely band, with two strategies or more), `profiles.png`
    (intermittency over height), `lengths.png` (Richardson: interface length over scale),
    `box_counts.png` and `drift.png`. `report.html` holds all of it in one file, with the scores
    when the run has a `scores.csv`; see `samflow.results.report`.
    """
    mm_per_px = run.record.prompts.mm_per_px if mm_per_px is None else mm_per_px
    length_unit(mm_per_px)  # refuses a wrong scale before anything is read
    ids = [region.id for region in run.result_regions]
    if not ids:
        raise SamflowError(f"all regions of {run.folder} are background: nothing to measure.")
    read_scores(run)  # refuses a damaged file before anything is written
    if scale_px is not None:
        MeasureOptions(scale_px=scale_px)  # likewise
        shorter = min(run.record.video.width, run.record.video.height)
        if scale_px >= shorter:
            raise SamflowError(
                f"the scale of interfaces is {scale_px:g} px, the frames' shorter side {shorter} "
                "px: expected the width of the thinnest thread that still counts."
            )
    tracks = {name: run.finished_track(name) for name in run.strategies}
    clip = run.clip(video_path)
    trusted = find_trusted_scale(tracks, clip, ids)
    options = MeasureOptions(scale_px=trusted.scale_px if scale_px is None else scale_px)
    times = clip.timestamps - clip.timestamps[0]
    measures = {}
    for name, track in tracks.items():
        with tqdm(track, unit="frame", desc=f"measure {name}") as shown:
            measured = measure_track(shown, ids, times, mm_per_px=mm_per_px, options=options)
        for table in vars(measured).values():
            table.attrs |= {"trusted_scale_px": trusted.scale_px, "scale_agreed": trusted.agreed}
        measures[name] = measured
    drift = _find_drift(tracks, clip, ids)
    keys = ("strategy", "frame", "time_s", "region")
    whole = pd.concat([m.frames.assign(strategy=name) for name, m in measures.items()])
    write_table(whole, run.folder / "measures.csv", keys)
    timed = drift.scores.assign(time_s=drift.scores["frame"].map(dict(enumerate(times))))
    write_table(timed, run.folder / "drift.csv", keys)
    _draw(measures, drift, run)
    write_report(run, measures, drift, clip)
    return measures


def _find_drift(tracks: Mapping[str, Track], clip: Video, ids: list[int]) -> Drift:
    with tqdm(total=len(clip), unit="frame", desc="drift") as bar:

        def counted() -> Iterator[np.ndarray]:
            # counted when they are given: nobody asks for more after the last one
            for image in clip:
                bar.update()
                yield image

        scores = drift_scores(drift_signs(tracks, counted(), ids))
    return Drift(scores, drift_start(scores), DRIFT_THRESHOLD, DRIFT_HOLD)


def _draw(measures: dict[str, Measures], drift: Drift, run: Run) -> None:
    names = {region.id: region.name for region in run.result_regions}
    frames = {name: measured.frames for name, measured in measures.items()}
    figures = {
        "measures": plot_measures(frames, names=names),
        "profiles": plot_profiles({n: m.profiles for n, m in measures.items()}, names=names),
        "lengths": plot_lengths({n: m.lengths for n, m in measures.items()}, names=names),
        "box_counts": plot_box_counts({n: m.box_counts for n, m in measures.items()}, names=names),
        "drift": plot_drift(
            drift.scores, starts=drift.starts, threshold=drift.threshold, names=names
        ),
    }
    if len(frames) > 1:
        figures["spread"] = plot_spread(spread(frames), names=names)
    else:
        (run.folder / "plots" / "spread.png").unlink(missing_ok=True)
    for name, figure in figures.items():
        save_figure(with_note(figure, run.record.note), run.folder / "plots" / f"{name}.png")
