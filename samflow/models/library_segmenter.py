"""Segmenters beside the official SAM, from the `transformers` library.

SAM 2's image model and EdgeTAM's are those of `session_network`, without memory. SAM-HQ: Ke et al.,
"Segment Anything in High Quality", NeurIPS 2023, arXiv 2306.01567.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from samflow.device import resolve_device, resolve_precision
from samflow.errors import check_image
from samflow.masks import mask_to_low_res_logits
from samflow.models.known_models import SEGMENTERS
from samflow.models.library_weights import (
    find_weights,
    library,
    read_network,
    sha256_of_folder,
    weights_name,
)
from samflow.sam import Segmenter


@dataclass(frozen=True)
class SegmenterFamily:
    """What the library calls a segmenter's parts, and what its `config.json` may say."""

    network: str
    processor: str
    model_types: tuple[str, ...]
    padded: bool = False  # frames keep their shape and are padded; else they are made square
    packages: tuple[str, ...] = ()


SEGMENTER_FAMILIES = {
    "sam2": SegmenterFamily("Sam2Model", "Sam2ImageProcessor", ("sam2", "sam2_video")),
    "edgetam": SegmenterFamily(
        "EdgeTamModel", "Sam2ImageProcessor", ("edgetam", "edgetam_video"), packages=("timm",)
    ),
    "sam-hq": SegmenterFamily("SamHQModel", "SamImageProcessor", ("sam_hq",), padded=True),
}


@dataclass(frozen=True)
class LibraryEmbedding:
    """A network's encoding of one frame.

    Parameters
    ----------
    features : dict of str to tensors
        As the network takes them, of one frame.
    input_size : tuple of int
        (H, W) of the frame inside the network's square input.
    image_size : tuple of int
        (H, W) of the frame itself.
    """

    features: dict[str, Any]
    input_size: tuple[int, int]
    image_size: tuple[int, int]


class LibrarySegmenter(Segmenter):
    """A network of the library in the role of SAM.

    Parameters
    ----------
    network : torch.nn.Module
        Of the library. It is moved to `device`.
    family : SegmenterFamily
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps".
    name, sha256 : str
        What the weights are called and their hash, for the record of a run.
    precision : str
        "float32", "bfloat16", or "auto": what the image encoder computes with.
    """

    def __init__(
        self,
        network: Any,
        family: SegmenterFamily,
        device: str = "auto",
        name: str = "",
        sha256: str = "",
        precision: str = "float32",
    ) -> None:
        transformers = library(SEGMENTERS["sam2"])
        self.device = resolve_device(device)
        self.network = network.to(self.device).eval()
        self.padded, self.name, self.sha256 = family.padded, name, sha256
        side = self.image_size
        size = {"longest_edge": side} if family.padded else {"height": side, "width": side}
        pad = {"pad_size": {"height": side, "width": side}} if family.padded else {}
        self._processor = getattr(transformers, family.processor)(size=size, **pad)
        self._precision = resolve_precision(precision, self.device)

    @property
    def image_size(self) -> int:
        """Side of the model's square input, px."""
        return int(self.network.config.prompt_encoder_config.image_size)

    @property
    def mask_size(self) -> int:
        """Side of the low-resolution logits and mask prompts, cells."""
        config = self.network.config.prompt_encoder_config
        return 4 * (int(config.image_size) // int(config.patch_size))

    @torch.inference_mode()
    def embed(self, image: np.ndarray) -> LibraryEmbedding:
        """Encode a frame (H, W, 3) uint8 RGB."""
        check_image(image)
        size = image.shape[:2]
        made = self._processor(
            images=[image], return_tensors="pt", input_data_format="channels_last"
        )
        input_size = (self.image_size, self.image_size)
        if self.padded:
            height, width = np.asarray(made["reshaped_input_sizes"]).reshape(-1, 2)[0].tolist()
            input_size = (height, width)
        narrow = self._precision != torch.float32
        with torch.autocast(self.device.type, self._precision, enabled=narrow):
            found = self.network.get_image_embeddings(made["pixel_values"].to(self.device))
        features = {"image_embeddings": found}
        if isinstance(found, tuple):
            features = {"image_embeddings": found[0], "intermediate_embeddings": list(found[1])}
        return LibraryEmbedding(
            {name: _each(Tensor.float, value) for name, value in features.items()},
            input_size,
            size,
        )

    @torch.inference_mode()
    def predict(
        self,
        embedding: LibraryEmbedding,
        boxes: np.ndarray | None = None,
        points: np.ndarray | None = None,
        point_labels: np.ndarray | None = None,
        mask_logits: np.ndarray | None = None,
    ) -> np.ndarray:
        """Predict one mask per region, all regions in one batch; as `samflow.sam.Sam.predict`."""
        self.check_prompts(boxes, points, point_labels, mask_logits)
        (height, width), size = embedding.input_size, embedding.image_size
        scale = np.array([width / size[1], height / size[0]])
        prompts = {}
        if boxes is not None:
            corners = np.asarray(boxes, float).reshape(-1, 2, 2) * scale
            prompts["input_boxes"] = self._tensor(corners.reshape(-1, 1, 4))
        if points is not None:
            prompts["input_points"] = self._tensor(np.asarray(points, float) * scale)[:, None]
            labels = torch.as_tensor(np.asarray(point_labels), device=self.device)
            prompts["input_labels"] = labels.int()[:, None]
        if mask_logits is not None:
            prompts["input_masks"] = self._tensor(mask_logits)
        regions = len(next(iter(prompts.values())))
        # each region is a frame of the batch: the library has one mask prompt for a frame
        features = {
            name: _each(lambda part: part.expand(regions, *part.shape[1:]), value)
            for name, value in embedding.features.items()
        }
        found = self.network(**features, **prompts, multimask_output=False).pred_masks
        return self._to_frame(found[:, 0].float(), embedding).cpu().numpy()

    def mask_prompt(self, mask: np.ndarray, value: float, coverage: float) -> np.ndarray:
        """A mask (H, W) as `mask_logits` of a region: (1, mask_size, mask_size) float32."""
        return mask_to_low_res_logits(
            mask, self.image_size, self.mask_size, value, coverage, stretch=not self.padded
        )

    def _to_frame(self, logits: Tensor, embedding: LibraryEmbedding) -> Tensor:
        """Low-resolution logits (N, 1, h, w) at the frame's size, as the library does it."""
        if self.padded:
            side, (height, width) = self.image_size, embedding.input_size
            logits = F.interpolate(logits, (side, side), mode="bilinear", align_corners=False)
            logits = logits[..., :height, :width]
        return F.interpolate(logits, embedding.image_size, mode="bilinear", align_corners=False)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(np.asarray(values, np.float32), device=self.device)


def _each(change: Any, value: Any) -> Any:
    """Change a tensor, or every tensor of a list."""
    return [change(each) for each in value] if isinstance(value, list) else change(value)


def load_library_segmenter(name: str, source: str, device: str, precision: str) -> LibrarySegmenter:
    """Load a segmenter by its model's name and its weights' name or folder."""
    family, entry = SEGMENTER_FAMILIES[name], SEGMENTERS[name]
    library(entry, *family.packages)
    folder = find_weights(entry, source)
    network = read_network(entry, folder, family.network, family.model_types)
    called = f"{name}={weights_name(entry, source)}"
    return LibrarySegmenter(network, family, device, called, sha256_of_folder(folder), precision)
