"""What the frames that are gone leave behind, and the tables for the whole clip made from it."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from samflow.results.measures.boxes import box_dimension, box_sizes, fit_mask, local_slopes
from samflow.results.measures.interface import interface_scales, richardson_dimension
from samflow.results.measures.measure_options import MeasureOptions
from samflow.results.measures.profiles import layer_thickness, row_heights


@dataclass
class RegionSums:
    """What a region needs of the frames that are gone."""

    frames: int = 0
    profile: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    boxes: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    lengths: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    # number, sum and sum of squares of the heights of the upper and the lower edge
    edges: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 3)))

    def add(
        self,
        profile: NDArray[np.float64],
        boxes: NDArray[np.float64],
        edges: tuple[NDArray[np.float64], NDArray[np.float64]],
        lengths: NDArray[np.float64],
    ) -> None:
        """Add a frame's profile (H,), box counts (S,), edge heights, and lengths at scales."""
        self.frames += 1
        self.profile = self.profile + profile
        self.boxes = self.boxes + boxes
        self.lengths = self.lengths + lengths
        self.edges += [(len(edge), edge.sum(), (edge**2).sum()) for edge in edges]

    def edge_statistics(self) -> list[tuple[float, float]]:
        """Mean and r.m.s. of both edges' heights over all columns of all frames."""
        statistics = []
        for number, total, squares in self.edges:
            mean = total / number if number else math.nan
            variance = squares / number - mean**2 if number else math.nan
            statistics.append((float(mean), math.sqrt(max(variance, 0.0)) if number else math.nan))
        return statistics


def name_heights(upper: tuple[float, float], lower: tuple[float, float]) -> dict[str, float]:
    """Name the mean and r.m.s. heights of the upper and the lower edge."""
    names = ("upper_height_mean", "upper_height_rms", "lower_height_mean", "lower_height_rms")
    return dict(zip(names, (*upper, *lower), strict=True))


def name_dimensions(values: tuple[float, float, float]) -> dict[str, float]:
    """Name what `box_dimension` returns."""
    return {"dimension": values[0], "dimension_low": values[1], "dimension_high": values[2]}


def name_richardson(values: tuple[float, float, float]) -> dict[str, float]:
    """Name what `richardson_dimension` returns."""
    names = ("richardson_dimension", "richardson_dimension_low", "richardson_dimension_high")
    return dict(zip(names, values, strict=True))


def clip_table(
    frames: pd.DataFrame,
    sums: dict[int, RegionSums],
    size: tuple[int, ...],
    options: MeasureOptions,
) -> pd.DataFrame:
    """Quantities of the whole clip, one row for each region, lengths in pixels."""
    sizes, limits = box_sizes(size), options.fit_range(size)
    averaged = ["area", "area_fraction", "interface_scale", "interface_length", "interface_density"]
    scales = interface_scales(size)
    coarse = fit_mask(scales, (options.scale_px, scales[-1]))
    rows: list[dict[str, Any]] = []
    for region, part in sums.items():
        own = frames[frames["region"] == region]
        dimension = box_dimension(sizes, part.boxes / part.frames, limits)
        rows.append(
            {
                "region": region,
                "frames": part.frames,
                "duration": own["time"].iloc[-1] - own["time"].iloc[0],
                **{quantity: float(own[quantity].mean()) for quantity in averaged},
                **name_dimensions(dimension),
                **name_richardson(richardson_dimension(scales[coarse], part.lengths[coarse])),
                **name_heights(*part.edge_statistics()),
                **layer_thickness(part.profile / part.frames),
            }
        )
    return pd.DataFrame(rows)


def profile_table(sums: dict[int, RegionSums], size: tuple[int, ...]) -> pd.DataFrame:
    """Mean profile over height of each region, from the top row to the bottom row."""
    tables = [
        pd.DataFrame(
            {
                "region": region,
                "height": row_heights(size[0]),
                "intermittency": part.profile / part.frames,
            }
        )
        for region, part in sums.items()
    ]
    return pd.concat(tables, ignore_index=True)


def box_table(
    sums: dict[int, RegionSums], size: tuple[int, ...], options: MeasureOptions
) -> pd.DataFrame:
    """Box counts of each region, mean over frames, with local slopes."""
    sizes = box_sizes(size)
    tables = []
    for region, part in sums.items():
        counts = np.asarray(part.boxes / part.frames)
        columns = {
            "region": region,
            "box": sizes,
            "boxes": counts,
            "local_slope": local_slopes(sizes, counts),
            "in_fit": fit_mask(sizes, options.fit_range(size)),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def length_table(
    sums: dict[int, RegionSums], size: tuple[int, ...], options: MeasureOptions, whole: int
) -> pd.DataFrame:
    """Interface length and density of each region over scale, means over frames.

    `whole` is the area of the frame or of the fluid, px.
    """
    scales = interface_scales(size)
    tables = []
    for region, part in sums.items():
        lengths = np.asarray(part.lengths / part.frames)
        columns = {
            "region": region,
            "scale": scales,
            "interface_length": lengths,
            "interface_density": lengths / whole,
            "local_dimension": 1 + local_slopes(scales, lengths),
            "in_fit": fit_mask(scales, (options.scale_px, scales[-1])),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)
