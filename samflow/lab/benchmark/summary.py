"""Results of all clips joined in tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from samflow.lab.benchmark.benchmark_clips import BenchmarkClip
from samflow.lab.benchmark.evaluation import (
    earliest_drift_start,
    lasting_drift_start,
    seconds_per_frame,
)
from samflow.results.metrics import summarise_scores
from samflow.runs import Run
from samflow.strategies import BASELINE_NAMES


@dataclass(frozen=True)
class Summary:
    """What a benchmark found.

    Attributes
    ----------
    folder : Path
        Where the benchmark is.
    clips : sequence of BenchmarkClip
        Those that were done, in order.
    table : pandas.DataFrame
        One row for each clip and strategy, see `summarise`.
    scores : pandas.DataFrame
        `clip`, `strategy`, `frame`, `region`, `J`, `F`.
    correlation, bands, lengths : pandas.DataFrame
        See `drift_correlation`, `join_bands` and `length_errors`.
    failures : mapping of str to str
        Clips that could not be done, and why.
    """

    folder: Path
    clips: Sequence[BenchmarkClip]
    table: pd.DataFrame
    scores: pd.DataFrame
    correlation: pd.DataFrame
    bands: pd.DataFrame
    lengths: pd.DataFrame
    failures: Mapping[str, str]

    def run(self) -> Run:
        """One of the runs: all have the same models and strategies."""
        return Run(self.folder / "runs" / self.clips[0].name)

    def winners(self) -> pd.DataFrame:
        """Give the best by mean J on each clip.

        Columns `clip`, `winner`, `J`, `baseline_wins`, and the best strategy and the best baseline
        with their J: `strategy`, `strategy_J`, `baseline`, `baseline_J`; missing where the
        benchmark has none of the kind.
        """
        rows = []
        for clip, part in self.table.groupby("clip", sort=False):
            best = part.nlargest(1, "J").iloc[0]
            row: dict[str, Any] = {"clip": clip, "winner": best["strategy"], "J": best["J"]}
            row["baseline_wins"] = bool(best["baseline"])
            for kind, chosen in (("strategy", ~part["baseline"]), ("baseline", part["baseline"])):
                top = part[chosen].nlargest(1, "J")
                names, values = [*top["strategy"], None], [*top["J"], np.nan]
                row[kind], row[f"{kind}_J"] = names[0], values[0]
            rows.append(row)
        return pd.DataFrame(rows)


def summarise(folder: Path, clips: Sequence[BenchmarkClip], failures: Mapping[str, str]) -> Summary:
    """Read the results of some clips and join them; `failures` says why others are missing.

    Returns
    -------
    Summary
        Its `table` has `clip`, `strategy`, `baseline` (bool), `J`, `J_last_quarter`, `J_worst`, `F`
        (means over both dyes and all frames, see `samflow.results.metrics.summarise_scores`),
        `drift_start` (frame, from the truth, see `lasting_drift_start`; missing when there is no
        drift), `drift_start_without_truth` (frame, from `samflow.results.metrics.drift_start` among
        all strategies of the run), `seconds_per_frame` and `own_seconds_per_frame` (see
        `seconds_per_frame`).
    """
    scores, drift, bands, sizes = (
        [
            pd.read_csv(folder / "results" / clip.name / f"{kind}.csv").assign(clip=clip.name)
            for clip in clips
        ]
        for kind in ("scores", "drift", "bands", "sizes")
    )
    rows: list[dict[str, Any]] = []
    for clip, scored, drifted in zip(clips, scores, drift, strict=True):
        rows += _rows(clip.name, Run(folder / "runs" / clip.name), scored, drifted)
    starts = dict.fromkeys(("drift_start", "drift_start_without_truth"), "Int64")
    joined = pd.concat(scores, ignore_index=True)
    return Summary(
        folder=folder,
        clips=clips,
        table=pd.DataFrame(rows).astype(starts),
        scores=joined,
        correlation=drift_correlation(pd.concat(drift, ignore_index=True), joined),
        bands=join_bands(bands),
        lengths=length_errors(pd.concat(sizes, ignore_index=True)),
        failures=failures,
    )


def _rows(
    clip: str, run: Run, scores: pd.DataFrame, drift: pd.DataFrame
) -> Iterable[dict[str, Any]]:
    starts = earliest_drift_start(drift[drift["group"] == "all"])
    seconds = seconds_per_frame(run)
    for name in run.strategies:
        part = scores[scores["strategy"] == name]
        means = summarise_scores(part).set_index("region").loc["all"]
        yield {
            "clip": clip,
            "strategy": name,
            "baseline": name in BASELINE_NAMES,
            "J": means["J_mean"],
            "J_last_quarter": means["J_last_quarter"],
            "J_worst": means["J_worst"],
            "F": means["F_mean"],
            "drift_start": lasting_drift_start(part),
            "drift_start_without_truth": starts[name],
            "seconds_per_frame": seconds.loc[name, "seconds"],
            "own_seconds_per_frame": seconds.loc[name, "own_seconds"],
        }


def drift_correlation(drift: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rank correlation of the drift score without truth with the true loss 1 - J.

    One row for each group: `group`, `overall` (over all values of all clips), `within_clip` and
    `within_series` (median over clips, and over single strategies and regions of a clip; those
    where either is constant don't count), `values` (how many). First frames are left out: the
    score knows no change there.
    """
    keys = ["clip", "strategy", "region", "frame"]
    joined = drift.merge(scores[[*keys, "J"]], on=keys)
    joined = joined[joined["frame"] > 0].assign(loss=lambda t: 1 - t["J"])
    rows = []
    for group, part in joined.groupby("group", sort=False):
        rows.append(
            {
                "group": group,
                "overall": _spearman(part),
                "within_clip": _median_spearman(part, ["clip"]),
                "within_series": _median_spearman(part, ["clip", "strategy", "region"]),
                "values": len(part),
            }
        )
    return pd.DataFrame(rows)


