"""How good a track is: scores against truth, and signs of drift where there is no truth."""

from samflow.metrics.truth import (
    boundary_measure,
    region_similarity,
    score_track,
    summarise_scores,
)

__all__ = ["boundary_measure", "region_similarity", "score_track", "summarise_scores"]
