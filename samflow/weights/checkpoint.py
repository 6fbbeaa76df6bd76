"""Weights from a file, without running anything that the file contains."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import is_zipfile

from samflow.errors import SamflowError, did_you_mean
from samflow.files import sha256_of_file
from samflow.weights.known_checkpoints import REGISTRY, Kind, fetch_with_hash

if TYPE_CHECKING:
    import torch

_TITLES: dict[Kind, str] = {"sam": "a SAM", "xmem": "an XMem"}
# starts of the official parameter names that only one of the networks has
_PREFIXES: dict[Kind, tuple[str, ...]] = {
    "sam": ("image_encoder.", "mask_decoder."),
    "xmem": ("key_encoder.", "value_encoder."),
}
# training scripts often save the weights under one of these, beside the optimiser's state
_WRAPPERS = ("model", "state_dict")


@dataclass(frozen=True)
class Checkpoint:
    """Weights in memory, and where they came from.

    Parameters
    ----------
    name : str
        Registry name, "demo", or the file's name.
    path : Path
    sha256 : str
        Of the file.
    state_dict : dict of str to Tensor
        On the CPU; floating point is float32.
    """

    name: str
    path: Path
    sha256: str
    state_dict: "dict[str, torch.Tensor]" = field(repr=False)


def load_checkpoint(name_or_file: str | Path, kind: Kind) -> Checkpoint:
    """Load weights by name or from a file.

    Parameters
    ----------
    name_or_file : str or Path
        A name of `REGISTRY`, "demo" (inside of the package), or a .safetensors, .pth or .pt file.
    kind : {"sam", "xmem"}
        The network that the weights must belong to.

    Returns
    -------
    Checkpoint

    Raises
    ------
    SamflowError
        When the file is missing, damaged, holds code or no state dict, or is of another network.

    Notes
    -----
    A file of torch is read with `weights_only`: a pickle that asks for more than tensors is
    refused before anything in it runs.
    """
    import torch

    name, path, sha256 = _locate(str(name_or_file), kind)
    loaded = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    weights = _unwrap(path, loaded)
    _check_kind(path, weights, kind)
    state_dict = {
        key: value.to(torch.float32) if value.is_floating_point() else value
        for key, value in weights.items()
    }
    return Checkpoint(name, path, sha256 or sha256_of_file(path), state_dict)


def check_weights(name: str, kind: Kind) -> None:
    """Refuse a name that is neither known nor a file of weights, without fetching anything.

    Parameters
    ----------
    name : str
        As `load_checkpoint` takes it.
    kind : {"sam", "xmem"}

    Raises
    ------
    SamflowError
        When it is unknown, of the other kind, or a file of another format.
    """
    if name in REGISTRY and REGISTRY[name].kind != kind:
        raise _wrong_kind(name, REGISTRY[name].kind, kind)
    if name == "demo" or name in REGISTRY:
        return
    names = ["demo", *(entry.name for entry in REGISTRY.values() if entry.kind == kind)]
    known = ", ".join(names)
    path = Path(name)
    if not path.is_file():
        raise SamflowError(
            f"checkpoint {name!r} is no file and no known name: expected a .pth, .pt or "
            f".safetensors file, or one of {known}.{did_you_mean(name, names)}"
        )
    if path.suffix not in (".pth", ".pt", ".safetensors"):
        raise SamflowError(
            f"{path} has an unknown suffix: expected a .pth, .pt or .safetensors file, "
            f"or one of {known}."
        )


def _locate(name: str, kind: Kind) -> tuple[str, Path, str | None]:
    """Name, file, and the file's hash where it has been worked out already."""
    check_weights(name, kind)
    if name in REGISTRY:
        return name, *fetch_with_hash(name)
    if name != "demo":
        path = Path(name)
        return path.name, path, None
    path = Path(str(files("samflow.weights") / "data" / f"{kind}_demo.safetensors"))
    if not path.is_file():
        raise SamflowError(f"this installation lacks {path.name}: install samflow again.")
    return name, path, None


def _read_safetensors(path: Path) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, _first_sentence(error)) from error


def _read_torch(path: Path) -> object:
    import torch

    if _is_other_pickle(path):
        raise _unsafe(path)
    try:
        # mapped, so that 2.5 GB are not held twice; the older format can't be
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except pickle.UnpicklingError as error:
        # torch raises the same for damage, which names no global
        unsafe = "GLOBAL" in str(error)
        raise (_unsafe(path) if unsafe else _damaged(path, "no file of torch.save")) from error
    except Exception as error:  # a malformed pickle can raise nearly anything
        raise _damaged(path, _first_sentence(error)) from error


def _is_other_pickle(path: Path) -> bool:
    """Whether the file is a pickle of protocol 3 or more, which torch never writes by itself."""
    with open(path, "rb") as file:
        start = file.read(2)
    return len(start) == 2 and start[0] == 0x80 and start[1] > 2


def _unwrap(path: Path, loaded: object) -> "Mapping[str, torch.Tensor]":
    """Tensors by name out of what a file held."""
    import torch

    if isinstance(loaded, Mapping):
        for wrapper in _WRAPPERS:
            if isinstance(loaded.get(wrapper), Mapping):
                loaded = loaded[wrapper]
                break
    if not isinstance(loaded, Mapping) or not loaded:
        raise SamflowError(
            f"{path} holds {'an empty' if loaded == {} else 'a'} {type(loaded).__name__}, expected "
            "a state_dict of tensors by name: save model.state_dict()."
        )
    for key, value in loaded.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise SamflowError(
                f"{path} holds {type(value).__name__} under {key!r}, expected only tensors by "
                "name: save model.state_dict()."
            )
    return loaded


def _check_kind(path: Path, weights: Mapping[str, object], kind: Kind) -> None:
    for found, prefixes in _PREFIXES.items():
        if all(any(key.startswith(prefix) for key in weights) for prefix in prefixes):
            if found == kind:
                return
            raise _wrong_kind(str(path), found, kind)
    raise SamflowError(
        f"{path} is not {_TITLES[kind]} checkpoint (its first name is {next(iter(weights))!r}): "
        f"expected names that start with {' and '.join(map(repr, _PREFIXES[kind]))}."
    )


def _wrong_kind(name: str, found: Kind, expected: Kind) -> SamflowError:
    return SamflowError(
        f"{name} is {_TITLES[found]} checkpoint, expected {_TITLES[expected]} one: "
        f"give it with --{found}."
    )


def _unsafe(path: Path) -> SamflowError:
    return SamflowError(
        f"{path} holds code or objects beside weights, so it was not loaded and nothing in it "
        "ran: use an official checkpoint, or save only the state_dict, as safetensors."
    )


def _damaged(path: Path, reason: str) -> SamflowError:
    return SamflowError(
        f"{path} is damaged or no checkpoint ({reason}): download or copy it again."
    )


def _first_sentence(error: Exception) -> str:
    return str(error).split("\n")[0].split(". ")[0].rstrip(".") or type(error).__name__
