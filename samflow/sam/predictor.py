"""Frame to embedding, prompts to logits, and loading a SAM by name or file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from segment_anything.modeling import Sam as SamModel
from segment_anything.utils.transforms import ResizeLongestSide

from samflow.device import resolve_device, resolve_precision
from samflow.errors import SamflowError, check_image
from samflow.prompts import Prompts, Region
from samflow.sam.architecture import architecture_from_state_dict, build_sam
from samflow.sam.encoder import FastEncoder
from samflow.weights import load_checkpoint, waiting


@dataclass(frozen=True)
class Embedding:
    """SAM's encoding of one frame, good for any number of predictions.

    Parameters
    ----------
    features : Tensor
        (1, C, h, w) float32 on the model's device.
    input_size : tuple of int
        (H, W) of the frame inside the model's square input, before padding.
    image_size : tuple of int
        (H, W) of the frame itself.
    """

    features: torch.Tensor
    input_size: tuple[int, int]
    image_size: tuple[int, int]


class Sam:
    """A SAM ready to encode frames and to predict regions from prompts.

    Parameters
    ----------
    model : segment_anything.modeling.Sam
        The official module. It is moved to `device`.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps".
    name, sha256 : str
        What the weights are called and their hash, for the record of a run.
    precision : str
        "float32", "bfloat16", or "auto" (see `samflow.device.resolve_precision`): what the image
        encoder computes with. Embeddings, prompts and masks are float32.
    """

    def __init__(
        self,
        model: SamModel,
        device: str = "auto",
        name: str = "",
        sha256: str = "",
        precision: str = "float32",
    ) -> None:
        self.device = resolve_device(device)
        self.model = model.to(self.device).eval()
        self.model.image_encoder.to(resolve_precision(precision, self.device))
        self.name = name
        self.sha256 = sha256
        self._resize = ResizeLongestSide(self.image_size)
        self._encoder = FastEncoder(self.model.image_encoder)

    @property
    def image_size(self) -> int:
        """Side of the model's square input, px."""
        return self.model.image_encoder.img_size

    @property
    def mask_size(self) -> int:
        """Side of the low-resolution logits and mask prompts, cells."""
        return self.model.prompt_encoder.mask_input_size[0]

    @property
    def mask_threshold(self) -> float:
        """Logit above which a pixel belongs to a mask."""
        return self.model.mask_threshold

    @torch.inference_mode()
    def embed(self, image: np.ndarray) -> Embedding:
        """Encode one frame.

        Parameters
        ----------
        image : ndarray
            (H, W, 3) uint8 RGB, of any size and aspect ratio.

        Returns
        -------
        Embedding

        Raises
        ------
        SamflowError
            For another shape or dtype, or an image so narrow that nothing of it is left at the
            model's input size.
        """
        pixels, input_size = self.to_pixels(image)
        features = self._encoder(self.model.preprocess(pixels), input_size)
        return Embedding(features.float(), input_size, image.shape[:2])

    def to_pixels(self, image: np.ndarray) -> tuple[torch.Tensor, tuple[int, int]]:
        """Resize a frame to the model's input size: pixels (1, 3, h, w) uint8, and (h, w).

        Raises SamflowError as `embed` does.
        """
        image = np.asarray(image)
        check_image(image)
        height, width = image.shape[:2]
        if min(self._resize.get_preprocess_shape(height, width, self.image_size)) < 1:
            raise SamflowError(
                f"the image of {width}x{height} px is too narrow for SAM's square input of "
                f"{self.image_size} px: crop it."
            )
        resized = self._resize.apply_image(image)
        pixels = torch.as_tensor(resized, device=self.device).permute(2, 0, 1)[None]
        return pixels, resized.shape[:2]

    @torch.inference_mode()
    def predict(
        self,
        embedding: Embedding,
        boxes: np.ndarray | None = None,
        points: np.ndarray | None = None,
        point_labels: np.ndarray | None = None,
        mask_logits: np.ndarray | None = None,
    ) -> np.ndarray:
        """Predict one mask per region, all regions in one batch.

        Parameters
        ----------
        embedding : Embedding
            From `embed`, of the same model.
        boxes : ndarray, optional
            (N, 4) XYXY in pixels of the frame.
        points : ndarray, optional
            (N, K, 2) as (x, y) in pixels of the frame.
        point_labels : ndarray, optional
            (N, K): 1 foreground, 0 background.
        mask_logits : ndarray, optional
            (N, 1, mask_size, mask_size) float32, the decoder's kind of low-resolution logits; see
            `samflow.masks.mask_to_low_res_logits`.

        Returns
        -------
        ndarray
            (N, 1, H, W) float32 logits at the frame's size; a region is where they exceed
            `mask_threshold`.

        Raises
        ------
        SamflowError
            When no prompt is given or the shapes disagree.
        """
        self._check_prompts(boxes, points, point_labels, mask_logits)
        size = embedding.image_size
        box_tensor = points_and_labels = mask_tensor = None
        if boxes is not None:
            box_tensor = self._tensor(self._resize.apply_boxes(np.asarray(boxes, float), size))
        if points is not None:
            coordinates = self._resize.apply_coords(np.asarray(points, float), size)
            labels = torch.as_tensor(np.asarray(point_labels), device=self.device).int()
            points_and_labels = (self._tensor(coordinates), labels)
        if mask_logits is not None:
            mask_tensor = self._tensor(mask_logits)
        sparse, dense = self.model.prompt_encoder(
            points=points_and_labels, boxes=box_tensor, masks=mask_tensor
        )
        low_res, _ = self.model.mask_decoder(
            image_embeddings=embedding.features,
            image_pe=self.model.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )  # (N, 1, mask_size, mask_size)
        logits = self.model.postprocess_masks(low_res, embedding.input_size, size)
        return logits.float().cpu().numpy()

    def predict_regions(
        self, embedding: Embedding, prompts: Prompts, use_points: bool = False
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

        Notes
        -----
        SAM takes equally many prompts for each member of a batch. Regions that differ in having
        a box or in the number of points go into batches of their own, so that no padding changes
        a region's result; with the usual prompts that is one batch.
        """
        batches: dict[tuple[bool, int], list[int]] = {}
        background = prompts.background_points if use_points else []
        for index, region in enumerate(prompts.regions):
            own = len(region.points) if use_points else 0
            if region.box is None and own == 0:
                wanted = "a box or a point" if use_points else "a box (points are switched off)"
                raise SamflowError(
                    f"region {region.id} {region.name!r} has no prompt that can be used: give it "
                    f"{wanted}."
                )
            batches.setdefault((region.box is not None, own), []).append(index)
        logits = np.empty((len(prompts.regions), 1, *embedding.image_size), np.float32)
        for (has_box, own), members in batches.items():
            regions = [prompts.regions[i] for i in members]
            points, point_labels = _point_arrays(regions, background, own)
            boxes = np.array([region.box for region in regions], float) if has_box else None
            logits[members] = self.predict(embedding, boxes, points, point_labels)
        return logits

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.asarray(values, np.float32), device=self.device)

    def _check_prompts(
        self,
        boxes: np.ndarray | None,
        points: np.ndarray | None,
        point_labels: np.ndarray | None,
        mask_logits: np.ndarray | None,
    ) -> None:
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


def load_sam(
    name_or_file: str | Path = "vit_h", device: str = "auto", precision: str = "float32"
) -> Sam:
    """Load a SAM checkpoint by name or from a file.

    Parameters
    ----------
    name_or_file : str or Path
        "vit_b", "vit_l", "vit_h" (fetched on first use), "demo" (in the package), or a file.
    device : str
        "auto" takes cuda, else mps, else cpu.
    precision : str
        "float32", "bfloat16", "auto": of the image encoder.

    Returns
    -------
    Sam

    Raises
    ------
    SamflowError
        When the file is missing, damaged, unsafe, or holds something other than a SAM.
    """
    with waiting(f"loading SAM {name_or_file}"):
        checkpoint = load_checkpoint(name_or_file, kind="sam")
        model = build_sam(architecture_from_state_dict(checkpoint.state_dict))
    try:
        model.load_state_dict(checkpoint.state_dict)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise SamflowError(
            f"{checkpoint.path} does not fit the official SAM: {first} Use an official checkpoint."
        ) from None
    return Sam(model, device, checkpoint.name, checkpoint.sha256, precision)
