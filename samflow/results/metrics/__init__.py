"""How good a track is: scores against truth, and signs of drift where there is no truth."""

from samflow.results.metrics.drift import drift_scores, drift_start
from samflow.results.metrics.signs import drift_signs
from samflow.results.metrics.truth import (
    boundary_measure,
    region_similarity,
    score_track,
    summarise_scores,
)

__all__ = [
    "boundary_measure",
    "drift_scores",
    "drift_signs",
    "drift_start",
    "region_similarity",
    "score_track",
    "summarise_scores",
]
