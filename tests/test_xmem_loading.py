"""Checkpoints: every size read off the file, wrong files refused."""

from pathlib import Path

import pytest
import torch

from samflow.errors import SamflowError
from samflow.xmem import XMem, load_xmem
from samflow.xmem.xmem_checkpoint import xmem_from_state_dict


def small(hidden_dim: int = 4) -> XMem:
    torch.manual_seed(0)
    return XMem(key_dim=8, value_dim=16, hidden_dim=hidden_dim, width=1 / 16).eval()


@pytest.mark.parametrize("sizes", [(8, 16, 4, 1 / 16), (5, 32, 0, 3 / 32), (12, 48, 6, 1 / 4)])
def test_sizes_are_read_off_the_file(sizes: tuple[int, int, int, float]) -> None:
    source = XMem(*sizes)
    loaded = xmem_from_state_dict(source.state_dict())
    assert (loaded.key_dim, loaded.value_dim, loaded.hidden_dim, loaded.width) == sizes
    for name, entry in source.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], entry), name


def test_a_single_object_file_gets_a_channel_without_effect() -> None:
    source = small()
    entries = source.state_dict()
    entries["value_encoder.conv1.weight"] = entries["value_encoder.conv1.weight"][:, :4]
    loaded = xmem_from_state_dict(entries)
    image, masks = torch.randn(1, 3, 32, 32), torch.rand(1, 2, 32, 32)
    f16 = torch.randn(1, 64, 2, 2)
    others = masks.flip(1)
    swapped = torch.stack([masks[:, 0], others[:, 0] * 0], 1)
    value = loaded.value_encoder(image, f16, masks)
    assert torch.allclose(value[:, 0], loaded.value_encoder(image, f16, swapped)[:, 0], atol=1e-5)
    five = source.value_encoder(image, f16, masks)
    assert not torch.allclose(value, five)


def test_float16_entries_become_float32() -> None:
    entries = {k: v.half() if v.is_floating_point() else v for k, v in small().state_dict().items()}
    loaded = xmem_from_state_dict(entries)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}


def test_a_file_loads_without_gradients_and_in_evaluation_mode(tmp_path: Path) -> None:
    source = small()
    torch.save(source.state_dict(), tmp_path / "small.pth")
    loaded = load_xmem(str(tmp_path / "small.pth"), device="cpu")
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    assert torch.equal(loaded.decoder.pred.weight, source.decoder.pred.weight)


def test_another_model_is_refused_in_one_line() -> None:
    with pytest.raises(SamflowError, match=r"no XMem checkpoint.*missing") as caught:
        xmem_from_state_dict({"image_encoder.pos_embed": torch.zeros(1)}, "sam.pth")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_a_file_that_does_not_fit_is_refused_in_one_line(change: str) -> None:
    entries = dict(small().state_dict())
    name = "decoder.up_8_4.skip_conv.weight"
    if change == "missing":
        del entries[name]
    elif change == "extra":
        entries["decoder.unheard_of"] = torch.zeros(1)
    else:
        entries[name] = entries[name][:1]
    with pytest.raises(SamflowError, match=r"does not fit XMem: .*decoder") as caught:
        xmem_from_state_dict(entries, "file.pth")
    assert "\n" not in str(caught.value)


def test_sizes_that_make_no_network_are_refused() -> None:
    with pytest.raises(SamflowError, match="width"):
        XMem(width=0)
