"""Saved points of interrupted work, and the lock that keeps two processes out of one folder."""

import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from samflow.errors import SamflowError
from samflow.files import atomic_path

logger = logging.getLogger(__name__)

_LOCK = ".lock"


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


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from writing into a folder while the block runs.

    Parameters
    ----------
    folder : Path
        Made when missing, and removed again when nothing was written.

    Raises
    ------
    SamflowError
        When another process holds the lock, or the folder can't be written.

    Notes
    -----
    The operating system holds the lock and drops it with the process, however that ends: a file
    left behind by a killed process locks nothing.
    """
    path = folder / _LOCK
    lock = FileLock(path, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise SamflowError(
            f"{folder} is being written by another samflow{_holder(path)}: wait until it has "
            "ended, or choose another folder."
        ) from None
    except OSError as error:
        raise SamflowError(
            f"{folder} can't be written ({error.strerror or error}): choose another folder."
        ) from error
    try:
        with suppress(OSError):  # Windows lets nobody write into a locked file
            path.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
        yield
    finally:
        if os.name != "nt":
            path.unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):  # it holds something
            folder.rmdir()


def is_untouched(folder: Path) -> bool:
    """Whether a folder is not there, or holds nothing but the lock."""
    return not folder.exists() or (
        folder.is_dir() and all(path.name == _LOCK for path in folder.iterdir())
    )


def remove_halves(folder: Path) -> None:
    """Delete the halves of files that a killed process was writing, in a folder and below it."""
    for path in folder.rglob(".*-*"):
        if path.is_file():
            path.unlink()


def _holder(path: Path) -> str:
    """Say who holds a lock, where the file can be read."""
    try:
        return f" ({path.read_text(encoding='utf-8')})"
    except OSError:
        return ""
