"""SAM's image encoder: the official class beside ours, same weights, same frame."""

from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
import torch

from samflow.lab.speed.clock import time_in_turn
from samflow.lab.speed.machine import count_operations
from samflow.sam import Sam, SamArchitecture, build_sam

ARCHITECTURES = {
    "vit_b": SamArchitecture(1024, 16, 768, 12, 12, 14, (2, 5, 8, 11)),
    "vit_l": SamArchitecture(1024, 16, 1024, 24, 16, 14, (5, 11, 17, 23)),
    "vit_h": SamArchitecture(1024, 16, 1280, 32, 16, 14, (7, 15, 23, 31)),
    # three of the twelve blocks, one of them with global attention as in each third
    "a quarter of vit_b": SamArchitecture(1024, 16, 768, 3, 12, 14, (2,)),
}
"""The official sizes (segment_anything/build_sam.py): time does not depend on the weights."""


def random_sam(architecture: SamArchitecture, device: str, precision: str) -> Sam:
    """Build a Sam with random weights, the same at each call."""
    torch.manual_seed(0)
    return Sam(build_sam(architecture), device, precision=precision)


def encoder_rows(
    name: str, size: tuple[int, int], device: str, repeats: int
) -> list[dict[str, Any]]:
    """Time the image encoder of an architecture of `ARCHITECTURES` on a frame of `size` (H, W).

    Returns
    -------
    list of dict
        For each precision: `seconds` of ours, `reference_seconds` of the official class (under
        autocast for bfloat16), `operations` of the official class, `error`: the largest difference
        of the embeddings from the official float32 ones, relative to their largest value.
    """
    ours = {"float32": random_sam(ARCHITECTURES[name], device, "float32")}
    official = ours["float32"].model
    ours["bfloat16"] = Sam(deepcopy(official), device, precision="bfloat16")
    target = ours["float32"].device
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    pixels = official.preprocess(ours["float32"].to_pixels(image)[0])

    def reference(precision: str) -> torch.Tensor:
        half = torch.autocast(target.type, torch.bfloat16)
        with torch.inference_mode(), half if precision == "bfloat16" else nullcontext():
            return official.image_encoder(pixels)

    def features(sam: Sam) -> torch.Tensor:
        return sam.embed(image).features

    results: dict[str, torch.Tensor] = {}

    def keep(name: str, way: Callable[[], torch.Tensor]) -> Callable[[], None]:
        return lambda: results.update({name: way()})

    ways = {}
    for precision, sam in ours.items():
        ways[f"official {precision}"] = keep(f"official {precision}", partial(reference, precision))
        ways[f"ours {precision}"] = keep(precision, partial(features, sam))
    seconds = time_in_turn(ways, repeats, target)
    exact = results["official float32"]
    operations = count_operations(lambda: reference("float32"))
    return [
        {
            "what": f"SAM's encoder, {name}",
            "precision": precision,
            "seconds": seconds[f"ours {precision}"],
            "reference_seconds": seconds[f"official {precision}"],
            "operations": operations,
            "error": float((results[precision] - exact).abs().max() / exact.abs().max()),
        }
        for precision in ours
    ]
