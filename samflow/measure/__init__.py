"""Flow quantities from masks: areas, interfaces, profiles, rates, fronts, with their units."""

from samflow.measure.blobs import Blobs, frame_contact, front_position, holes_and_islands
from samflow.measure.interface import (
    box_counts,
    box_dimension,
    box_sizes,
    interface_contours,
    interface_length,
    local_slopes,
)
from samflow.measure.options import MeasureOptions
from samflow.measure.profiles import edge_heights, intermittency, layer_thickness, row_heights
from samflow.measure.series import rate_of_change
from samflow.measure.spread import band_coverage, spread
from samflow.measure.track import Measures, measure_track
from samflow.measure.units import quantity_and_unit

__all__ = [
    "Blobs",
    "MeasureOptions",
    "Measures",
    "band_coverage",
    "box_counts",
    "box_dimension",
    "box_sizes",
    "edge_heights",
    "frame_contact",
    "front_position",
    "holes_and_islands",
    "interface_contours",
    "interface_length",
    "intermittency",
    "layer_thickness",
    "local_slopes",
    "measure_track",
    "quantity_and_unit",
    "rate_of_change",
    "row_heights",
    "spread",
]
