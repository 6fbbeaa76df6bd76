"""How far strategies disagree on a quantity, and how far the truth may be: bands."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from samflow.errors import SamflowError
from samflow.results.measures.units import quantity_and_unit

_KEYS = ("frame", "time_s", "region")
# Half width of the likely band, in units of what is known without truth (see `spread`): so wide
# that it held the truth on 90 % of the frames of validation clips.
_AREA_FACTOR, _LENGTH_FACTOR = 0.4, 0.8
# what lengths at a trusted scale may differ by
_TOLERANCE = 0.1


def spread(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Give each quantity's median over strategies and the band from the lowest to the highest.

    Parameters
    ----------
    tables : mapping of strategy name to pandas.DataFrame
        `Measures.frames` of at least two strategies on the same clip, in the same units.

    Returns
    -------
    pandas.DataFrame
        Columns `frame`, `time_s`, `region`, `quantity` (a column name of the tables, unit
        included), `median`, `low`, `high`, `strategies` (the number of them whose value is known
        there), and `likely_low`, `likely_high`, the likely band of areas and interface lengths,
        missing for other quantities. Rows in order of quantity, frame, region; `attrs` as of the
        first table.

    Raises
    ------
    SamflowError
        With fewer than two tables, or when frames, regions, times or units differ.

    Notes
    -----
    The band from low to high says how much depends on the choice of the strategy. It is no
    confidence interval: strategies that share a network make the same mistakes, and then the truth
    lies outside. On clips with truth `band_coverage` tells how often a band holds it.

    The likely band is that or wider. Its half width, around the middle of low and high, is at least

    - for areas: CA (d + L s), d being half the distance from low to high, L the median interface
      length at the scale s: a strip of width s along the interface, where masks say nothing;
    - for interface lengths at the scale s: CL (d + 0.1 L).

    The factors CA = 0.4 and CL = 0.8 were calibrated as in split conformal prediction [1]_, on
    synthetic validation clips with the demo weights. How often it then holds the truth of clips
    that were not used, `samflow benchmark` tells. On other films and with other weights it is a
    reasoned guess, no probability. Shares and densities have the bands of areas and lengths.

    References
    ----------
    .. [1] J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani and L. Wasserman, "Distribution-free
       predictive inference for regression", J. Am. Stat. Assoc. 113 (2018), section 2.2.

    Examples
    --------
    >>> def table(area):
    ...     return pd.DataFrame({"frame": [0], "time_s": [0.0], "region": [1], "area_px2": [area]})
    >>> band = spread({"a": table(10.0), "b": table(14.0), "c": table(11.0)})
    >>> band[["quantity", "median", "low", "high"]].values.tolist()
    [['area_px2', 11.0, 10.0, 14.0]]
    """
    if len(tables) < 2:
        raise SamflowError(
            f"{len(tables)} strategies were given, expected at least two: "
            "a spread needs something to compare."
        )
    first_name, *_ = tables
    first = tables[first_name]
    long = pd.concat([_long(table, name, first, first_name) for name, table in tables.items()])
    groups = long.groupby(["quantity", *_KEYS], sort=True)["value"]
    band = groups.agg(median="median", low="min", high="max", strategies="count").reset_index()
    order = {name: i for i, name in enumerate(_quantities(first))}
    band = band.sort_values(["quantity", "frame", "region"], key=lambda c: c.replace(order))
    band = band[[*_KEYS, "quantity", "median", "low", "high", "strategies"]]
    band = _with_likely(band.reset_index(drop=True))
    band.attrs = dict(first.attrs)
    return band


