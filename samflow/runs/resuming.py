"""Saved points of interrupted work."""

import logging
from pathlib import Path
from typing import Any

import torch

from samflow.files import atomic_path

logger = logging.getLogger(__name__)


def save_point(path: Path, state: dict[str, Any]) -> None:
    """Write a state of tensors, numbers, strings, lists and dicts, complete or not at all."""
    with atomic_path(path) as part:
        torch.save(state, part)


def load_point(path: Path) -> dict[str, Any] | None:
    """Read a saved state; None where there is none, or, with a warning, where it is damaged."""
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises anything
        logger.warning("%s can't be used (%s): starting again", path, error)
        return None


def remove_halves(folder: Path) -> None:
    """Delete the halves of files that a killed process was writing, in a folder and below it."""
    for path in folder.rglob(".*-*"):
        if path.is_file():
            path.unlink()
