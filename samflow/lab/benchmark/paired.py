"""How sure a difference between two strategies is: a paired bootstrap over clips."""

import numpy as np
import pandas as pd

_DRAWS = 10_000


def paired_differences(matrix: pd.DataFrame, name: str, level: float = 0.95) -> pd.DataFrame:
    """Compare one strategy with all others, clip by clip.

    Parameters
    ----------
    matrix : pandas.DataFrame
        Mean J of each clip (rows) and strategy (columns).
    name : str
        The strategy; one of the columns.
    level : float
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row for each other strategy: `strategy`, `difference` (mean over clips of J of `name`
        minus J of the other), `low` and `high` (bounds of the interval), `clips_ahead` (on how many
        clips `name` has the higher J).

    Notes
    -----
    Percentile bootstrap of the mean of paired differences: clips are drawn with replacement 10,000
    times from a fixed seed (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter
    13). It says how far the difference depends on which clips there are, not on how they are made.

    Examples
    --------
    >>> table = paired_differences(pd.DataFrame({"a": [0.9, 0.8], "b": [0.8, 0.7]}), "a")
    >>> table[["difference", "low", "high"]].round(3).values.tolist()
    [[0.1, 0.1, 0.1]]
    """
    others = [other for other in matrix.columns if other != name]
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(matrix), (_DRAWS, len(matrix)))
    tail = 50 * (1 - level)
    rows = []
    for other in others:
        differences = (matrix[name] - matrix[other]).to_numpy()
        low, high = np.percentile(differences[draws].mean(axis=1), [tail, 100 - tail])
        rows.append(
            {
                "strategy": other,
                "difference": differences.mean(),
                "low": low,
                "high": high,
                "clips_ahead": int((differences > 0).sum()),
            }
        )
    return pd.DataFrame(rows)
