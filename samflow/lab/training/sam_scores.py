"""How good a Sam is on dye clips that it never saw, next to what colour alone reaches."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from samflow.lab.markdown import markdown_table
from samflow.lab.synthetic import HELD_OUT_SEEDS, DyeClip
from samflow.lab.training.examples import spoil_mask
from samflow.masks import labels_to_boxes, labels_to_one_hot, mask_to_low_res_logits
from samflow.results.metrics import region_similarity
from samflow.sam import Sam, load_sam
from samflow.strategies import ColorStrategy, Frame, SamStrategy, segment_first_frame

# clips as `samflow demo --seed` makes them
DEMO_SEEDS = range(5)
REGIONS = {1: "upper dye", 2: "lower dye", 3: "bottom surface"}


def _jittered(boxes: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Boxes with each side moved by up to 5 % of the box."""
    extent = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    moved = boxes + rng.uniform(-0.05, 0.05, boxes.shape) * extent
    return np.clip(moved, 0, [size[1], size[0], size[1], size[0]])


def score_clip(sam: Sam, clip: DyeClip) -> list[dict[str, object]]:
    """Score the second frame of a clip from every kind of prompt, whose jitter its seed decides.

    Returns
    -------
    list of dict
        One row for each region and kind: `seed`, `region`, `prompt`, `iou`. A region counts when
        it has a pixel on both frames. Masks are taken as predicted, without merging.

    Notes
    -----
    "box": the true box, each side off by up to 5 %. "box + points": with 4 pixels of label 0 drawn
    at random. "box + previous mask": the same box, and the truth of the frame before, shifted,
    eroded or dilated. "box + damaged mask": with blobs lost or added as well, as in training.
    """
    frames = iter(clip)
    (first_image, first), (image, truth) = next(frames), next(frames)
    rng = np.random.default_rng([clip.seed, 2])
    ids = [i for i in REGIONS if (first == i).any() and (truth == i).any()]
    tight = labels_to_boxes(truth, ids)
    boxes = _jittered(np.array([tight[i] for i in ids], float), clip.size, rng)
    free = np.argwhere(truth == 0)[:, ::-1]
    points = np.repeat(free[rng.integers(len(free), size=4)][None], len(ids), axis=0)
    embedding = sam.embed(image)

    def from_mask(blobs: bool) -> np.ndarray:
        masks = [spoil_mask(first == i, rng, blobs) for i in ids]
        low = [mask_to_low_res_logits(mask, sam.image_size, sam.mask_size) for mask in masks]
        return sam.predict(embedding, boxes, mask_logits=np.stack(low))

    background = np.zeros(points.shape[:2], int)
    answers = {
        "box": sam.predict(embedding, boxes),
        "box + points": sam.predict(embedding, boxes, points, background),
        "box + previous mask": from_mask(blobs=False),
        "box + damaged mask": from_mask(blobs=True),
    }
    found = {kind: logits[:, 0] > sam.mask_threshold for kind, logits in answers.items()}
    colors = ColorStrategy("nearest-colour")
    colors.start(Frame(first_image), first)
    found["nearest colour"] = labels_to_one_hot(colors.step(Frame(image)), ids)
    return [
        {
            "seed": clip.seed,
            "region": REGIONS[i],
            "prompt": kind,
            "iou": region_similarity(mask, truth == i),
        }
        for kind, stack in found.items()
        for i, mask in zip(ids, stack, strict=True)
    ]


def score_prompts(
    sam: Sam, seeds: Iterable[int] = HELD_OUT_SEEDS, look: str = "random"
) -> pd.DataFrame:
    """Mean IoU on 480x270 clips of these seeds: a row for each kind of prompt.

    There is a column for each region, and `dyes`, the mean of both.
    """
    rows = [row for seed in seeds for row in score_clip(sam, DyeClip(seed, frames=2, look=look))]
    table = pd.DataFrame(rows).pivot_table("iou", "prompt", "region", sort=False)
    return _with_dyes(table)


def _with_dyes(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(dyes=table[["upper dye", "lower dye"]].mean(axis=1))


def score_loop(
    sam: Sam, clip: DyeClip, watch: Callable[[np.ndarray, np.ndarray], None] | None = None
) -> pd.DataFrame:
    """Score strategy `sam` on a clip: prompts on frame 0, then each result prompts the next frame.

    A row for each frame, a column for each region, in IoU. `watch` is called with each image and
    its label map.
    """
    prompts, strategy, rows = clip.prompts(), SamStrategy(sam), []
    for index, (image, truth) in enumerate(clip):
        frame = Frame(image, index)
        if index == 0:
            labels = strategy.start(frame, segment_first_frame(sam, frame, prompts))
        else:
            labels = strategy.step(frame)
        if watch is not None:
            watch(image, labels)
        rows.append(
            {name: region_similarity(labels == i, truth == i) for i, name in REGIONS.items()}
        )
    return pd.DataFrame(rows)


def report(file: str | Path) -> str:
    """Markdown of all scores of what `load_sam` takes, as the model card gives them."""
    sam = load_sam(file, device="cpu")
    parts = []
    for look in ("random", "demo"):
        table = score_prompts(sam, look=look)
        parts.append(f"Held-out clips, {look} look, mean IoU:\n\n{_text(table)}")
    loops = {f"demo seed {seed}": score_loop(sam, DyeClip(seed)).mean() for seed in DEMO_SEEDS}
    text = _text(_with_dyes(pd.DataFrame(loops).T))
    parts.append(f"Strategy sam over 60 frames of 480x270, mean J:\n\n{text}")
    return "\n\n".join(parts)


def _text(table: pd.DataFrame) -> str:
    rows = [
        [str(name), *(f"{value:.3f}" for value in values)]
        for name, values in zip(table.index, table.values, strict=True)
    ]
    return markdown_table(["", *map(str, table.columns)], rows)
