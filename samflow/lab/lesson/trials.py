"""What a notebook tries on its clip: other prompts, strategies by hand, a whole run."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

from samflow.lab.lesson.clip import Lesson
from samflow.prompts import Prompts
from samflow.runs import Run, RunOptions, run
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
    for index, image in enumerate(video):
        frame = Frame(image, index)
        for title, strategy in strategies.items():
            labels = strategy.step(frame) if index else strategy.start(frame, first)
            maps[title].append(labels)
    return maps


def run_lesson(lesson: Lesson, options: RunOptions, folder: str | Path) -> Run:
    """Run strategies over a notebook's clip, or open the run that did so before.

    Parameters
    ----------
    lesson : Lesson
    options : RunOptions
        `end` is set to the clip's end.
    folder : str or Path
        Where the run folder is made. Its name tells film, prompts and options apart, so that
        another try gets a folder of its own and nothing that took hours is deleted.

    Returns
    -------
    Run
        Finished. An interrupted one is gone on with.
    """
    video, prompts = lesson.video, lesson.prompts
    # half a frame on, since the end of a clip is exclusive
    options = replace(options, end=float(video.timestamps[-1]) + 0.5 / video.fps)
    given = [lesson.film.sha256, prompts.model_dump(mode="json"), asdict(options)]
    digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:8]
    out = Path(folder) / f"run-{lesson.film.path.stem}-{digest}"
    return run(lesson.film.path, prompts, out, options, resume=True)
