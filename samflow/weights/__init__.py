"""Checkpoints: what is known by name, the cache they are fetched into, and safe loading."""

from samflow.weights.at_hand import DEMO_NOTE, demo_note, weights_at_hand
from samflow.weights.checkpoint import Checkpoint, check_weights, load_checkpoint
from samflow.weights.known_checkpoints import (
    REGISTRY,
    CacheRow,
    Kind,
    RegistryEntry,
    cache_folder,
    fetch,
    verify,
)
from samflow.weights.long_steps import counted, waiting

__all__ = [
    "DEMO_NOTE",
    "REGISTRY",
    "CacheRow",
    "Checkpoint",
    "Kind",
    "RegistryEntry",
    "cache_folder",
    "check_weights",
    "counted",
    "demo_note",
    "fetch",
    "load_checkpoint",
    "verify",
    "waiting",
    "weights_at_hand",
]
