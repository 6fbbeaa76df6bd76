"""The official implementation's outputs, reproduced on its deterministic weights."""

import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from samflow.xmem import Tracker, XMem
from samflow.xmem.geometry import Geometry

DATA = Path(__file__).parent / "data" / "xmem"
_GAINS = {
    "key_proj.key_proj.weight": 16,
    "key_proj.d_proj.weight": 30,
    "key_proj.e_proj.weight": 12,
    "decoder.pred.weight": 3,
    "value_encoder.conv1.weight": 3,
    "value_encoder.fuser.block1.conv1.weight": 2,
}


def golden_array(name: str, shape: tuple[int, ...]) -> np.ndarray:
    rs = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_mean"):
        array = 0.05 * rs.standard_normal(shape)
    elif name.endswith("running_var"):
        array = 0.8 + 0.4 * rs.random_sample(shape)
    elif name.endswith("bias"):
        array = 0.02 * rs.standard_normal(shape) - (5.0 if name == "decoder.pred.bias" else 0.0)
    elif len(shape) == 1:
        array = 0.5 + 0.05 * rs.standard_normal(shape)
    else:
        gain = _GAINS.get(name, 1)
        array = rs.standard_normal(shape) * math.sqrt(1.5 / math.prod(shape[1:])) * gain
    return np.asarray(array).astype(np.float32)


def golden_state_dict() -> dict[str, torch.Tensor]:
    shapes = json.loads((DATA / "state_dict_shapes.json").read_text())
    return {name: torch.from_numpy(golden_array(name, tuple(s))) for name, s in shapes.items()}


@pytest.fixture(scope="module")
def network() -> XMem:
    network = XMem()
    network.load_state_dict(golden_state_dict(), strict=True)
    return network.eval().requires_grad_(False)


def test_the_state_dict_has_the_official_names_and_shapes(network: XMem) -> None:
    shapes = json.loads((DATA / "state_dict_shapes.json").read_text())
    assert {name: list(v.shape) for name, v in network.state_dict().items()} == shapes


def test_every_layer_agrees(network: XMem) -> None:
    golden = np.load(DATA / "golden_layers.npz")
    pad = Geometry(golden["label"].shape).padding
    image = torch.from_numpy(golden["frame"]).permute(2, 0, 1).float() / 255
    image = torch.nn.functional.pad(network.normalise(image)[None], pad)
    features = network.encode_key(image)
    for name in ("key", "shrinkage", "selection"):
        ours = getattr(features, name).numpy()
        np.testing.assert_allclose(ours, golden[name], rtol=1e-3, atol=1e-3, err_msg=name)
    for name in ("f16", "f8", "f4"):
        ours = getattr(features, name).mean((2, 3)).numpy()
        np.testing.assert_allclose(ours, golden[f"{name}_mean"], rtol=1e-3, atol=1e-4)
    label = torch.from_numpy(golden["label"])
    masks = torch.stack([label == 1, label == 2]).float()[None]
    masks = torch.nn.functional.pad(masks, pad)
    hidden = torch.zeros(1, 2, 64, 5, 6)
    value, after_value = network.encode_value(image, features.f16, masks, hidden)
    np.testing.assert_allclose(value.numpy(), golden["value"], rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(after_value.numpy(), golden["hidden_after_value"], atol=1e-4)
    logits, after_decode = network.segment(features, value, after_value)
    np.testing.assert_allclose(after_decode.numpy(), golden["hidden_after_decode"], atol=1e-4)
    np.testing.assert_allclose(logits.numpy()[..., ::2, ::2], golden["logits"], atol=2e-3)


@pytest.mark.parametrize("name", ["long_term", "no_long_term", "late_object", "correction"])
def test_a_run_gives_the_official_probabilities_and_memory_sizes(network: XMem, name: str) -> None:
    golden = np.load(DATA / f"golden_{name}.npz")
    config = json.loads(str(golden["config"]))
    tracker = Tracker(
        network,
        mem_every=config["mem_every"],
        top_k=config["top_k"],
        long_term=config["enable_long_term"],
        count_long_term_usage=config["enable_long_term_count_usage"],
        max_mid_term_frames=config["max_mid_term_frames"],
        min_mid_term_frames=config["min_mid_term_frames"],
        num_prototypes=config["num_prototypes"],
        max_long_term_elements=config["max_long_term_elements"],
        deep_update_every=config["deep_update_every"],
    )
    given = dict(zip(golden["mask_frames"].tolist(), golden["masks"], strict=True))
    last = len(golden["frames"]) - 1
    sizes, errors = [], {}
    for t, frame in enumerate(golden["frames"]):
        probabilities = tracker.step(frame, given.get(t), last=t == last)
        sizes.append(tracker.memory_sizes)
        if t in golden["prob_frames"]:
            errors[t] = float(np.abs(probabilities - golden[f"prob_{t:03d}"]).max())
    assert len(errors) == len(golden["prob_frames"])
    assert max(errors.values()) < 1e-3, errors
    assert sizes == [tuple(row) for row in golden["sizes"].tolist()]