def band_coverage(band: pd.DataFrame, truth: pd.DataFrame, *, likely: bool = False) -> pd.DataFrame:
    """Tell how often the band between strategies holds the true value.

    Parameters
    ----------
    band : pandas.DataFrame
        What `spread` returns.
    truth : pandas.DataFrame
        `Measures.frames` of the true track, in the same units.
    likely : bool
        Whether to look at the likely band instead, of the quantities that have one.

    Returns
    -------
    pandas.DataFrame
        One row for each quantity and region: `quantity`, `region`, `coverage` (share of frames
        with low <= truth <= high, in [0, 1]), `relative_width` (mean band width over mean true
        value), `frames` (number of frames where band and truth are known).

    Raises
    ------
    SamflowError
        When the truth lacks a quantity of the band or has no frame in common with it.
    """
    missing = sorted(set(band["quantity"]) - set(truth.columns))
    if missing:
        raise SamflowError(
            f"the true table lacks the column '{missing[0]}': measure it with the same scale."
        )
    columns = [*_KEYS[::2], *dict.fromkeys(band["quantity"])]
    true = truth[columns].melt(["frame", "region"], var_name="quantity", value_name="truth")
    joined = band.merge(true, on=["frame", "region", "quantity"], how="inner")
    if joined.empty:
        raise SamflowError(
            "the band and the true table have no frame and region in common: "
            "measure the same clip and regions."
        )
    low, high = ("likely_low", "likely_high") if likely else ("low", "high")
    joined = joined.dropna(subset=[low, high, "truth"])
    joined["held"] = joined["truth"].between(joined[low], joined[high])
    joined["width"] = joined[high] - joined[low]
    table = (
        joined.groupby(["quantity", "region"], sort=False)
        .agg(
            coverage=("held", "mean"),
            width=("width", "mean"),
            level=("truth", "mean"),
            frames=("held", "size"),
        )
        .reset_index()
    )
    level = table["level"].abs().where(table["level"] != 0, np.nan)
    table.insert(3, "relative_width", table["width"] / level)
    return table.drop(columns=["width", "level"])


def _with_likely(band: pd.DataFrame) -> pd.DataFrame:
    """Give the likely bands of areas and interface lengths, for the quantities that are there."""
    band["likely_low"] = band["likely_high"] = np.nan
    columns = {quantity_and_unit(column)[0]: column for column in band["quantity"].unique()}
    rows = {name: band.index[band["quantity"] == column] for name, column in columns.items()}
    if not {"interface_length", "interface_scale"} <= set(rows):
        return band
    # all quantities have their rows in the same order
    length, scale = (
        band.loc[rows[name], "median"].to_numpy()
        for name in ("interface_length", "interface_scale")
    )
    for name, factor, floor, whole in (
        ("area", _AREA_FACTOR, length * scale, "area_fraction"),
        ("interface_length", _LENGTH_FACTOR, _TOLERANCE * length, "interface_density"),
    ):
        if name not in rows:
            continue
        low, high = (band.loc[rows[name], end].to_numpy() for end in ("low", "high"))
        half = np.maximum(factor * ((high - low) / 2 + floor), (high - low) / 2)
        ends = np.stack([np.maximum((low + high) / 2 - half, 0), (low + high) / 2 + half], axis=1)
        band.loc[rows[name], ["likely_low", "likely_high"]] = ends
        if whole in rows:
            level = band.loc[rows[name], "median"].to_numpy()
            share = band.loc[rows[whole], "median"].to_numpy()
            ratio = np.divide(share, level, out=np.zeros_like(level), where=level > 0)
            band.loc[rows[whole], ["likely_low", "likely_high"]] = ends * ratio[:, None]
    return band


def _quantities(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if name not in _KEYS]


def _long(table: pd.DataFrame, name: str, first: pd.DataFrame, first_name: str) -> pd.DataFrame:
    missing = sorted(set(first.columns) ^ set(table.columns))
    if missing or not set(_KEYS) <= set(table.columns):
        raise SamflowError(
            f"the tables of '{name}' and '{first_name}' differ in the column "
            f"'{missing[0] if missing else 'frame'}': measure all strategies with the same scale."
        )
    same = len(table) == len(first) and all(
        np.array_equal(table[key].to_numpy(), first[key].to_numpy()) for key in _KEYS
    )
    if not same:
        raise SamflowError(
            f"the tables of '{name}' ({len(table)} rows) and '{first_name}' ({len(first)} rows) "
            "differ in frames, times or regions: measure the same frames of the same clip."
        )
    return table.melt(list(_KEYS), var_name="quantity", value_name="value")
