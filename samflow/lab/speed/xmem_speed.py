"""XMem's step: the plain path, or the official code where its folder is given, beside ours."""

import sys
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from samflow.errors import SamflowError
from samflow.lab.speed.machine import count_operations
from samflow.xmem import Tracker, XMem
from samflow.xmem.blocks import FeatureFusion, GroupResBlock
from samflow.xmem.folding import prepare
from samflow.xmem.geometry import Geometry
from samflow.xmem.network import soft_aggregate
from samflow.xmem.reading import similarity

Image = np.ndarray
# frames between memory frames, and elements that answer a query, as in the official tool
_MEM_EVERY, _TOP_K = 5, 30


class _Concatenated(GroupResBlock):
    """Image features repeated for every object and concatenated, as the official code does."""

    def forward(self, x: Tensor, g: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(torch.cat([x[:, None].expand(-1, g.shape[1], -1, -1, -1), g], 2))


class PlainXMem:
    """XMem over a clip, step by step as in the official code; working memory alone.

    Parameters
    ----------
    network : XMem
        In float32; it is copied.

    Notes
    -----
    No folded norms, no oneDNN layout, features repeated for every object, memory that grows by
    concatenation, a dense matrix of affinities. `step` is `Tracker.step` with `long_term=False`.
    """

    def __init__(self, network: XMem) -> None:
        self.network = deepcopy(network).eval()
        for module in self.network.modules():
            if isinstance(module, FeatureFusion):
                module.block1.__class__ = _Concatenated  # type: ignore[assignment]
        self._frame = 0
        self._memory: list[Tensor] = []
        self._hidden = torch.empty(0)

    @torch.inference_mode()
    def step(self, image: Image, labels: np.ndarray | None = None) -> np.ndarray:
        """Probabilities (1 + N, H, W) float32 of a frame; `labels` are given on the first."""
        network, geometry = self.network, Geometry(image.shape[:2])
        pixels = torch.from_numpy(image).to(network.device).permute(2, 0, 1).float() / 255
        pixels = geometry.image_to_grid(network.normalise(pixels)[None])
        features = network.encode_key(pixels)
        remember = self._frame % _MEM_EVERY == 0
        if labels is not None:
            masks = [labels == i for i in np.unique(labels) if i != 0]
            given = torch.from_numpy(np.stack(masks)).float().to(network.device)
            given = geometry.masks_to_grid(given[None])
            probabilities = soft_aggregate(given).softmax(1)
            shape = (1, len(masks), network.hidden_dim, *geometry.cells)
            self._hidden = pixels.new_zeros(shape)
        else:
            readout = self._read(features.key, features.selection)
            logits, hidden = network.segment(features, readout, self._hidden, not remember)
            self._hidden = self._hidden if remember else hidden
            probabilities = logits.softmax(1)
        if remember:
            value, self._hidden = network.encode_value(
                pixels, features.f16, probabilities[:, 1:], self._hidden
            )
            fresh = [t.flatten(2) for t in (features.key, features.shrinkage, value[0])]
            before = self._memory or [t[..., :0] for t in fresh]
            pairs = zip(before, fresh, strict=True)
            self._memory = [torch.cat([old, new], 2) for old, new in pairs]
        self._frame += 1
        return geometry.grid_to_frame(probabilities)[0].cpu().numpy()

    def _read(self, key: Tensor, selection: Tensor) -> Tensor:
        """Values (1, N, CV, h, w) through a dense matrix of affinities."""
        keys, shrinkage, values = self._memory
        scores = similarity(
            keys[0].T, shrinkage[0, 0], key[0].flatten(1).T, selection[0].flatten(1).T
        )
        best, places = scores.topk(min(_TOP_K, scores.shape[1]), 1)
        weights = torch.zeros_like(scores).scatter_(1, places, best.softmax(1))
        return F.linear(values, weights).unflatten(2, key.shape[-2:])[None]


def official_stepper(folder: Path, network: XMem) -> Callable[[Image, np.ndarray | None], Any]:
    """Make the official code's step, from a copy of its repository, with our network's weights.

    Raises
    ------
    SamflowError
        When the folder does not hold XMem's official code.
    """
    if not (folder / "inference" / "inference_core.py").is_file():
        raise SamflowError(
            f"{folder} has no inference/inference_core.py: give --official-xmem the folder of "
            "XMem's own repository."
        )
    sys.path.insert(0, str(folder))
    try:
        from inference.inference_core import InferenceCore  # type: ignore[import-not-found]
        from model.network import XMem as OfficialXMem  # type: ignore[import-not-found]
    except ImportError as error:
        raise SamflowError(f"XMem's code in {folder} can't be imported: {error}.") from None
    finally:
        sys.path.remove(str(folder))
    config = {
        "enable_long_term": True,
        "enable_long_term_count_usage": False,
        "max_mid_term_frames": 10,
        "min_mid_term_frames": 5,
        "num_prototypes": 128,
        "max_long_term_elements": 10000,
        "mem_every": _MEM_EVERY,
        "deep_update_every": -1,
        "top_k": _TOP_K,
    }
    official = OfficialXMem(config).to(network.device).eval()
    official.load_weights(network.state_dict())
    core = InferenceCore(official, config=config)

    @torch.inference_mode()
    def step(image: Image, labels: np.ndarray | None = None) -> Any:
        pixels = torch.from_numpy(image).to(network.device).permute(2, 0, 1).float() / 255
        if labels is None:
            return core.step(network.normalise(pixels)).cpu()
        ids = [int(i) for i in np.unique(labels) if i != 0]
        core.set_all_labels(ids)
        masks = torch.from_numpy(np.stack([labels == i for i in ids])).float()
        return core.step(network.normalise(pixels), masks.to(network.device)).cpu()

    return step


def step_rows(
    network: XMem, size: tuple[int, int], frames: int, official: Path | None
) -> list[dict[str, Any]]:
    """Time XMem's step on frames of `size` (H, W) with two objects.

    Parameters
    ----------
    network : XMem
        As `XMem()` builds it, on its device; it is copied.
    size : (int, int)
    frames : int
        Steps after the first, best a multiple of 5: the time is the mean over them, so that memory
        frames count as often as they come.
    official : Path or None
        Folder of the official code to compare with; by default our own plain path.

    Returns
    -------
    list of dict
        For each precision, as in `samflow.lab.speed.sam_speed.encoder_rows`; `error` is the largest
        difference of a probability from those of the reference.
    """
    device = network.device
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (frames + 1, *size, 3), dtype=np.uint8)
    labels = np.zeros(size, np.uint8)
    labels[: size[0] // 3], labels[size[0] // 2 :] = 1, 2
    steppers: dict[str, Any] = {
        "reference": PlainXMem(network).step
        if official is None
        else official_stepper(official, network)
    }
    for name, precision in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        steppers[name] = Tracker(prepare(deepcopy(network), device, precision)).step
    for step in steppers.values():
        step(images[0], labels)
    seconds, errors = dict.fromkeys(steppers, 0.0), dict.fromkeys(steppers, 0.0)
    for image in images[1:]:
        results = {}
        for name, step in steppers.items():
            begin = time.perf_counter()
            results[name] = np.asarray(step(image))  # on the CPU: the device has finished
            seconds[name] += time.perf_counter() - begin
        for name, found in results.items():
            difference = np.abs(found - results["reference"])
            errors[name] = max(errors[name], float(difference.max()))
    plain = PlainXMem(network)
    plain.step(images[0], labels)
    operations = count_operations(lambda: [plain.step(image) for image in images[1:]]) / frames
    return [
        {
            "what": "XMem step",
            "precision": name,
            "seconds": seconds[name] / frames,
            "reference_seconds": seconds["reference"] / frames,
            "operations": operations,
            "error": errors[name],
        }
        for name in ("float32", "bfloat16")
    ]
