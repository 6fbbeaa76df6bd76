"""What a segmenter does: frame to embedding, prompts to logits."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch

from samflow.errors import SamflowError
from samflow.masks import mask_to_low_res_logits
from samflow.prompts import Prompts, Region


class Segmenter(ABC):
    """A network that encodes frames, and predicts regions of them from prompts.

    `device` is where it computes; `name` and `sha256` are its weights' for the record of a run. An
    embedding has the frame's `image_size` (H, W), and is good for any number of predictions.
    """

    device: torch.device
    name: str
    sha256: str

    @property
    @abstractmethod
    def image_size(self) -> int:
        """Side of the model's square input, px."""

    @property
    @abstractmethod
    def mask_size(self) -> int:
        """Side of the low-resolution logits and mask prompts, cells."""

    @property
    def mask_threshold(self) -> float:
        """Logit above which a pixel belongs to a mask."""
        return 0.0

    @abstractmethod
    def embed(self, image: np.ndarray) -> Any:
        """Encode a frame (H, W, 3) uint8 RGB."""

    @abstractmethod
    def predict(
        self,
        embedding: Any,
        boxes: np.ndarray | None = None,
        points: np.ndarray | None = None,
        point_labels: np.ndarray | None = None,
        mask_logits: np.ndarray | None = None,
    ) -> np.ndarray:
        """Logits (N, 1, H, W) float32 of N regions from prompts; see `samflow.sam.Sam.predict`."""

    def mask_prompt(self, mask: np.ndarray, value: float, coverage: float) -> np.ndarray:
        """A mask (H, W) as `mask_logits` of a region: (1, mask_size, mask_size) float32.

        `value` and `coverage` are those of `samflow.masks.mask_to_low_res_logits`.
        """
        return mask_to_low_res_logits(mask, self.image_size, self.mask_size, value, coverage)

    def predict_regions(
        self, embedding: Any, prompts: Prompts, use_points: bool = False
    ) -> np.ndarray:
        """Predict every region of the user's prompts.

        Parameters
        ----------
        embedding : Embedding
            Of the frame that the prompts belong to.
        prompts : Prompts
        use_points : bool
            Use each region's points and the shared background points besides the boxes.

        Returns
        -------
        ndarray
            (N, 1, H, W) float32 logits, in the order of `prompts.regions`.

        Raises
        ------
        SamflowError
            As `Prompts.check_drawn` does.

        Notes
        -----
        SAM takes equally many prompts for each member of a batch. Regions that differ in having
        a box or in the number of points go into batches of their own, so that no padding changes
        a region's result; with the usual prompts that is one batch.
        """
        prompts.check_drawn(use_points)
        batches: dict[tuple[bool, int], list[int]] = {}
        background = prompts.background_points if use_points else []
        for index, region in enumerate(prompts.regions):
            own = len(region.points) if use_points else 0
            batches.setdefault((region.box is not None, own), []).append(index)
        logits = np.empty((len(prompts.regions), 1, *embedding.image_size), np.float32)
        for (has_box, own), members in batches.items():
            regions = [prompts.regions[i] for i in members]
            points, point_labels = _point_arrays(regions, background, own)
            boxes = np.array([region.box for region in regions], float) if has_box else None
            logits[members] = self.predict(embedding, boxes, points, point_labels)
        return logits

    def check_prompts(
        self,
        boxes: np.ndarray | None,
        points: np.ndarray | None,
        point_labels: np.ndarray | None,
        mask_logits: np.ndarray | None,
    ) -> None:
        """Refuse prompts of other shapes than `predict` says, or none, with a `SamflowError`."""
        mask_shape = (1, self.mask_size, self.mask_size)
        given = {"boxes": boxes, "points": points, "mask_logits": mask_logits}
        shapes = {name: np.shape(value) for name, value in given.items() if value is not None}
        if not shapes:
            raise SamflowError("nothing to predict from: give boxes, points or mask_logits.")
        point_shape, label_shape = (
            None if array is None else np.shape(array) for array in (points, point_labels)
        )
        if (point_shape and point_shape[:2]) != label_shape:
            raise SamflowError(
                f"points (N, K, 2) and point_labels (N, K) go together, got {point_shape} and "
                f"{label_shape}."
            )
        expected = {"boxes": (4,), "points": (2,), "mask_logits": mask_shape}
        dims = {"boxes": 2, "points": 3, "mask_logits": 4}
        for name, shape in shapes.items():
            tail = expected[name]
            if len(shape) != dims[name] or shape[-len(tail) :] != tail or shape[0] == 0:
                middle = "K, " if name == "points" else ""
                wanted = f"(N, {middle}{', '.join(map(str, tail))})"
                raise SamflowError(f"{name}: expected shape {wanted}, got {shape}.")
        if len({shape[0] for shape in shapes.values()}) > 1:
            raise SamflowError(f"prompts for different numbers of regions: {shapes}.")


def _point_arrays(
    regions: list[Region], background: list[tuple[float, float]], own: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Points (N, K, 2) and labels (N, K): `own` points of each region, then the shared ones."""
    if own + len(background) == 0:
        return None, None
    shared = list(background)
    points = [[*region.points[:own], *shared] for region in regions]
    labels = [[*region.point_labels[:own], *[0] * len(shared)] for region in regions]
    return np.array(points, float), np.array(labels, int)
