"""Scores against truth as the DAVIS 2017 benchmark defines them.

References
----------
.. [1] F. Perazzi et al., "A benchmark dataset and evaluation methodology for video object
   segmentation", CVPR 2016, section 5: region similarity J and contour accuracy F.
.. [2] J. Pont-Tuset et al., "The 2017 DAVIS challenge on video object segmentation",
   arXiv:1704.00675: J and F for each object of each frame.
"""

import math
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from samflow.errors import SamflowError
from samflow.results.lockstep import LabelMaps, lock_step


def region_similarity(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Region similarity J: intersection over union of two masks (Jaccard index).

    Parameters
    ----------
    predicted, truth : (H, W) array of bool
        Masks of one region; any number other than 0 counts as foreground.

    Returns
    -------
    float
        J in [0, 1]. Two empty masks agree: 1.

    Raises
    ------
    SamflowError
        When the masks are not two-dimensional or differ in size.

    Examples
    --------
    >>> region_similarity([[1, 1, 0]], [[0, 1, 1]])
    0.3333333333333333
    """
    a, b = _mask_pair(predicted, truth)
    union = np.count_nonzero(a | b)
    return float(np.count_nonzero(a & b) / union) if union else 1.0


def boundary_measure(predicted: ArrayLike, truth: ArrayLike, tolerance: float = 0.008) -> float:
    """Boundary measure F: how well the outlines of two masks match within a tolerance.

    Precision P is the share of the predicted outline that lies within the tolerance of the true
    one, recall R the share of the true outline within the tolerance of the predicted one;
    F = 2 P R / (P + R).

    Parameters
    ----------
    predicted, truth : (H, W) array of bool
        Masks of one region; any number other than 0 counts as foreground.
    tolerance : float
        The tolerance as a share of the image diagonal; the radius is rounded up to whole pixels.

    Returns
    -------
    float
        F in [0, 1]. Two masks without an outline agree: 1; when only one has none: 0.

    Raises
    ------
    SamflowError
        When the masks are not two-dimensional or differ in size.

    Notes
    -----
    A pixel is on the outline when it differs from its neighbour to the right, below, or right
    below. The edge of the image is no outline, so a mask that fills the image has none.
    Being within the tolerance is the same as being covered by the other outline dilated with a
    disk of that radius.

    Examples
    --------
    >>> mask = np.zeros((50, 50), bool)
    >>> mask[10:30, 10:30] = True
    >>> boundary_measure(np.roll(mask, 1, axis=1), mask)
    1.0
    >>> boundary_measure(np.zeros_like(mask), mask)
    0.0
    """
    a, b = (_outline(mask) for mask in _mask_pair(predicted, truth))
    if not a.any() or not b.any():
        return 1.0 if not a.any() and not b.any() else 0.0
    radius = math.ceil(tolerance * math.hypot(*a.shape))
    precision = float(_within(b, radius)[a].mean())
    recall = float(_within(a, radius)[b].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def score_track(
    track: LabelMaps, truth_track: LabelMaps, ids: Iterable[int], *, skip_ends: bool = False
) -> pd.DataFrame:
    """Score a track against the true one, region by region and frame by frame.

    Parameters
    ----------
    track, truth_track : label maps of each frame
        Two tracks of the same clip (`Track`, list or array (T, H, W)). One frame of each is held
        at a time.
    ids : iterable of int
        Labels to score, such as the dyes without the bottom surface.
    skip_ends : bool
        Leave out the first and the last frame, as the DAVIS semi-supervised protocol does (the
        first one is given, the last one was not annotated). By default every frame counts.

    Returns
    -------
    pandas.DataFrame
        Columns `frame` (int), `region` (int), `J`, `F` (float, [0, 1]), in order of frame, then
        region. A region has rows from the first frame on which either track shows it; on a later
        frame where both lack it, J = F = 1.

    Raises
    ------
    SamflowError
        When the tracks differ in length, frames or size, when one is empty, or when no region
        or no frame remains to be scored.

    Notes
    -----
    The mean of a region's rows equals what the package `vos-benchmark` reports for that object
    (times 100 there) with its option `skip_first_and_last` equal to `skip_ends`.

    Examples
    --------
    >>> truth = np.zeros((2, 20, 20), np.uint8)
    >>> truth[:, 5:10, 5:10] = 1
    >>> score_track(np.roll(truth, 1, axis=2), truth, [1])["J"].round(3).tolist()
    [0.667, 0.667]
    """
    wanted = list(dict.fromkeys(int(i) for i in ids))
    if not wanted or 0 in wanted:
        raise SamflowError(
            f"regions to score are {wanted}, expected at least one label above 0: "
            "give the labels of the dyes."
        )
    last = len(truth_track) - 1
    seen: set[int] = set()
    rows: list[dict[str, Any]] = []
    for position, (frame, maps) in enumerate(lock_step({"predicted": track, "truth": truth_track})):
        if skip_ends and position in (0, last):
            continue
        for region in wanted:
            a, b = maps["predicted"] == region, maps["truth"] == region
            if region not in seen and not a.any() and not b.any():
                continue
            seen.add(region)
            scores = {"J": region_similarity(a, b), "F": boundary_measure(a, b)}
            rows.append({"frame": frame, "region": region, **scores})
    if not rows:
        raise SamflowError(
            f"none of the regions {wanted} appears on the {last + 1} frames to score: "
            "check the labels and that the clip has frames between its ends."
        )
    return pd.DataFrame(rows, columns=["frame", "region", "J", "F"])


def summarise_scores(frame: pd.DataFrame) -> pd.DataFrame:
    """Summarise the scores of one track: mean, last quarter, worst frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        What `score_track` returns.

    Returns
    -------
    pandas.DataFrame
        One row for each region (`region` is its label as text), and one for `all`. Columns for J
        and likewise for F: `J_mean`, `J_last_quarter` (mean over the last quarter of the frames,
        rounded up), `J_worst` and `J_worst_frame` (the first frame with the lowest value). The
        row `all` has the mean of the regions' means, and the worst frame of the mean over
        regions.

    Raises
    ------
    SamflowError
        When the table is empty or lacks a column.

    Examples
    --------
    >>> scores = pd.DataFrame({"frame": [0, 1], "region": 1, "J": [1.0, 0.5], "F": [1.0, 0.7]})
    >>> summarise_scores(scores)[["region", "J_mean", "J_worst_frame"]].values.tolist()
    [['1', 0.75, 1], ['all', 0.75, 1]]
    """
    missing = {"frame", "region", "J", "F"} - set(frame.columns)
    if missing or frame.empty:
        raise SamflowError(
            f"the table of scores has {len(frame)} rows and lacks the columns {sorted(missing)}, "
            "expected frame, region, J, F: pass what score_track returns."
        )
    frames = np.sort(frame["frame"].unique())
    late = frames[-math.ceil(len(frames) / 4) :]
    table: dict[str, list[Any]] = {}
    for score in ("J", "F"):
        wide = frame.pivot(index="frame", columns="region", values=score)
        columns = {str(region): wide[region].dropna() for region in wide.columns}
        columns["all"] = wide.mean(axis=1)
        means = {name: values.mean() for name, values in columns.items()}
        # as in DAVIS every region counts the same, however late it appears
        means["all"] = wide.mean(axis=0).mean()
        table["region"] = list(columns)
        table[f"{score}_mean"] = list(means.values())
        table[f"{score}_last_quarter"] = [
            float(v[v.index.isin(late)].mean()) for v in columns.values()
        ]
        table[f"{score}_worst"] = [float(v.min()) for v in columns.values()]
        table[f"{score}_worst_frame"] = [
            int(v.index.to_numpy()[int(v.to_numpy().argmin())]) for v in columns.values()
        ]
    return pd.DataFrame(table)


def _mask_pair(predicted: ArrayLike, truth: ArrayLike) -> tuple[NDArray[np.bool_], ...]:
    a, b = np.asarray(predicted).astype(bool), np.asarray(truth).astype(bool)
    if a.ndim != 2 or a.shape != b.shape:
        raise SamflowError(
            f"the masks have shapes {a.shape} and {b.shape}, expected the same (H, W): "
            "resize the prediction to the truth's size first."
        )
    return a, b


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    right, below, right_below = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    outline = (mask ^ right) | (mask ^ below) | (mask ^ right_below)
    return np.asarray(outline, dtype=bool)


def _within(outline: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    distance = cv2.distanceTransform(
        (~outline).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )
    # the next larger distance on the grid is sqrt(radius^2 + 1): half of that step absorbs rounding
    return np.asarray(distance <= radius + 0.25 / radius, dtype=bool)
