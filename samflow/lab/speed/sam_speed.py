"""SAM's image encoder: the official class beside ours, same weights, same frame."""

from contextlib import nullcontext
from copy import deepcopy
from typing import Any

import numpy as np
import torch

from samflow.lab.benchmark import CLIPS
from samflow.lab.speed.clock import time_in_turn
from samflow.lab.speed.machine import count_operations
from samflow.lab.synthetic import DyeClip
from samflow.sam import Sam, SamArchitecture, build_sam, load_sam

ARCHITECTURES = {
    "vit_b": SamArchitecture(1024, 16, 768, 12, 12, 14, (2, 5, 8, 11)),
    "vit_l": SamArchitecture(1024, 16, 1024, 24, 16, 14, (5, 11, 17, 23)),
    "vit_h": SamArchitecture(1024, 16, 1280, 32, 16, 14, (7, 15, 23, 31)),
}
"""The official sizes (segment_anything/build_sam.py): time does not depend on the weights."""


def random_sam(architecture: SamArchitecture, device: str, precision: str) -> Sam:
    """Build a Sam with random weights, the same at each call."""
    torch.manual_seed(0)
    return Sam(build_sam(architecture), device, precision=precision)


def encoder_rows(
    architecture: SamArchitecture, size: tuple[int, int], device: str, repeats: int
) -> list[dict[str, Any]]:
    """Time the image encoder on a frame of `size` (H, W).

    Returns
    -------
    list of dict
        For each precision: `seconds` of ours, `reference_seconds` of the official class (under
        autocast for bfloat16), `operations` of the official class, `error`: the largest difference
        of the embeddings from the official float32 ones, relative to their largest value.
    """
    ours = {"float32": random_sam(architecture, device, "float32")}
    official = ours["float32"].model
    ours["bfloat16"] = Sam(deepcopy(official), device, precision="bfloat16")
    target = ours["float32"].device
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    pixels = official.preprocess(ours["float32"].to_pixels(image)[0])

    def reference(precision: str) -> torch.Tensor:
        half = torch.autocast(target.type, torch.bfloat16)
        with torch.inference_mode(), half if precision == "bfloat16" else nullcontext():
            return official.image_encoder(pixels)

    ways: dict[str, Any] = {}
    for name, sam in ours.items():
        ways[f"official {name}"] = lambda name=name: reference(name)
        ways[f"ours {name}"] = lambda sam=sam: sam.embed(image)
    exact = reference("float32")
    operations = count_operations(lambda: reference("float32"))
    seconds = time_in_turn(ways, repeats, target)
    return [
        {
            "what": "SAM encoder",
            "precision": name,
            "seconds": seconds[f"ours {name}"],
            "reference_seconds": seconds[f"official {name}"],
            "operations": operations,
            "error": float((sam.embed(image).features - exact).abs().max() / exact.abs().max()),
        }
        for name, sam in ours.items()
    ]


def mask_agreement(device: str, clips: int, size: tuple[int, int] = (270, 480)) -> float:
    """Lowest IoU of a region's mask in bfloat16 with that in float32.

    Parameters
    ----------
    device : str
    clips : int
        How many of the dye benchmark's clips; the demo weights segment the first frame of each
        from its boxes.
    size : (int, int)
        (H, W) of the frames, px.

    Returns
    -------
    float
        In [0, 1].
    """
    exact, coarse = (load_sam("demo", device, precision) for precision in ("float32", "bfloat16"))
    lowest = 1.0
    for clip in CLIPS[:clips]:
        film = DyeClip(clip.seed, size, 1, look=clip.look, scene=clip.scene)
        image, _ = next(iter(film))
        prompts = film.prompts()
        a, b = (
            sam.predict_regions(sam.embed(image), prompts) > sam.mask_threshold
            for sam in (exact, coarse)
        )
        either = (a | b).sum((1, 2, 3))
        lowest = min(lowest, float(((a & b).sum((1, 2, 3)) / np.maximum(either, 1)).min()))
    return lowest
