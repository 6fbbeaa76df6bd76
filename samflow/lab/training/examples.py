"""Training examples for SAM: an image of the bank, its regions, and prompts as users give them.

All coordinates are pixels of the model's square input; the image fills its top left part.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from samflow.lab.training.clip_bank import ClipBank
from samflow.masks import labels_to_boxes, resize_labels

# logits of a mask prompt: the range of the decoder's own outputs
MASK_VALUE = 18.0

# what is prompted with what, and how often
KINDS = {
    "box": 0.27,
    "box+background": 0.17,
    "box+points": 0.09,
    "box+mask": 0.26,
    "box+mask+background": 0.08,
    "points": 0.07,
    "mask+points": 0.06,
}


@dataclass(frozen=True)
class Crops:
    """How images are cut before they are resized to the model's input.

    A share of them is cut: least and largest height as a share of the image's `rows`, least and
    largest width over height `aspect`. The others are taken whole.
    """

    share: float
    rows: tuple[float, float]
    aspect: tuple[float, float]


@dataclass(frozen=True)
class Example:
    """One image with P regions, all prompted in the same way.

    `image` (h, w, 3) uint8 is RGB, its longer side the model's input size S, without padding;
    `truth` (P, S, S) bool are the regions with padding. Prompts, or None: `boxes` (P, 4) float32
    XYXY; `points` (P, K, 2) float32 as (x, y) with `point_labels` (P, K) int64, 1 foreground and
    0 background; `masks` (P, 1, M, M) float32 low-resolution logits.
    """

    image: np.ndarray
    truth: np.ndarray
    boxes: np.ndarray | None
    points: np.ndarray | None
    point_labels: np.ndarray | None
    masks: np.ndarray | None


def draw_example(
    bank: ClipBank, crops: Crops, sizes: tuple[int, int], rng: np.random.Generator
) -> Example:
    """Draw an image, change it, and prompt each of the 1 to 3 regions in it.

    The bank has at least two frames per clip; `sizes` are the sides of the model's input and of its
    mask prompts.
    """
    input_size, mask_size = sizes
    while True:
        image, labels, before = _draw_image(bank, crops, input_size, rng)
        ids = [i for i in (1, 2, 3) if (labels == i).mean() > 0.004 and (before == i).any()]
        if ids:
            break
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    truth = np.stack([_pad(labels == i, input_size) for i in ids])
    earlier = np.stack([_pad(before == i, input_size) for i in ids])
    boxes = masks = points = point_labels = None
    if "box" in kind:
        # a box that comes with a mask is the box of that mask: of the frame before
        origin = earlier if "mask" in kind and rng.random() < 0.7 else truth
        boxes = np.stack([jittered_box(mask, rng, image.shape[:2]) for mask in origin])
    if "mask" in kind:
        masks = np.stack([mask_prompt(spoil_mask(m, rng), mask_size, rng) for m in earlier])
    if "points" in kind or "background" in kind:
        foreground = int(rng.integers(1, 4)) if "points" in kind else 0
        background = int(rng.integers(1, 7)) if "background" in kind or rng.random() < 0.7 else 0
        points, point_labels = draw_points(truth, labels, (foreground, background), rng)
    return Example(image, truth, boxes, points, point_labels, masks)


def _draw_image(
    bank: ClipBank, crops: Crops, input_size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture, its label map, and the label map of the frame before, all resized alike."""
    clip = int(rng.integers(len(bank)))
    now = int(rng.integers(1, bank.images.shape[1]))
    layers = [bank.images[clip, now], bank.labels[clip, now], bank.labels[clip, now - 1]]
    height, width = layers[1].shape
    if rng.random() < crops.share:
        rows = int(height * rng.uniform(*crops.rows))
        columns = min(width, int(rows * rng.uniform(*crops.aspect)))
        top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
        layers = [layer[top : top + rows, left : left + columns] for layer in layers]
    if rng.random() < 0.5:
        layers = [layer[:, ::-1] for layer in layers]
    if rng.random() < 0.12:
        layers = [layer[::-1] for layer in layers]
    if rng.random() < 0.3:
        layers[0] = layers[0][..., rng.permutation(3)]
    image, *maps = map(np.ascontiguousarray, layers)
    scale = input_size / max(image.shape[:2])
    size = (int(image.shape[0] * scale + 0.5), int(image.shape[1] * scale + 0.5))
    labels, before = (resize_labels(layer, size) for layer in maps)
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR), labels, before


