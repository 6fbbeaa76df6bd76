from .known_models import MODELS, ModelEntry, WeightsEntry, load_model, model_named
from .roles import BoxTracker, Tracker, TrackingModel

__all__ = [
    "MODELS",
    "BoxTracker",
    "ModelEntry",
    "Tracker",
    "TrackingModel",
    "WeightsEntry",
    "load_model",
    "model_named",
]
