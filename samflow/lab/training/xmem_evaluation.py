"""How well XMem carries the true first frame through dye clips, next to two baselines."""

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Literal

import cv2
import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from samflow.lab.synthetic import HELD_OUT_SEEDS, DyeClip
from samflow.results.metrics import region_similarity
from samflow.strategies import ColorStrategy, Frame
from samflow.xmem import Tracker, XMem

DYES = (1, 2)
LOOKS: tuple[Literal["demo", "random"], ...] = ("demo", "random")


def score_clip(network: XMem, clip: DyeClip) -> pd.DataFrame:
    """Score one clip, frame by frame, given the true label map of frame 0.

    Returns
    -------
    pandas.DataFrame
        One row for each frame but the given first one: `frame` (int) and the mean J over both dyes,
        in [0, 1], of `xmem`, of `copy` (the first label map again and again) and of `colour` (the
        baseline `nearest-colour`, learnt from the true first frame).
    """
    tracker = Tracker(network)
    rows = []
    colors = ColorStrategy("nearest-colour")
    first = np.zeros(clip.size, np.uint8)
    for index, (image, truth) in enumerate(clip):
        given = truth if index == 0 else None
        labels = tracker.step_labels(image, given, last=index == len(clip) - 1)
        if index == 0:
            first = truth
            colors.start(Frame(image), truth)
            continue
        tracks = {"xmem": labels, "copy": first, "colour": colors.step(Frame(image))}
        rows.append({"frame": index} | {name: _mean_j(m, truth) for name, m in tracks.items()})
    return pd.DataFrame(rows)


def _mean_j(labels: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean([region_similarity(labels == i, truth == i) for i in DYES]))


def evaluate(
    network: XMem,
    seeds: Iterable[int] = HELD_OUT_SEEDS[:20],
    frames: int = 120,
    look: Literal["demo", "random"] = "demo",
    workers: int = 2,
) -> pd.DataFrame:
    """Score XMem on dye clips of 480x270 px, in processes of one thread each.

    Returns
    -------
    pandas.DataFrame
        One row for each clip: `seed`, and for `xmem`, `copy` and `colour` the mean J over both dyes
        and all frames after the first (`<name>`) and over the last quarter (`<name>_last`).
    """
    # a fresh interpreter for each worker: a forked torch can hang
    with ProcessPoolExecutor(workers, get_context("spawn"), _use_one_thread) as pool:
        jobs = [pool.submit(_score_seed, network, seed, frames, look) for seed in seeds]
        rows = [job.result() for job in tqdm(jobs, desc=f"{look} clips", disable=None)]
    return pd.DataFrame(rows).astype({"seed": int})


def _use_one_thread() -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _score_seed(
    network: XMem, seed: int, frames: int, look: Literal["demo", "random"]
) -> dict[str, float]:
    scores = score_clip(network, DyeClip(seed, frames=frames, look=look))
    ends = scores[scores["frame"] >= frames - -(-frames // 4)]
    row: dict[str, float] = {"seed": seed}
    for name in ("xmem", "copy", "colour"):
        row[name] = float(scores[name].mean())
        row[f"{name}_last"] = float(ends[name].mean())
    return row
