"""Frame to embedding, prompts to logits, and loading a SAM by name or file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from segment_anything.modeling import Sam as SamModel
from segment_anything.utils.transforms import ResizeLongestSide

from samflow.device import resolve_device, resolve_precision
from samflow.errors import SamflowError, check_image
from samflow.sam.architecture import architecture_from_state_dict, build_sam
from samflow.sam.encoder import FastEncoder
from samflow.sam.segmenter import Segmenter
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


class Sam(Segmenter):
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
        self.check_prompts(boxes, points, point_labels, mask_logits)
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

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.asarray(values, np.float32), device=self.device)


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
