"""Masks computed in bfloat16 beside those in float32."""

from collections.abc import Iterator

import numpy as np

from samflow.lab.benchmark import CLIPS
from samflow.lab.synthetic import DyeClip
from samflow.prompts import Prompts
from samflow.results.metrics import region_similarity
from samflow.sam import Sam, load_sam
from samflow.strategies import STRATEGY_NAMES, Frame, build_strategies, segment_first_frame
from samflow.xmem import XMem, load_xmem

_DYES = (1, 2)


def precision_agreement(
    device: str, clips: int, frames: int, size: tuple[int, int] = (270, 480)
) -> dict[str, dict[str, float]]:
    """Compare each strategy's masks in bfloat16 with those in float32, with the demo weights.

    Parameters
    ----------
    device : str
    clips : int
        How many of the dye benchmark's clips.
    frames : int
        Of each clip. The first frame's masks are computed in the same precision.
    size : (int, int)
        (H, W) of the frames, px.

    Returns
    -------
    dict of strategy to dict
        "mean" and "lowest" IoU over clips, dyes and frames, in [0, 1].
    """
    found: dict[str, list[float]] = {name: [] for name in STRATEGY_NAMES}
    models = [
        (load_sam("demo", device, precision), load_xmem("demo", device, precision))
        for precision in ("float32", "bfloat16")
    ]
    for clip in CLIPS[:clips]:
        film = DyeClip(clip.seed, size, frames, look=clip.look, scene=clip.scene)
        images, prompts = [image for image, _ in film], film.prompts()
        ways = [_label_maps(images, prompts, *pair) for pair in models]
        for exact, coarse in zip(*ways, strict=True):
            for name in STRATEGY_NAMES:
                found[name] += [
                    region_similarity(coarse[name] == k, exact[name] == k) for k in _DYES
                ]
    return {
        name: {"mean": float(np.mean(values)), "lowest": min(values)}
        for name, values in found.items()
    }


def _label_maps(
    images: list[np.ndarray], prompts: Prompts, sam: Sam, network: XMem
) -> Iterator[dict[str, np.ndarray]]:
    """Each strategy's label map of one frame after another."""
    strategies = build_strategies(STRATEGY_NAMES, sam, network)
    for index, image in enumerate(images):
        frame = Frame(image, index)
        if index == 0:
            first = segment_first_frame(sam, frame, prompts)
            yield {name: each.start(frame, first) for name, each in strategies.items()}
        else:
            yield {name: each.step(frame) for name, each in strategies.items()}
