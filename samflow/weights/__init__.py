"""Checkpoints: what is known by name, the cache they are fetched into, and safe loading."""

from samflow.weights.checkpoint import Checkpoint, load_checkpoint
from samflow.weights.known_checkpoints import (
    REGISTRY,
    CacheRow,
    Kind,
    RegistryEntry,
    cache_folder,
    fetch,
    verify,
)

__all__ = [
    "REGISTRY",
    "CacheRow",
    "Checkpoint",
    "Kind",
    "RegistryEntry",
    "cache_folder",
    "fetch",
    "load_checkpoint",
    "verify",
]