def _spearman(table: pd.DataFrame) -> float:
    if table["drift"].nunique() < 2 or table["loss"].nunique() < 2:
        return float("nan")
    return float(table["drift"].corr(table["loss"], method="spearman"))


def _median_spearman(table: pd.DataFrame, keys: list[str]) -> float:
    values = [_spearman(part) for _, part in table.groupby(keys)]
    known = [value for value in values if not np.isnan(value)]
    return float(np.median(known)) if known else float("nan")


def join_bands(bands: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Share of frames of all clips on which a band around the strategies holds the true value.

    One row for each group, band and quantity: `coverage` and `relative_width` (band over true
    value), means weighted by frames, `lowest_clip` and `lowest_coverage` (the clip with the lowest
    coverage), `frames` (frames times regions looked at).
    """
    table = pd.concat(bands, ignore_index=True)
    rows = []
    kinds = ["group", "band", "quantity"]
    for (group, band, quantity), part in table.groupby(kinds, sort=False):
        by_clip = part.groupby("clip", sort=False).apply(_weighted, "coverage")
        rows.append(
            {
                "group": group,
                "band": band,
                "quantity": quantity,
                "coverage": _weighted(part, "coverage"),
                "relative_width": _weighted(part, "relative_width"),
                "lowest_clip": by_clip.idxmin(),
                "lowest_coverage": by_clip.min(),
                "frames": int(part["frames"].sum()),
            }
        )
    return pd.DataFrame(rows)


def length_errors(sizes: pd.DataFrame) -> pd.DataFrame:
    """Interface lengths against the true ones at the same scale.

    Parameters
    ----------
    sizes : pandas.DataFrame
        `clip`, `strategy` (one of them "truth"), `frame`, `region`, `interface_scale_px`,
        `interface_length_px`.

    Returns
    -------
    pandas.DataFrame
        One row for each strategy: `strategy`, `within_10_percent` (share of frames and regions
        whose length is within 10 % of the true one), `median_ratio` (of the length to the true
        one), `lowest_clip` and `lowest_within` (the clip with the lowest share),
        `smallest_scale_px` and `largest_scale_px` over the clips, `frames` (frames times regions).
        Where the truth has no interface at that scale, the frame does not count.
    """
    keys = ["clip", "frame", "region"]
    length = "interface_length_px"
    true = sizes[sizes["strategy"] == "truth"][[*keys, length]]
    joined = sizes[sizes["strategy"] != "truth"].merge(true, on=keys, suffixes=("", "_true"))
    joined = joined[joined[f"{length}_true"] > 0]
    joined["ratio"] = joined[length] / joined[f"{length}_true"]
    joined["within"] = (joined["ratio"] - 1).abs() <= 0.1
    rows = []
    for strategy, part in joined.groupby("strategy", sort=False):
        by_clip = part.groupby("clip", sort=False)["within"].mean()
        rows.append(
            {
                "strategy": strategy,
                "within_10_percent": part["within"].mean(),
                "median_ratio": part["ratio"].median(),
                "lowest_clip": by_clip.idxmin(),
                "lowest_within": by_clip.min(),
                "smallest_scale_px": part["interface_scale_px"].min(),
                "largest_scale_px": part["interface_scale_px"].max(),
                "frames": len(part),
            }
        )
    return pd.DataFrame(rows)


def _weighted(part: pd.DataFrame, column: str) -> float:
    return float(np.average(part[column], weights=part["frames"]))
