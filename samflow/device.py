"""Where tensors live: the one place that names cuda, mps and cpu."""

from typing import TYPE_CHECKING

from samflow.errors import SamflowError

if TYPE_CHECKING:
    import torch


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
