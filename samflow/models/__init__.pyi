from .known_models import (
    MODELS,
    SEGMENTERS,
    ModelEntry,
    WeightsEntry,
    load_model,
    load_segmenter,
    model_named,
    split_source,
)
from .roles import BoxTracker, Tracker, TrackingModel

__all__ = [
    "MODELS",
    "SEGMENTERS",
    "BoxTracker",
    "ModelEntry",
    "Tracker",
    "TrackingModel",
    "WeightsEntry",
    "load_model",
    "load_segmenter",
    "model_named",
    "split_source",
]
