"""Flow quantities from masks: areas, interfaces, profiles, rates, fronts, with their units."""

from samflow.results.measures.bands import band_coverage, spread
from samflow.results.measures.blobs import Blobs, frame_contact, front_position, holes_and_islands
from samflow.results.measures.boxes import box_counts, box_dimension, box_sizes, local_slopes
from samflow.results.measures.interface import (
    interface_contours,
    interface_length,
    interface_scales,
    lengths_at_scales,
    richardson_dimension,
)
from samflow.results.measures.measure_options import MeasureOptions
from samflow.results.measures.profiles import (
    edge_heights,
    intermittency,
    layer_thickness,
    row_heights,
)
from samflow.results.measures.series import rate_of_change
from samflow.results.measures.track import Measures, measure_track
from samflow.results.measures.trust import TrustedScale, trusted_scale
from samflow.results.measures.units import quantity_and_unit

__all__ = [
    "Blobs",
    "MeasureOptions",
    "Measures",
    "TrustedScale",
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
    "interface_scales",
    "intermittency",
    "layer_thickness",
    "lengths_at_scales",
    "local_slopes",
    "measure_track",
    "quantity_and_unit",
    "rate_of_change",
    "richardson_dimension",
    "row_heights",
    "spread",
    "trusted_scale",
]
