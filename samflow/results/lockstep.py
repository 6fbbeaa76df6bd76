"""Several tracks walked through together, one frame at a time."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from samflow.errors import SamflowError


class LabelMaps(Protocol):
    """Label maps of consecutive frames: a `Track`, a list, or an array (T, H, W).

    Each one is (H, W), integer, 0 background. When it has an attribute `indices`, these are the
    frame numbers; otherwise frames are counted from 0.
    """

    def __len__(self) -> int:
        """Tell the number of frames."""

    def __iter__(self) -> Iterator[Any]:
        """Give the label maps in order."""


def frame_numbers(track: LabelMaps) -> list[int]:
    """Frame numbers of a track: its `indices`, or 0, 1, 2, ... when it has none."""
    return [int(i) for i in getattr(track, "indices", range(len(track)))]


def lock_step(
    tracks: Mapping[str, LabelMaps],
) -> Iterator[tuple[int, dict[str, NDArray[np.integer[Any]]]]]:
    """Give the label maps of all tracks frame by frame, holding one frame of each.

    Parameters
    ----------
    tracks : mapping of name to label maps
        Tracks of the same clip. The names appear in error messages.

    Yields
    ------
    frame : int
        The frame's number.
    labels : dict of name to (H, W) integer array
        The label map of each track on that frame.

    Raises
    ------
    SamflowError
        When a track is empty, when lengths, frame numbers or sizes differ, or when a label map is
        not a two-dimensional array of integers.

    Examples
    --------
    >>> a, b = np.zeros((2, 4, 5), np.uint8), np.ones((2, 4, 5), np.uint8)
    >>> [(frame, int(maps["b"].sum())) for frame, maps in lock_step({"a": a, "b": b})]
    [(0, 20), (1, 20)]
    """
    numbers = _common_frame_numbers(tracks)
    names = list(tracks)
    size: tuple[int, ...] | None = None
    # the lengths were compared before: only a track that breaks its own length can differ here
    steps = zip(numbers, *(tracks[name] for name in names), strict=True)
    for frame, *maps in steps:
        labels = {
            name: _label_map(item, name, frame) for name, item in zip(names, maps, strict=True)
        }
        for name, item in labels.items():
            size = size or item.shape
            if item.shape != size:
                raise SamflowError(
                    f"frame {frame} of track '{name}' is {item.shape[0]} x {item.shape[1]} px "
                    f"(height x width), expected {size[0]} x {size[1]} as before: "
                    "give tracks of the same clip at the same size."
                )
        yield frame, labels


def _common_frame_numbers(tracks: Mapping[str, LabelMaps]) -> list[int]:
    if not tracks:
        raise SamflowError("no track was given, expected at least one: name a folder of masks.")
    for name, track in tracks.items():
        if len(track) == 0:
            raise SamflowError(
                f"track '{name}' has no frame, expected at least one label map: "
                "check the folder, or make the masks first."
            )
    first_name, *other_names = tracks
    numbers = frame_numbers(tracks[first_name])
    for name in other_names:
        others = frame_numbers(tracks[name])
        if others == numbers:
            continue
        missing = sorted(set(numbers) ^ set(others))
        raise SamflowError(
            f"track '{name}' has {len(others)} frames, track '{first_name}' has {len(numbers)}; "
            f"frame {missing[0] if missing else others[0]} is only in one of them or out of order: "
            "give tracks of the same frames."
        )
    return numbers


def _label_map(item: Any, name: str, frame: int) -> NDArray[np.integer[Any]]:
    labels = np.asarray(item)
    if labels.ndim != 2 or labels.dtype.kind not in "ui" or labels.size == 0:
        raise SamflowError(
            f"frame {frame} of track '{name}' has shape {labels.shape} and type {labels.dtype}, "
            "expected a label map (H, W) of integers: convert colours to labels first."
        )
    return labels