def _pad(mask: np.ndarray, size: int) -> np.ndarray:
    padded = np.zeros((size, size), bool)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    return padded


def jittered_box(mask: np.ndarray, rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Box a mask as a user would: each side off by about 3 % of the box, sometimes far more.

    The box, (4,) float32 XYXY, stays within the `size` (h, w); `mask` (S, S) bool has a pixel.
    """
    box = np.array(labels_to_boxes(mask.astype(np.uint8), [1])[1], np.float32)
    spread = 0.03 if rng.random() < 0.85 else 0.10
    extent = np.tile([box[2] - box[0], box[3] - box[1]], 2)
    box += (rng.standard_normal(4) * spread * extent).clip(-0.2 * extent, 0.2 * extent)
    height, width = size
    return np.clip(box, 0, [width, height, width, height]).astype(np.float32)


def spoil_mask(mask: np.ndarray, rng: np.random.Generator, blobs: bool = True) -> np.ndarray:
    """Make a mask (S, S) bool as wrong as a tracker would: shifted, eroded or dilated.

    With `blobs`, half of the masks also lose or add up to three blobs.
    """
    spoiled: np.ndarray = mask.astype(np.uint8)
    if rng.random() < 0.5:
        shift = np.array([[1, 0, rng.uniform(-8, 8)], [0, 1, rng.uniform(-6, 6)]])
        spoiled = cv2.warpAffine(spoiled, shift, spoiled.shape[::-1], flags=cv2.INTER_NEAREST)
    choice = rng.random()
    if choice < 0.6:
        side = int(rng.integers(2, 10))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        spoiled = (cv2.erode if choice < 0.3 else cv2.dilate)(spoiled, kernel)
    rows, columns = np.nonzero(mask)
    for _ in range(int(rng.integers(0, 4)) if blobs and rng.random() < 0.5 else 0):
        # around a random pixel of the region: blobs on its rim add as well as remove
        at = int(rng.integers(rows.size))
        center = (int(columns[at]), int(rows[at] + rng.integers(-40, 41)))
        axes = (int(rng.integers(4, 70)), int(rng.integers(4, 35)))
        cv2.ellipse(spoiled, center, axes, 0, 0, 360, int(rng.random() < 0.5), -1)
    return spoiled.astype(bool)


def mask_prompt(mask: np.ndarray, mask_size: int, rng: np.random.Generator) -> np.ndarray:
    """Low-resolution logits of a mask at the model's input size: (1, M, M) float32.

    A cell is foreground when any part of it is, or when half of it is: both are in use.
    """
    share = cv2.resize(
        mask.astype(np.float32), (mask_size, mask_size), interpolation=cv2.INTER_AREA
    )
    inside = share > (0.0 if rng.random() < 0.6 else 0.5)
    return np.where(inside, MASK_VALUE, -MASK_VALUE).astype(np.float32)[None]


def draw_points(
    truth: np.ndarray, labels: np.ndarray, counts: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw points on each region, and background points shared by all regions.

    `truth` (P, S, S) bool are the regions, `labels` (h, w) the image's label map; `counts` are
    points on each region and on label 0. Returned are points (P, K, 2) float32 as (x, y) and
    their labels (P, K) int64, 1 foreground, 0 background. An image without background gets a
    point on each region instead.
    """
    foreground, background = counts
    if foreground + background == 0:
        foreground = 1
    free = np.argwhere(labels == 0)
    shared = free[rng.integers(len(free), size=background)] if len(free) else free[:0]
    points, point_labels = [], []
    for mask in truth:
        inside = np.argwhere(mask)
        count = foreground if len(free) else max(1, foreground)
        own = inside[rng.integers(len(inside), size=count)]
        points.append(np.concatenate([own, shared])[:, ::-1])
        point_labels.append([1] * len(own) + [0] * len(shared))
    return np.array(points, np.float32), np.array(point_labels, np.int64)
