"""Signs that a track goes wrong, read off tracks and pictures without any truth."""

import math
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from samflow.errors import SamflowError
from samflow.results.lockstep import LabelMaps, lock_step
from samflow.results.metrics.truth import region_similarity

Mask = NDArray[np.bool_]
# half width in pixels of the bands on both sides of an interface
_BAND = 3


def drift_signs(
    tracks: Mapping[str, LabelMaps], images: Iterable[Any], regions: Iterable[int]
) -> pd.DataFrame:
    """Collect the signs of drift for each strategy, region and frame.

    Parameters
    ----------
    tracks : mapping of strategy name to label maps
        Tracks of the same clip.
    images : iterable of (H, W, 3) uint8 RGB
        The frames of the tracks, in order, such as a `Video`. One is held at a time, and what is
        needed of the one before.
    regions : iterable of int
        Labels to look at.

    Returns
    -------
    pandas.DataFrame
        Columns, rows in order of frame, region, strategy:

        `frame`, `strategy`, `region`
        `agreement` : mean intersection over union with the same region of every other strategy,
            [0, 1]; NaN for a single strategy.
        `stability` : intersection over union with the same region one frame before, [0, 1]; NaN
            on the first frame.
        `image_change` : mean change of the picture since the frame before, within the region and
            its surroundings, in units of the picture's own standard deviation.
        `area_jump` : log(A / A of the frame before); infinite when the region appears or vanishes.
        `area_change` : log(A / A of the first frame).
        `separation` : distance between the mean colours in a band of 3 px inside and outside the
            interface, in units of the pooled standard deviation (Mahalanobis); NaN without an
            interface.
        `color_shift` : distance of the region's mean colour from that on its first frame, relative
            to the distance between the region and the rest on that frame.

    Raises
    ------
    SamflowError
        When tracks differ in frames or size, or the pictures are fewer or of another size.
    """
    wanted = list(dict.fromkeys(int(region) for region in regions))
    if not wanted or min(wanted) < 1:
        raise SamflowError(
            f"regions to look at are {wanted}, expected at least one label above 0: "
            "give the labels of the dyes."
        )
    pictures = iter(images)
    before: dict[tuple[str, int], Mask] = {}
    first: dict[tuple[str, int], _First] = {}
    previous: NDArray[np.float32] | None = None
    rows: list[dict[str, Any]] = []
    for frame, maps in lock_step(tracks):
        lab = _lab(next(pictures, None), frame, next(iter(maps.values())).shape)
        change = None if previous is None else _change(lab, previous)
        for region in wanted:
            masks = {name: labels == region for name, labels in maps.items()}
            agreement = _agreement(masks)
            for name, mask in masks.items():
                key = (name, region)
                if key not in first:
                    first[key] = _First(mask, lab)
                start = first[key]
                row = {"frame": frame, "strategy": name, "region": region}
                row["agreement"] = agreement[name]
                row |= _changes(mask, before.get(key), change)
                row["area_change"] = _log_ratio(mask.sum(), start.area)
                row["separation"] = separation(mask, lab)
                row["color_shift"] = start.shift(mask, lab)
                rows.append(row)
                before[key] = mask
        previous = lab
    return pd.DataFrame(rows)


def separation(mask: Mask, lab: NDArray[np.float32]) -> float:
    """Distance of colours across an interface, in units of their pooled standard deviation.

    Parameters
    ----------
    mask : (H, W) array of bool
        A region.
    lab : (H, W, 3) array of float32
        The picture in a colour space where distances mean something, such as CIE L*a*b*.

    Returns
    -------
    float
        sqrt(d^T S^-1 d): d is the difference of the mean colours in bands of 3 px inside and
        outside, S the mean of the two covariances. NaN when a band has fewer than 10 pixels.
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _BAND + 1, 2 * _BAND + 1))
    flat = mask.astype(np.uint8)
    inside = mask & (cv2.erode(flat, kernel, borderValue=1) == 0)
    outside = (cv2.dilate(flat, kernel, borderValue=0) > 0) & ~mask
    if min(inside.sum(), outside.sum()) < 10:
        return math.nan
    # one row per channel: means over a contiguous axis are ten times as fast
    a, b = (np.ascontiguousarray(lab[band].T, dtype=np.float64) for band in (inside, outside))
    pooled = (np.cov(a) + np.cov(b)) / 2
    difference = a.mean(axis=1) - b.mean(axis=1)
    # a flat picture has no variance: one unit of the 8-bit scale keeps the inverse finite
    return float(math.sqrt(difference @ np.linalg.solve(pooled + np.eye(3), difference)))


class _First:
    """What the first frame says about a region: its area and its colour against the rest."""

    def __init__(self, mask: Mask, lab: NDArray[np.float32]) -> None:
        self.area = int(mask.sum())
        self.color = _mean_color(lab, mask) if self.area else None
        self.contrast = 0.0
        if self.color is not None and not mask.all():
            self.contrast = float(np.linalg.norm(self.color - _mean_color(lab, ~mask)))

    def shift(self, mask: Mask, lab: NDArray[np.float32]) -> float:
        """Distance of the region's mean colour from the first one, in units of the contrast."""
        if self.color is None or not mask.any():
            return math.nan
        distance = np.linalg.norm(_mean_color(lab, mask) - self.color)
        return float(distance / max(self.contrast, 1.0))


def _change(lab: NDArray[np.float32], previous: NDArray[np.float32]) -> NDArray[np.float32]:
    """Change of each pixel, mean over channels, in units of the picture's standard deviation."""
    difference = cv2.absdiff(lab, previous).sum(axis=2) / 3
    # a flat picture changes by what it changes: one unit of the 8-bit scale is the least
    return np.asarray(difference / max(float(lab.std()), 1.0))


def _changes(
    mask: Mask, before: Mask | None, change: NDArray[np.float32] | None
) -> dict[str, float]:
    if before is None or change is None:
        return dict.fromkeys(("stability", "image_change", "area_jump"), math.nan)
    near = cv2.dilate((mask | before).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    return {
        "stability": region_similarity(mask, before),
        "image_change": float(change[near].mean() if near.any() else change.mean()),
        "area_jump": _log_ratio(mask.sum(), before.sum()),
    }


def _log_ratio(area: int, reference: int) -> float:
    if area == reference:
        return 0.0
    if not area or not reference:
        return math.copysign(math.inf, area - reference)
    return math.log(area / reference)


def _mean_color(lab: NDArray[np.float32], mask: Mask) -> NDArray[np.float64]:
    return np.array(cv2.mean(lab, mask.astype(np.uint8))[:3])


def _agreement(masks: dict[str, Mask]) -> dict[str, float]:
    """Mean intersection over union of each mask with all others."""
    total = dict.fromkeys(masks, 0.0)
    for a, b in combinations(masks, 2):
        similarity = region_similarity(masks[a], masks[b])
        total[a] += similarity
        total[b] += similarity
    others = len(masks) - 1
    return {name: value / others if others else math.nan for name, value in total.items()}


def _lab(image: Any, frame: int, size: tuple[int, ...]) -> NDArray[np.float32]:
    if image is None:
        raise SamflowError(
            f"there is no picture for frame {frame}, expected one for each frame of the tracks: "
            "pass the clip that the tracks were made from."
        )
    rgb = np.asarray(image)
    if rgb.shape != (*size, 3) or rgb.dtype != np.uint8:
        raise SamflowError(
            f"the picture of frame {frame} has shape {rgb.shape} and type {rgb.dtype}, expected "
            f"{(*size, 3)} uint8: pass the clip that the tracks were made from."
        )
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), dtype=np.float32)
