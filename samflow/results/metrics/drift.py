"""One drift score for each strategy, region and frame, and the frame where drift starts."""

import numpy as np
import pandas as pd

from samflow.errors import SamflowError

# How much each sign counts: round figures, chosen on seeded validation clips
_WEIGHTS = {
    "disagreement": 0.45,
    "color_misfit": 0.3,
    "first_color_misfit": 0.15,
    "area_break": 0.1,
}
# Above this for so many frames in a row, drift has started: on validation clips every mask above it
# had J < 0.75, and two thirds of those with J < 0.7 were above it.
DRIFT_THRESHOLD, DRIFT_HOLD = 0.2, 3
_COLUMNS = (
    "frame",
    "strategy",
    "region",
    "agreement",
    "color_fit",
    "first_color_fit",
    "area_jump",
    "area_change",
)


def drift_scores(signs: pd.DataFrame) -> pd.DataFrame:
    """Turn the signs of drift into one score: 0 for a track to trust, towards 1 for a lost one.

    Parameters
    ----------
    signs : pandas.DataFrame
        What `drift_signs` returns.

    Returns
    -------
    pandas.DataFrame
        The same rows with four signs, each in [0, 1], and their weighted mean `drift`:

        `disagreement` (0.45) : 1 - agreement.
        `color_misfit` (0.3) : 1 - color_fit.
        `first_color_misfit` (0.15) : 1 - first_color_fit.
        `area_break` (0.1) : 1 - exp(-a), a being |area_jump| plus how far `area_change` is from
            the median over strategies (from 0 with a single one).

        A sign that is unknown (agreement of a single strategy, colours of a region that is gone)
        leaves its weight to the others.

    Raises
    ------
    SamflowError
        When the table is empty or lacks a column.

    Notes
    -----
    On 11 synthetic validation clips (every eighth frame of 60, 480 x 270 px, two dyes, demo
    weights) its rank correlation with 1 - J is 0.87 among XMem, SAM, SAM refining XMem, and that
    sharpened along the colours, all clips together; 0.89 for disagreement alone, 0.8 for its own
    colours alone, which a single strategy has. Within a clip it is 0.8 on average, and 0.4 where
    the wall has the dye's colour.

    All signs are absolute, so that scores of different clips can be compared. The score ranks; it
    is no estimate of J. It can't see an error that all strategies share, that follows a colour
    edge and that was there on the first frame, and it takes a region whose colour is that of its
    neighbour for a worse one than it is.
    """
    missing = [column for column in _COLUMNS if column not in signs.columns]
    if missing or signs.empty:
        raise SamflowError(
            f"the table of signs has {len(signs)} rows and lacks the columns {missing}: "
            "pass what drift_signs returns."
        )
    table = signs.copy()
    apart = table["area_change"]
    if table["strategy"].nunique() > 1:
        across = table.groupby(["frame", "region"], sort=False)["area_change"]
        apart = apart - across.transform("median")
    # two infinite changes, both from nothing, are equal
    apart = apart.abs().fillna(0.0)
    jump = table["area_jump"].abs().fillna(0.0)
    table["color_misfit"] = 1 - table["color_fit"]
    table["disagreement"] = 1 - table["agreement"]
    table["first_color_misfit"] = 1 - table["first_color_fit"]
    table["area_break"] = 1 - np.exp(-(apart + jump))
    weights = pd.Series(_WEIGHTS)
    terms = table[list(_WEIGHTS)]
    table["drift"] = (terms * weights).sum(axis=1) / (terms.notna() * weights).sum(axis=1)
    return table


def drift_start(
    scores: pd.DataFrame, threshold: float = DRIFT_THRESHOLD, hold: int = DRIFT_HOLD
) -> pd.DataFrame:
    """Find the frame where each strategy's region starts to drift.

    Parameters
    ----------
    scores : pandas.DataFrame
        What `drift_scores` returns.
    threshold : float
        Drift above this counts, in [0, 1].
    hold : int
        For how many frames in a row it must stay above, so that one bad frame is no drift.

    Returns
    -------
    pandas.DataFrame
        One row for each strategy and region: `strategy`, `region`, `start` (the first of the
        frames in a row; missing when there is no drift), `mean_drift`, `worst_frame`.

    Raises
    ------
    SamflowError
        When the table is empty or lacks a column, or the threshold is not in (0, 1).

    Examples
    --------
    >>> scores = pd.DataFrame({"frame": range(6), "strategy": "sam", "region": 1,
    ...                        "drift": [0.1, 0.6, 0.1, 0.5, 0.6, 0.7]})
    >>> drift_start(scores)[["strategy", "region", "start", "worst_frame"]].values.tolist()
    [['sam', 1, 3, 5]]
    """
    missing = {"frame", "strategy", "region", "drift"} - set(scores.columns)
    if missing or scores.empty:
        raise SamflowError(
            f"the table of drift has {len(scores)} rows and lacks the columns {sorted(missing)}: "
            "pass what drift_scores returns."
        )
    if not 0 < threshold < 1 or hold < 1:
        raise SamflowError(
            f"drift starts above {threshold} for {hold} frames, expected a threshold between 0 "
            "and 1 and at least one frame."
        )
    rows = []
    for (strategy, region), part in scores.groupby(["strategy", "region"], sort=False):
        part = part.sort_values("frame")
        frames, drift = part["frame"].to_numpy(), part["drift"].to_numpy()
        above = (drift > threshold).astype(int)
        runs = np.convolve(above, np.ones(hold, int))[hold - 1 :] == hold
        starts = frames[runs]
        rows.append(
            {
                "strategy": strategy,
                "region": region,
                "start": int(starts[0]) if len(starts) else None,
                "mean_drift": float(drift.mean()),
                "worst_frame": int(frames[drift.argmax()]),
            }
        )
    return pd.DataFrame(rows).astype({"start": "Int64"})
