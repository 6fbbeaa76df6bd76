"""One drift score for each strategy, region and frame, and the frame where drift starts."""

import numpy as np
import pandas as pd

from samflow.errors import SamflowError

# How much each sign counts: chosen by hand after non-negative least-squares fits of 1 - J on seeded
# dye clips that are not held out. The fits favour disagreement; the others count for more here,
# because strategies that share a network agree on their mistakes.
_WEIGHTS = {
    "disagreement": 0.4,
    "separation_loss": 0.25,
    "color_loss": 0.15,
    "area_break": 0.1,
    "unsteadiness": 0.1,
}
# changes below these are noise of masks and pictures
_MASK_NOISE, _IMAGE_NOISE = 0.005, 0.02
_COLUMNS = (
    "frame",
    "strategy",
    "region",
    "agreement",
    "stability",
    "image_change",
    "area_jump",
    "area_change",
    "separation",
    "color_shift",
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
        The same rows with five signs, each in [0, 1], and their weighted mean `drift`:

        `disagreement` (0.4) : 1 - agreement.
        `separation_loss` (0.25) : 1 - separation / separation on the first frame, not below 0.
        `color_loss` (0.15) : `color_shift`, at most 1.
        `area_break` (0.1) : 1 - exp(-a), a being |area_jump| plus how far `area_change` is from
            the median over strategies (from 0 with a single one).
        `unsteadiness` (0.1) : 1 - exp(-u), u being how far the change of the mask in terms of the
            change of the picture, log((1 - stability) / image_change), is from the median over
            strategies (over frames with a single one). A mask that stands still while the dye
            moves counts as much as one that flickers.

        A sign that is unknown (the first frame, a single strategy, a region that is gone) leaves
        its weight to the others. A region that is gone on a frame has no colour; `area_break` and
        `disagreement` then decide.

    Raises
    ------
    SamflowError
        When the table is empty or lacks a column.

    Notes
    -----
    On 20 held-out synthetic clips (30 frames of 320 x 180 px, two dyes, without the first frame)
    its rank correlation with 1 - J, over all strategies, regions and frames, is 0.86 for five
    tracks (XMem with the demo weights, nearest colour, optical flow carrying the first mask, that
    with one dye invading the other, the first mask copied), 0.85 for the first three of them,
    and 0.71 for XMem alone. Within one series of frames of XMem alone it is only 0.25 (median):
    with a single strategy the score tells good clips from bad ones rather than frames.

    The score ranks; it is no estimate of J. It can't see an error that all strategies share, that
    follows a colour edge and that was there on the first frame.
    """
    missing = [column for column in _COLUMNS if column not in signs.columns]
    if missing or signs.empty:
        raise SamflowError(
            f"the table of signs has {len(signs)} rows and lacks the columns {missing}: "
            "pass what drift_signs returns."
        )
    table = signs.copy()
    series = table.groupby(["strategy", "region"], sort=False)
    single = table["strategy"].nunique() == 1
    mask_change = 1 - table["stability"] + _MASK_NOISE
    table["_pace"] = np.log(mask_change / (table["image_change"] + _IMAGE_NOISE))
    across = table.groupby(["frame", "region"], sort=False)
    pace = (series if single else across)["_pace"].transform("median")
    expected = 0.0 if single else across["area_change"].transform("median")
    # two infinite changes, both from nothing, are equal
    apart = (table["area_change"] - expected).abs().fillna(0.0)
    jump = table["area_jump"].abs().fillna(0.0)
    table["disagreement"] = 1 - table["agreement"]
    first = series["separation"].transform("first")
    table["separation_loss"] = (1 - table["separation"] / first).clip(0, 1)
    table["color_loss"] = table["color_shift"].clip(0, 1)
    table["area_break"] = 1 - np.exp(-(apart + jump))
    table["unsteadiness"] = 1 - np.exp(-(table["_pace"] - pace).abs())
    weights = pd.Series(_WEIGHTS)
    terms = table[list(_WEIGHTS)]
    table["drift"] = (terms * weights).sum(axis=1) / (terms.notna() * weights).sum(axis=1)
    return table.drop(columns="_pace")


def drift_start(scores: pd.DataFrame, threshold: float = 0.35, hold: int = 3) -> pd.DataFrame:
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
