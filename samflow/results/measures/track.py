"""All quantities of a track in one pass over its frames.

Columns of the table of frames, one row for each frame and region; lengths in px, or mm with a
scale, and heights upwards from the lower edge of the frame:

- `area`: pixels of the dye, exact for the mask; `area_fraction`: divided by the area of the frame
  (or of the fluid).
- `interface_scale`: the scale that the interface is measured at, `MeasureOptions.scale_px`;
  `interface_length`: sub-pixel contour length at that scale (`interface_length` has its errors);
  `interface_density`: divided by the area of the frame or fluid (arXiv:2411.07463).
- `dimension`, `dimension_low`, `dimension_high`: see `box_dimension`.
- `upper_height_mean`, `upper_height_rms`, `lower_...`: the dye's upper and lower edge over the
  columns that hold dye, see `edge_heights` (Corrsin and Kistler, NACA Report 1244).
- `upper_integral_thickness`, `upper_10_90_thickness`, `lower_...`: see `layer_thickness`, from the
  frame's own profile over height.
- `holes`, `hole_ratio`, `islands`, `island_ratio`: see `holes_and_islands`.
- `front`, `front_speed`: see `front_position`; the speed is its `rate_of_change`.
- `frame_contact`: length of the frame's edge that the dye touches.
- `area_rate`: dA/dt, `rate_of_change` of the area; `entrainment`: E = dA/dt - Q0 per unit width,
  Q0 the inflow of dyed fluid (Sher and Woods, J. Fluid Mech. 818, 2017). E means entrainment only
  while no dye leaves the frame: `frame_contact` beyond the inflow must be 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from samflow.errors import SamflowError
from samflow.results.lockstep import LabelMaps, lock_step
from samflow.results.measures.blobs import frame_contact, front_position, holes_and_islands
from samflow.results.measures.boxes import box_counts, box_dimension, box_sizes
from samflow.results.measures.interface import (
    interface_contours,
    interface_length,
    interface_scales,
    lengths_at_scales,
)
from samflow.results.measures.measure_options import MeasureOptions
from samflow.results.measures.profiles import (
    edge_heights,
    intermittency,
    layer_thickness,
    mean_and_rms,
)
from samflow.results.measures.series import check_timestamps, rate_of_change
from samflow.results.measures.sums import (
    RegionSums,
    box_table,
    clip_table,
    length_table,
    name_dimensions,
    name_heights,
    profile_table,
)
from samflow.results.measures.units import length_unit, with_units

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Measures:
    """What `measure_track` gives: tables with units in column names and `attrs`.

    Attributes
    ----------
    frames : pandas.DataFrame
        One row for each frame and region, see the module's list of columns.
    clip : pandas.DataFrame
        One row for each region: the same quantities from what is averaged over the whole clip.
    profiles : pandas.DataFrame
        `region`, `height`, `intermittency`: the share of dye over height, mean over x and frames.
    box_counts : pandas.DataFrame
        `region`, `box`, `boxes` (mean over frames), `local_slope`, `in_fit`.
    lengths : pandas.DataFrame
        `region`, `scale`, `interface_length`, `interface_density` (means over frames),
        `local_dimension` (1 - local slope of log length over log scale), `in_fit`.
    """

    frames: pd.DataFrame
    clip: pd.DataFrame
    profiles: pd.DataFrame
    box_counts: pd.DataFrame
    lengths: pd.DataFrame


def measure_track(
    track: LabelMaps,
    regions: Iterable[int],
    timestamps: Sequence[float] | NDArray[np.float64],
    *,
    mm_per_px: float | None = None,
    fluid: Mask | None = None,
    options: MeasureOptions | None = None,
) -> Measures:
    """Measure every region of a track, reading one frame at a time.

    Parameters
    ----------
    track : label maps of each frame
        A `Track`, a list, or an array (T, H, W); at least two frames.
    regions : iterable of int
        Labels of the dyes.
    timestamps : (T,) sequence of float
        The frames' true times in seconds, increasing.
    mm_per_px : float, optional
        The scale, the same across the frame; without it lengths are in pixels.
    fluid : (H, W) array of bool, optional
        Where there is fluid. Dye outside does not count, shares are those of the fluid, and the
        line where dye meets a wall is no interface. By default the whole frame is fluid.
    options : MeasureOptions, optional
        Scale of the interface, fit range, front direction and the like.

    Returns
    -------
    Measures

    Raises
    ------
    SamflowError
        When the track is empty or has one frame, sizes differ, the scale is not above 0, or the
        timestamps are missing, too few or don't increase.

    Examples
    --------
    >>> maps = np.zeros((3, 40, 60), np.uint8)
    >>> for i in range(3):
    ...     maps[i, 10:20, : 20 + 4 * i] = 1
    >>> measures = measure_track(maps, [1], [0.0, 0.5, 1.0], mm_per_px=0.5)
    >>> measures.frames[["area_mm2", "front_speed_mm_per_s"]].round(6).values.tolist()
    [[50.0, 4.0], [60.0, 4.0], [70.0, 4.0]]
    """
    options = options or MeasureOptions()
    scale, _ = length_unit(mm_per_px)
    wanted = _wanted_regions(regions)
    if len(track) == 1:
        raise SamflowError(
            "the track has one frame, expected at least two: rates of change need a clip."
        )
    times = check_timestamps(timestamps, len(track)) if len(track) else np.zeros(0)
    sums = {region: RegionSums() for region in wanted}
    rows: list[dict[str, Any]] = []
    size = (0, 0)
    for position, (frame, maps) in enumerate(lock_step({"masks": track})):
        if position == 0:
            size = maps["masks"].shape
            _check_fluid(fluid, size)
        for region in wanted:
            mask = maps["masks"] == region
            mask = mask if fluid is None else mask & fluid
            row = {"frame": frame, "time": times[position], "region": region}
            rows.append(row | _measure_mask(mask, fluid, options, sums[region]))
    frames = _add_rates(pd.DataFrame(rows), options, options.inflow / scale**2)
    whole = size[0] * size[1] if fluid is None else int(np.count_nonzero(fluid))
    tables = (
        frames,
        clip_table(frames, sums, size, options),
        profile_table(sums, size),
        box_table(sums, size, options),
        length_table(sums, size, options, whole),
    )
    return Measures(*(_finish(table, mm_per_px, options, size) for table in tables))


def _wanted_regions(regions: Iterable[int]) -> list[int]:
    wanted = list(dict.fromkeys(int(region) for region in regions))
    if not wanted or min(wanted) < 1:
        raise SamflowError(
            f"regions to measure are {wanted}, expected at least one label above 0: "
            "give the labels of the dyes."
        )
    return wanted


def _check_fluid(fluid: Mask | None, size: tuple[int, ...]) -> None:
    if fluid is not None and (fluid.shape != size or fluid.dtype != bool or not fluid.any()):
        raise SamflowError(
            f"the mask of the fluid has shape {fluid.shape}, type {fluid.dtype} and "
            f"{int(fluid.sum())} pixels, expected bool {size} with fluid in it: "
            "draw it on a frame of this clip."
        )


def _measure_mask(
    mask: Mask, fluid: Mask | None, options: MeasureOptions, sums: RegionSums
) -> dict[str, Any]:
    """Measure one region of one frame, lengths in pixels, and add it to the region's sums."""
    area = np.count_nonzero(mask)
    whole = mask.size if fluid is None else np.count_nonzero(fluid)
    length = interface_length(interface_contours(mask, options.scale_px, fluid))
    sizes = box_sizes(mask.shape)
    counts = box_counts(mask, sizes, fluid)
    dimension = box_dimension(sizes, counts, options.fit_range(mask.shape))
    profile = intermittency(mask, fluid)
    edges = edge_heights(mask)
    sums.add(profile, counts, edges, lengths_at_scales(mask, interface_scales(mask.shape), fluid))
    return {
        "area": area,
        "area_fraction": area / whole,
        "interface_scale": options.scale_px,
        "interface_length": length,
        "interface_density": length / whole,
        **name_dimensions(dimension),
        **name_heights(*(mean_and_rms(edge) for edge in edges)),
        **layer_thickness(profile),
        **holes_and_islands(mask, options.min_blob_px, fluid)._asdict(),
        "front": front_position(mask, options.front, options.front_cover_px),
        "frame_contact": frame_contact(mask),
    }


def _add_rates(table: pd.DataFrame, options: MeasureOptions, inflow_px: float) -> pd.DataFrame:
    for quantity, rate in (("area", "area_rate"), ("front", "front_speed")):
        table[rate] = np.nan
        for _, rows in table.groupby("region"):
            slopes = rate_of_change(rows["time"], rows[quantity], options.rate_window)
            table.loc[rows.index, rate] = slopes
    table["entrainment"] = table["area_rate"] - inflow_px
    return table


def _finish(
    table: pd.DataFrame, mm_per_px: float | None, options: MeasureOptions, size: tuple[int, ...]
) -> pd.DataFrame:
    result = with_units(table, mm_per_px)
    choices = asdict(options) | {"fit_range_px": options.fit_range(size)}
    result.attrs |= {"frame_size_px": size, "options": choices}
    return result
