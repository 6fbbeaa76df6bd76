"""Flow quantities from masks: areas, interfaces, profiles, rates, fronts, with their units."""

from samflow.results.measures.blobs import Blobs, frame_contact, front_position, holes_and_islands
from samflow.results.measures.interface import (
    box_counts,
    box_dimension,
    box_sizes,
    interface_contours,
    interface_length,
    local_slopes,
)
from samflow.results.measures.measure_options import MeasureOptions
from samflow.results.measures.profiles import (
    edge_heights,
    intermittency,
    layer_thickness,
    row_heights,
)
from samflow.results.measures.series import rate_of_change
from samflow.results.measures.spread import band_coverage, spread
from samflow.results.measures.track import Measures, measure_track
from samflow.results.measures.units import quantity_and_unit

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
