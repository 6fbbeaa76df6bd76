"""The fast image encoder against the official one, on the same weights."""

import pytest
import torch

from models import SMALL_SAM, randomise
from samflow.sam import SamArchitecture, build_sam
from samflow.sam import encoder as module
from samflow.sam.encoder import FastEncoder

# two blocks with windows before the first global one, as in the official models
ARCHITECTURE = SamArchitecture(
    **{**vars(SMALL_SAM), "image_size": 176, "depth": 5, "global_blocks": (2, 4)}
)
# (H, W) of the frame in the square: square, wide, tall, a thin strip, one row of windows short
SIZES = [(176, 176), (99, 176), (176, 60), (5, 176), (144, 176)]


@pytest.fixture(scope="module")
def official():
    torch.manual_seed(0)
    return randomise(build_sam(ARCHITECTURE)).eval().image_encoder


def _frame(size, seed):
    side = ARCHITECTURE.image_size
    pixels = torch.randn((1, 3, *size), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.pad(pixels, (0, side - size[1], 0, side - size[0]))


@pytest.mark.parametrize("at_once", [1 << 20, 300], ids=["fused", "in parts"])
@torch.inference_mode()
def test_features_are_the_official_ones(official, monkeypatch, at_once):
    """For every shape of frame, another frame of the same shape, and back to the first shape."""
    monkeypatch.setattr(module, "_SCORES_AT_ONCE", at_once)
    fast = FastEncoder(official)
    for number, size in enumerate([*SIZES, SIZES[1], *SIZES]):
        pixels = _frame(size, number)
        expected = official(pixels)
        error = (fast(pixels, size) - expected).abs().max() / expected.abs().max()
        assert error < 1e-5, size


@torch.inference_mode()
def test_the_padding_is_computed_once_for_a_shape(official, monkeypatch):
    fast = FastEncoder(official)
    tokens = []
    go = FastEncoder._go

    def counted(self, x, first, last):
        tokens.append((x.shape[0], first))
        return go(self, x, first, last)

    monkeypatch.setattr(FastEncoder, "_go", counted)
    for seed in range(3):
        fast(_frame((99, 176), seed), (99, 176))
    # 99 px are 7 rows of patches, which end within the third row of windows of 3 patches
    assert tokens == [(9, 0), (11, 0), (11, 2), (9, 0), (11, 2), (9, 0), (11, 2)]


@pytest.mark.parametrize("changes", [{"window_size": 0, "global_blocks": tuple(range(5))}, {}])
@torch.inference_mode()
def test_models_without_windows_or_positions(changes):
    torch.manual_seed(1)
    encoder = build_sam(SamArchitecture(**{**vars(ARCHITECTURE), **changes})).eval().image_encoder
    if not changes:
        for block in encoder.blocks:
            block.attn.use_rel_pos = False
    pixels = _frame((99, 176), 0)
    torch.testing.assert_close(FastEncoder(encoder)(pixels, (99, 176)), encoder(pixels))
