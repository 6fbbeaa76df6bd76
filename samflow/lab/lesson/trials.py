"""What a notebook tries on its clip: other prompts, strategies by hand."""

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import distance_transform_edt
from tqdm.auto import tqdm

from samflow.prompts import Prompts
from samflow.strategies import Frame, Strategy
from samflow.video import Video


def foreground_points_only(prompts: Prompts, labels: np.ndarray, count: int = 1) -> Prompts:
    """Replace every prompt by foreground points deep inside the regions of a label map.

    Parameters
    ----------
    prompts : Prompts
        Whose regions are prompted.
    labels : (H, W) uint8
        Label map of the same frame. A region with no pixel is left out.
    count : int
        Points in each region, far from each other.

    Returns
    -------
    Prompts
        Without boxes and without background points.
    """
    regions = []
    for region in prompts.regions:
        mask = np.pad(labels == region.id, 1)
        points: list[tuple[float, float]] = []
        while len(points) < count and mask.any():
            depth = distance_transform_edt(mask)
            y, x = np.unravel_index(int(depth.argmax()), depth.shape)
            points.append((float(x - 1), float(y - 1)))
            rows, columns = np.indices(mask.shape)
            mask &= np.hypot(rows - y, columns - x) > 3 * depth[y, x]
        if points:
            update = {"box": None, "points": points, "point_labels": [1] * len(points)}
            regions.append(region.model_copy(update=update))
    return prompts.model_copy(update={"regions": regions, "background_points": []})


def carry(
    strategies: Mapping[str, Strategy], video: Video, first: np.ndarray
) -> dict[str, list[np.ndarray]]:
    """Take strategies through a clip, all with the same first label map.

    Parameters
    ----------
    strategies : mapping of title to Strategy
        Those that share an XMem or a SAM, as `samflow.build_strategies` makes them, compute it once
        a frame.
    video : Video
        The clip.
    first : (H, W) uint8
        Label map of its first frame, background regions included.

    Returns
    -------
    dict of title to list of (H, W) uint8
        The label map of every frame, background regions included.
    """
    maps: dict[str, list[np.ndarray]] = {title: [] for title in strategies}
    shown = tqdm(video, desc=", ".join(strategies), unit="frame", leave=False)
    for index, image in enumerate(shown):
        frame = Frame(image, index)
        for title, strategy in strategies.items():
            labels = strategy.step(frame) if index else strategy.start(frame, first)
            maps[title].append(labels)
    return maps
