"""Build XMem from a checkpoint, with every size read off the file."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from samflow.device import resolve_device, resolve_precision
from samflow.errors import SamflowError
from samflow.weights import load_checkpoint, waiting
from samflow.xmem.folding import prepare
from samflow.xmem.network import XMem


def xmem_from_state_dict(state_dict: Mapping[str, Tensor], source: str = "checkpoint") -> XMem:
    """Build the network whose sizes a state dict shows, and load it.

    Parameters
    ----------
    state_dict : mapping of str to Tensor
        Official names. A single-object file (4 input channels in the value encoder) gets a zero
        channel for the other objects; a file without `decoder.hidden_update` has no sensory memory.
    source : str
        How messages name the file.

    Returns
    -------
    XMem
        In evaluation mode, float32, on the CPU.

    Raises
    ------
    SamflowError
        When entries are missing, too many, or of the wrong shape.
    """
    entries = {
        name: t.float() if t.is_floating_point() else t
        for name, t in state_dict.items()
        if isinstance(t, Tensor)
    }
    try:
        hidden = entries.get("decoder.hidden_update.transform.weight")
        network = XMem(
            key_dim=len(entries["key_proj.key_proj.weight"]),
            value_dim=len(entries["value_encoder.fuser.block2.conv2.weight"]),
            hidden_dim=0 if hidden is None else len(hidden) // 3,
            width=len(entries["key_encoder.conv1.weight"]) / 64,
        )
        stem = entries["value_encoder.conv1.weight"]
        if stem.shape[1] == 4:
            entries["value_encoder.conv1.weight"] = torch.cat([stem, stem[:, :1] * 0], 1)
    except (KeyError, TypeError, IndexError) as error:
        raise SamflowError(
            f"{source} is no XMem checkpoint: entry {error} is missing. "
            "Expected the official XMem.pth, XMem-s012.pth, demo, or a file of the same layout."
        ) from error
    try:
        network.load_state_dict(entries, strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split("\n\t")[1:2]).strip()[:200]
        raise SamflowError(
            f"{source} does not fit XMem: {reason} "
            "Expected the official XMem.pth, XMem-s012.pth, demo, or a file of the same layout."
        ) from error
    return network.eval()


def load_xmem(name_or_file: str | Path, device: str = "auto", precision: str = "float32") -> XMem:
    """Load XMem by name ("demo", "XMem", "XMem-s012") or from a checkpoint file.

    Parameters
    ----------
    name_or_file : str or Path
        A name of the registry, or the path of any XMem checkpoint; sizes are read off the file.
    device : str
        "auto" (cuda, mps, cpu) or a torch device.
    precision : str
        "float32", "bfloat16", or "auto"; see `samflow.device.resolve_precision`.

    Returns
    -------
    XMem
        For tracking alone: without gradients, its batch norms folded into the convolutions.

    Raises
    ------
    SamflowError
        When the file is missing, damaged, or holds another model.
    """
    with waiting(f"loading XMem {name_or_file}"):
        checkpoint = load_checkpoint(name_or_file, kind="xmem")
        network = xmem_from_state_dict(checkpoint.state_dict, str(checkpoint.path))
    network.name, network.sha256 = checkpoint.name, checkpoint.sha256
    target = resolve_device(device)
    return prepare(network, target, resolve_precision(precision, target))
