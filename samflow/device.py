"""Where tensors live and how precise they are: the one place that names cuda, mps and cpu."""

import os
from typing import TYPE_CHECKING

from samflow.errors import SamflowError

if TYPE_CHECKING:
    import torch

PRECISIONS = ("float32", "bfloat16", "auto")
"""Names of what networks compute with."""


def resolve_device(name: str = "auto") -> "torch.device":
    """Turn a device name into a torch device that this machine has.

    Parameters
    ----------
    name : str
        "auto" takes cuda, else mps, else cpu; otherwise any torch device string ("cpu", "cuda:1").

    Returns
    -------
    torch.device

    Raises
    ------
    SamflowError
        For an unknown name, or a device that is not there.
    """
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise SamflowError(f"device {name!r} is unknown: expected auto, cpu, cuda, cuda:N or mps.")
    missing_cuda = device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    if missing_cuda or (device.type == "mps" and not torch.backends.mps.is_available()):
        raise SamflowError(f"device {name!r} is not on this machine: use --device auto or cpu.")
    return device


def visible_gpus() -> list[str]:
    """Names of this machine's GPUs, each of which CUDA_VISIBLE_DEVICES may be set to.

    Returns
    -------
    list of str
        Those that this process may use; empty without CUDA.
    """
    import torch

    count = torch.cuda.device_count()
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = allowed.split(",") if allowed else map(str, range(count))
    return [name.strip() for name in names][:count]


def resolve_precision(name: str, device: "torch.device") -> "torch.dtype":
    """Turn a precision's name into the type that networks compute with on a device.

    Parameters
    ----------
    name : str
        "float32", "bfloat16", or "auto": bfloat16 where the device multiplies it faster than
        float32, else float32.
    device : torch.device

    Returns
    -------
    torch.dtype

    Raises
    ------
    SamflowError
        For an unknown name.
    """
    import torch

    if name not in PRECISIONS:
        raise SamflowError(f"precision {name!r} is unknown: expected {', '.join(PRECISIONS)}.")
    if name == "auto":
        name = "bfloat16" if _has_bfloat16(device) else "float32"
    return torch.bfloat16 if name == "bfloat16" else torch.float32


def _has_bfloat16(device: "torch.device") -> bool:
    """Whether a device has instructions for products of bfloat16."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)  # Ampere
    if device.type == "cpu":
        known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        return bool(known.get("avx512_bf16") or known.get("amx_bf16"))
    return False
