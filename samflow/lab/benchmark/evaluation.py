"""One run against its clip's truth: scores, drift with and without truth, bands, times."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from samflow.files import replace_folder
from samflow.maskio import Track
from samflow.results.csv_tables import write_table
from samflow.results.measures import (
    band_coverage,
    interface_contours,
    interface_length,
)
from samflow.results.measures import spread as spread_of
from samflow.results.metrics import drift_scores, drift_signs, drift_start
from samflow.results.scale_finding import find_trusted_scale
from samflow.results.scoring import score
from samflow.runs import Run
from samflow.strategies import STRATEGY_NAMES, strategy_entry

# A loss of J that is drift, and for how many frames at the clip's end it must last
_DROP, _HOLD = 0.1, 3
# Contours are slow to follow: the bands look at every fifth frame
_BAND_STEP = 5
_TRUTH = "truth"
_MEASURED = ("area_px2", "interface_length_px")


def evaluate(run: Run, truth: Track, folder: Path) -> None:
    """Judge a finished run against its clip's truth; the folder appears complete or not at all.

    In it are `scores.csv` (J and F of each strategy, region and frame), `drift.csv` (drift scores
    without truth, in the group of all strategies and in that of SAM and XMem), `sizes.csv` (area
    and interface length of each strategy and of the truth, at the scale that the masks say can be
    trusted, on every fifth frame) and `bands.csv` (how often a band around the strategies holds
    the true value).
    """
    groups = strategy_groups(run.strategies)
    ids = [region.id for region in run.result_regions]
    score(run, truth)
    tracks = {name: run.finished_track(name) for name in run.strategies}
    scale = find_trusted_scale(tracks, run.clip(), ids).scale_px
    sizes = {name: _sizes(track, ids, scale) for name, track in (tracks | {_TRUTH: truth}).items()}
    with replace_folder(folder) as part:
        (part / "scores.csv").write_bytes((run.folder / "scores.csv").read_bytes())
        write_table(_drift(run, groups), part / "drift.csv")
        joined = pd.concat([table.assign(strategy=name) for name, table in sizes.items()])
        write_table(joined, part / "sizes.csv", ("strategy", "frame", "region"))
        write_table(_bands(sizes, groups), part / "bands.csv")


def strategy_groups(names: Sequence[str]) -> dict[str, list[str]]:
    """Groups whose members are compared with each other: all, and those with networks alone.

    Examples
    --------
    >>> strategy_groups(["xmem", "sam", "flow"])
    {'all': ['xmem', 'sam', 'flow'], 'SAM and XMem': ['xmem', 'sam']}
    """
    groups = {"all": list(names)}
    networks = [name for name in names if name in STRATEGY_NAMES]
    if networks and networks != groups["all"]:
        groups["SAM and XMem"] = networks
    return groups


def lasting_drift_start(scores: pd.DataFrame) -> int | None:
    """Find the frame from which J stays lost: 0.1 below its value on the first frame, to the end.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns `frame`, `region` and `J` of one strategy.

    Returns
    -------
    int or None
        The first frame from which the mean J over regions is below the first frame's by more than
        0.1 on every frame that follows; None when there is none, or when fewer than three frames
        are left there.

    Examples
    --------
    >>> scores = pd.DataFrame({"frame": range(7), "region": 1,
    ...                        "J": [0.9, 0.7, 0.85, 0.79, 0.7, 0.75, 0.6]})
    >>> lasting_drift_start(scores)
    3
    """
    mean = scores.groupby("frame")["J"].mean().sort_index()
    lost = (mean < mean.iloc[0] - _DROP).to_numpy()
    kept = np.flatnonzero(~lost)
    start = int(kept[-1]) + 1 if len(kept) else 0
    return int(mean.index[start]) if len(lost) - start >= _HOLD else None


def earliest_drift_start(drift: pd.DataFrame) -> pd.Series:
    """Frame where drift starts without truth: each strategy's earliest region, missing for none."""
    return drift_start(drift).groupby("strategy", sort=False)["start"].min()


def seconds_per_frame(run: Run) -> pd.DataFrame:
    """What a frame costs each strategy: `own_seconds` and `seconds`, indexed by strategy.

    `own_seconds` are those of the strategy's own stage in `run.json`; `seconds` have the stages
    that it needs and shares with others: `sam encode` for those that use SAM on every frame,
    that of the tracker for those that refine one. The first frame, decoding and writing are left
    out.
    """
    spent, frames = run.record.seconds, run.record.video.frames
    steps = frames - 1
    rows = []
    for name in run.strategies:
        own = spent.get(name, 0.0) / steps
        entry = strategy_entry(name)
        shared = spent.get("sam encode", 0.0) / frames if "sam" in entry.needs else 0.0
        if entry.source is not None:
            shared += spent.get(entry.source, 0.0) / steps
        rows.append({"own_seconds": own, "seconds": own + shared})
    return pd.DataFrame(rows, index=pd.Index(run.strategies, name="strategy"))


def _drift(run: Run, groups: Mapping[str, list[str]]) -> pd.DataFrame:
    ids = [region.id for region in run.result_regions]
    tables = []
    for group, names in groups.items():
        tracks = {name: run.finished_track(name) for name in names}
        scores = drift_scores(drift_signs(tracks, run.clip(), ids))
        columns = ["frame", "strategy", "region", "drift"]
        tables.append(scores[columns].assign(group=group))
    return pd.concat(tables, ignore_index=True)


def _bands(sizes: Mapping[str, pd.DataFrame], groups: Mapping[str, list[str]]) -> pd.DataFrame:
    """Coverage of both bands for each group with two strategies or more."""
    columns = ["group", "band", "quantity", "region", "coverage", "relative_width", "frames"]
    parts = [pd.DataFrame(columns=columns)]
    for group, names in groups.items():
        if len(names) > 1:
            band = spread_of({name: sizes[name] for name in names})
            for kind, likely in (("between strategies", False), ("likely", True)):
                held = band_coverage(band, sizes[_TRUTH], likely=likely)
                parts.append(held.assign(group=group, band=kind))
    table = pd.concat(parts, ignore_index=True)[columns]
    return table[table["quantity"].isin(_MEASURED)]


def _sizes(track: Track, ids: Sequence[int], scale_px: float) -> pd.DataFrame:
    """Area and interface length of each region on every fifth frame."""
    rows = []
    for frame in range(0, len(track), _BAND_STEP):
        labels = track[frame]
        for region in ids:
            mask = labels == region
            length = interface_length(interface_contours(mask, scale_px))
            row = {"frame": frame, "time_s": float(frame), "region": region}
            row |= {"area_px2": float(mask.sum()), "interface_scale_px": scale_px}
            rows.append(row | {"interface_length_px": length})
    return pd.DataFrame(rows)
