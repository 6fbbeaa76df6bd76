"""The page: what is on it, and writing it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from samflow.files import write_text
from samflow.results.measures import Measures, spread
from samflow.results.measures.trust import scale_sentence
from samflow.results.report.media import png_uri, sheet_uri, video_uri
from samflow.results.report.numbers import percent, significant
from samflow.results.report.page_tables import (
    clip_table,
    drift_table,
    frames_table,
    score_table,
    spread_table,
)
from samflow.results.scoring import read_scores
from samflow.runs import Run
from samflow.video import Video

_PLOTS = ("measures", "spread", "profiles", "lengths", "box_counts", "drift", "scores")


@dataclass(frozen=True)
class Drift:
    """Signs of drift without truth: `scores` and `starts` of `samflow.results.metrics`.

    Drift starts where the score stays above `threshold` for `hold` frames in a row.
    """

    scores: pd.DataFrame
    starts: pd.DataFrame
    threshold: float
    hold: int


def write_report(
    run: Run,
    measures: Mapping[str, Measures],
    drift: Drift,
    clip: Video,
    max_mb: float = 8.0,
) -> Path:
    """Write `report.html` in a run's folder: one page that needs no other file and no network.

    Parameters
    ----------
    run : Run
        Measured: its `plots/` are on the page, and its scores when it has a `scores.csv`.
    measures : mapping of strategy name to Measures
    drift : Drift
    clip : Video
        The frames of the run.
    max_mb : float
        The comparison video is embedded up to this size in MB (10^6 bytes); of a larger one a
        smaller preview.

    Returns
    -------
    Path
        The file. Equal runs give equal bytes.

    Raises
    ------
    SamflowError
        When `scores.csv` is no table of scores, or the page can't be written.
    """
    times = dict(enumerate((clip.timestamps - clip.timestamps[0]).tolist()))
    names = {region.id: region.name for region in run.result_regions}
    scores = read_scores(run)
    frames = {name: measured.frames for name, measured in measures.items()}
    band = spread(frames) if len(frames) > 1 else None
    plots = {name: run.folder / "plots" / f"{name}.png" for name in _PLOTS}
    page = _template().render(
        run=run.record,
        name=run.folder.resolve().name,
        duration=times[len(times) - 1],
        mm_per_px=next(iter(frames.values())).attrs["mm_per_px"],
        video=video_uri(run.folder / "comparison.mp4", max_mb),
        sheet=sheet_uri(run, clip),
        plots={name: png_uri(path) for name, path in plots.items() if path.is_file()},
        glance=_glance(frames, drift, scores, times, names),
        scale=scale_sentence(next(iter(frames.values())).attrs),
        frames_table=frames_table(measures, names),
        clip_table=clip_table(measures, names),
        spread_table=None if band is None else spread_table(band, names),
        drift=drift,
        drift_table=drift_table(drift.starts, times, names),
        score_table=None if scores is None else score_table(scores, names),
        options=next(iter(measures.values())).frames.attrs["options"],
    )
    path = run.folder / "report.html"
    write_text(path, page)
    return path


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("samflow.results.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["significant"] = significant
    return environment.get_template("page.html")


def _glance(
    frames: Mapping[str, pd.DataFrame],
    drift: Drift,
    scores: pd.DataFrame | None,
    times: Mapping[int, float],
    names: Mapping[int, str],
) -> list[str]:
    """Sentences that say the most important results."""
    sentences = []
    for region, name in names.items():
        shares = pd.Series(
            {
                strategy: table.loc[table["region"] == region, "area_fraction"].mean()
                for strategy, table in frames.items()
            }
        )
        text = f"{name}: {percent(shares.median())} of the frame"
        if shares.min() < shares.max():
            text += (
                f"; by strategy from {percent(shares.min())} ({shares.idxmin()}) to "
                f"{percent(shares.max())} ({shares.idxmax()})"
            )
        sentences.append(text + ".")
    sentences.append(_drift_sentence(drift, times, names))
    if scores is not None:
        means = scores.groupby(["strategy", "region"])["J"].mean().groupby("strategy").mean()
        sentences.append(
            f"Against the truth {means.idxmax()} is best, with a mean J of {means.max():.3f}."
        )
    return sentences


def _drift_sentence(drift: Drift, times: Mapping[int, float], names: Mapping[int, str]) -> str:
    begun = drift.starts.dropna(subset=["start"]).sort_values("start")
    total = len(drift.starts)
    if begun.empty:
        return f"No drift is seen in any of the {total} series (strategy and region)."
    first = begun.iloc[0]
    frame = int(first["start"])
    return (
        f"Drift is seen in {len(begun)} of {total} series (strategy and region), first in "
        f"{first['strategy']}, {names[int(first['region'])]}, from frame {frame} "
        f"({times[frame]:.2f} s) on: look at the video from there."
    )
