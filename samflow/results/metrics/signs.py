"""Signs that a track goes wrong, read off tracks and frames without any truth."""

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
from samflow.results.metrics.color_models import ColorModels, Lab, color_fit
from samflow.results.metrics.truth import region_similarity

Mask = NDArray[np.bool_]


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
        `color_fit` : overlap of the region with what its own colours on this frame say, see
            `samflow.results.metrics.color_models.color_fit`, [0, 1]; NaN where it is gone.
        `first_color_fit` : the same with the colours that the track's labels had on the first
            frame, in the light of this frame: mean and standard deviation of each channel over
            the image are brought to those of the first one.
        `area_jump` : log(A / A of the frame before); infinite when the region appears or vanishes.
        `area_change` : log(A / A of the first frame).

    Raises
    ------
    SamflowError
        When tracks differ in frames or size, or the images are fewer or of another size.
    """
    wanted = list(dict.fromkeys(int(region) for region in regions))
    if not wanted or min(wanted) < 1:
        raise SamflowError(
            f"regions to look at are {wanted}, expected at least one label above 0: "
            "give the labels of the dyes."
        )
    remaining = iter(images)
    before: dict[str, NDArray[Any]] = {}
    first: dict[str, _First] = {}
    rows: list[dict[str, Any]] = []
    for frame, maps in lock_step(tracks):
        lab = _lab(next(remaining, None), frame, next(iter(maps.values())).shape)
        fits = {}
        for name, labels in maps.items():
            models = ColorModels.learn(labels, lab)
            if name not in first:
                first[name] = _First(labels, lab, models)
            fits[name] = models.shares(lab), first[name].shares(lab)
        for region in wanted:
            masks = {name: labels == region for name, labels in maps.items()}
            agreement = _agreement(masks)
            for name, mask in masks.items():
                own, kept = (color_fit(mask, shares.get(region)) for shares in fits[name])
                area, old = mask.sum(), before.get(name)
                rows.append(
                    {
                        "frame": frame,
                        "strategy": name,
                        "region": region,
                        "agreement": agreement[name],
                        "color_fit": own,
                        "first_color_fit": kept,
                        "area_jump": math.nan if old is None else _log_ratio(area, old[region]),
                        "area_change": _log_ratio(area, first[name].areas[region]),
                    }
                )
        before = {name: _areas(labels) for name, labels in maps.items()}
    return pd.DataFrame(rows)


class _First:
    """What the first frame says about a track: the areas of its regions, its colours, the light."""

    def __init__(self, labels: NDArray[Any], lab: Lab, models: ColorModels) -> None:
        self.areas = _areas(labels)
        self.models = models
        self.light = _light(lab)

    def shares(self, lab: Lab) -> dict[int, NDArray[np.float32]]:
        """Each label's probability by the colours it had, in the light of another frame."""
        mean, deviation = _light(lab)
        first_mean, first_deviation = self.light
        return self.models.shares((lab - mean) * (first_deviation / deviation) + first_mean)


def _areas(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Area of each label, (256,) or as many as there are."""
    return np.asarray(np.bincount(labels.ravel(), minlength=256))


def _light(lab: Lab) -> tuple[Lab, Lab]:
    """Mean and standard deviation of each channel of an image, at least one unit of 8 bits."""
    mean, deviation = cv2.meanStdDev(lab)
    return mean.ravel().astype(np.float32), np.maximum(deviation.ravel(), 1).astype(np.float32)


def _log_ratio(area: int, reference: int) -> float:
    if area == reference:
        return 0.0
    if not area or not reference:
        return math.copysign(math.inf, area - reference)
    return math.log(area / reference)


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
            f"there is no image for frame {frame}, expected one for each frame of the tracks: "
            "pass the clip that the tracks were made from."
        )
    rgb = np.asarray(image)
    if rgb.shape != (*size, 3) or rgb.dtype != np.uint8:
        raise SamflowError(
            f"the image of frame {frame} has shape {rgb.shape} and type {rgb.dtype}, expected "
            f"{(*size, 3)} uint8: pass the clip that the tracks were made from."
        )
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), dtype=np.float32)
