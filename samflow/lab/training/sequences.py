"""Training sequences for XMem: crops of successive frames from a bank of clips."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from samflow.lab.training.clip_bank import ClipBank


@dataclass(frozen=True)
class Stage:
    """A part of the training: `share` of it, on crops (H, W) px, multiples of 16.

    A step takes `batch` clips, `frames` of each, at most `max_skip` apart, and tracks `objects`.
    """

    share: float
    crop: tuple[int, int]
    batch: int
    frames: int
    objects: int
    max_skip: int


class Sampler:
    """Draw training sequences from a bank of clips."""

    def __init__(self, bank: ClipBank, rng: np.random.Generator) -> None:
        self.bank, self.rng = bank, rng

    def draw(self, stage: Stage) -> tuple[Tensor, Tensor]:
        """Draw a batch.

        Returns
        -------
        images : (B, T, 3, H, W) float32 Tensor
            RGB in [0, 1].
        labels : (B, T, H, W) int64 Tensor
            0 background, 1..objects in random order; -1 marks pixels that no loss counts, since
            their region is not on the first frame.
        """
        images, labels = zip(*(self._sequence(stage) for _ in range(stage.batch)), strict=True)
        stacked = torch.from_numpy(np.stack(images)).permute(0, 1, 4, 2, 3)
        return stacked.float() / 255, torch.from_numpy(np.stack(labels))

    def _sequence(self, stage: Stage) -> tuple[np.ndarray, np.ndarray]:
        rng = self.rng
        count, length = self.bank.labels.shape[:2]
        clip = int(rng.integers(count))
        steps = rng.integers(1, stage.max_skip + 1, stage.frames - 1)
        while steps.sum() >= length:
            steps[steps.argmax()] -= 1
        indices = rng.integers(length - steps.sum()) + np.concatenate([[0], np.cumsum(steps)])
        if rng.random() < 0.3:
            indices = indices[::-1]
        height, width = stage.crop
        top = int(rng.integers(self.bank.labels.shape[2] - height + 1))
        left = int(rng.integers(self.bank.labels.shape[3] - width + 1))
        window = (slice(top, top + height), slice(left, left + width))
        images = np.stack([self.bank.images[clip, i][window] for i in indices])
        labels = np.stack([self.bank.labels[clip, i][window] for i in indices])
        for axis in (1, 2):
            if rng.random() < 0.5:
                images, labels = np.flip(images, axis), np.flip(labels, axis)
        return self._recolour(images), self._choose_objects(labels, stage.objects)

    def _recolour(self, images: np.ndarray) -> np.ndarray:
        rng = self.rng
        if rng.random() < 0.3:
            images = images[..., rng.permutation(3)]
        if rng.random() < 0.5:
            gain, lift = rng.uniform(0.75, 1.25), rng.uniform(-25, 25)
            images = np.clip(images * gain + lift, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(images)

    def _choose_objects(self, labels: np.ndarray, objects: int) -> np.ndarray:
        areas = np.bincount(labels[0].ravel(), minlength=4)
        shown = self.rng.permutation([i for i in (1, 2, 3) if areas[i] >= 64])
        # 0 stays 0, what the first frame hardly shows is ignored, surplus objects are background
        table = np.array([0, -1, -1, -1], np.int64)
        table[shown] = 0
        table[shown[:objects]] = np.arange(1, len(shown[:objects]) + 1)
        return table[labels]
