"""Tiny random networks in files, for tests that go through the commands."""

from pathlib import Path

import torch

from samflow.sam import SamArchitecture, build_sam
from samflow.xmem import XMem

SMALL_SAM = SamArchitecture(
    image_size=128,
    patch_size=16,
    embed_dim=48,
    depth=3,
    num_heads=2,
    window_size=3,
    global_blocks=(1,),
    prompt_dim=64,
    mask_channels=8,
    decoder_mlp_dim=96,
)


def randomise(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give every tensor random values, also those that start at zero (relative positions)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            scale = 0.02 if parameter.ndim < 2 else parameter[0].numel() ** -0.5
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
    return model


def small_sam(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return randomise(build_sam(SMALL_SAM), seed).eval()


def small_xmem(seed: int = 0) -> XMem:
    torch.manual_seed(seed)
    network = XMem(key_dim=8, value_dim=16, hidden_dim=4, width=1 / 16)
    return network.requires_grad_(False).eval()


def save_models(folder: Path) -> tuple[Path, Path]:
    """Write random weights of a small SAM and a small XMem; returns their files."""
    folder.mkdir(parents=True, exist_ok=True)
    sam, xmem = folder / "small_sam.pth", folder / "small_xmem.pth"
    torch.save(small_sam().state_dict(), sam)
    torch.save(small_xmem().state_dict(), xmem)
    return sam, xmem
