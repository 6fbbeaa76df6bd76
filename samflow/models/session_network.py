"""Networks of the SAM 2 kind for films, from the `transformers` library.

Ravi et al., "SAM 2: Segment Anything in Images and Videos", arXiv 2408.00714; Zhou et al.,
"EdgeTAM: On-Device Track Anything Model", CVPR 2025, arXiv 2501.07256; Carion et al., "SAM 3:
Segment Anything with Concepts", arXiv 2511.16719, of which this is the part that tracks.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from samflow.device import resolve_device, resolve_precision
from samflow.errors import check_image
from samflow.models.known_models import MODELS
from samflow.models.library_weights import (
    find_weights,
    library,
    read_network,
    sha256_of_folder,
    weights_name,
)

if TYPE_CHECKING:
    from samflow.models.session_tracker import SessionTracker


@dataclass(frozen=True)
class Family:
    """What the library calls a model's parts, and what its weights' `config.json` may say."""

    network: str
    session: str
    processor: str
    model_types: tuple[str, ...]
    packages: tuple[str, ...] = ()  # that it needs besides the library


FAMILIES = {
    "sam2": Family(
        "Sam2VideoModel", "Sam2VideoInferenceSession", "Sam2ImageProcessor", ("sam2_video",)
    ),
    "edgetam": Family(
        "EdgeTamVideoModel",
        "EdgeTamVideoInferenceSession",
        "Sam2ImageProcessor",
        ("edgetam_video",),
        packages=("timm",),  # its image encoder
    ),
    "sam3": Family(
        "Sam3TrackerVideoModel",
        "Sam3TrackerVideoInferenceSession",
        "Sam3ImageProcessor",
        ("sam3_tracker_video", "sam3_video"),
    ),
}


class SessionNetwork:
    """A network that remembers what it saw in sessions, ready to track.

    Parameters
    ----------
    network : torch.nn.Module
        Of the library. It is moved to `device`.
    family : Family
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
        family: Family,
        device: str = "auto",
        name: str = "",
        sha256: str = "",
        precision: str = "float32",
    ) -> None:
        transformers = library(MODELS["sam2"])
        self.device = resolve_device(device)
        self.network = network.to(self.device).eval()
        self.name, self.sha256 = name, sha256
        side = network.config.image_size
        self.image_size: int = side if isinstance(side, int) else side[0]
        self._session_class = getattr(transformers, family.session)
        size = {"height": self.image_size, "width": self.image_size}
        self._processor = getattr(transformers, family.processor)(size=size)
        self._precision = resolve_precision(precision, self.device)

    def tracker(self) -> "SessionTracker":
        """A tracker at the start of its way."""
        from samflow.models.session_tracker import SessionTracker

        return SessionTracker(self)

    @property
    def reach(self) -> tuple[int, int]:
        """Frames back in time that memory attention reads: whole memories, object pointers."""
        config = self.network.config
        return config.num_maskmem - 1, config.max_object_pointers_in_encoder - 1

    def new_session(self, size: tuple[int, int]) -> Any:
        """A session for one object in frames of size (H, W), with nothing remembered."""
        session = self._session_class(
            video_height=size[0],
            video_width=size[1],
            inference_device=self.device,
            inference_state_device=self.device,
            video_storage_device=self.device,
            dtype=torch.float32,
        )
        session.obj_id_to_idx(1)
        return session

    @torch.inference_mode()
    def encode(self, image: np.ndarray) -> tuple[Tensor, dict[str, list[Tensor]]]:
        """Encode a frame (H, W, 3) uint8.

        Returns
        -------
        pixels : Tensor
            (1, 3, image_size, image_size) float32, as the library's own processor makes them.
        features : dict of str to list of Tensor
            As the library's sessions keep them.
        """
        check_image(image)
        made = self._processor(
            images=[image], return_tensors="pt", input_data_format="channels_last"
        )
        pixels = made["pixel_values"].to(self.device)
        narrow = self._precision != torch.float32
        with torch.autocast(self.device.type, self._precision, enabled=narrow):
            found = self.network.get_image_features(pixels, return_dict=True)
        return pixels, {
            "vision_feats": [each.float() for each in found.fpn_hidden_states],
            "vision_pos_embeds": [each.float() for each in found.fpn_position_encoding],
        }


def load_session_network(name: str, source: str, device: str, precision: str) -> SessionNetwork:
    """Load a network by its model's name and its weights' name or folder."""
    family, entry = FAMILIES[name], MODELS[name]
    library(entry, *family.packages)
    folder = find_weights(entry, source)
    network = read_network(entry, folder, family.network, family.model_types)
    called = weights_name(entry, source)
    return SessionNetwork(network, family, device, called, sha256_of_folder(folder), precision)
