"""Checkpoints: what is known by name, the cache they are fetched into, and safe loading."""

import json
import os
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from samflow.errors import SamflowError
from samflow.files import sha256_of_file, write_text

if TYPE_CHECKING:
    import torch

Kind = Literal["sam", "xmem"]

_SAM_PLACE = "https://dl.fbaipublicfiles.com/segment_anything"
_XMEM_PLACE = "https://github.com/hkchengrex/XMem/releases/download/v1.0"
_MIT = "MIT repository"


@dataclass(frozen=True)
class RegistryEntry:
    """A checkpoint known by name.

    Parameters
    ----------
    name : str
    kind : {"sam", "xmem"}
    url : str
    licence : str
    size : int, optional
        Bytes, when published.
    sha256 : str, optional
        When none is published, the hash of the first download is recorded and checked afterwards.
    """

    name: str
    kind: Kind
    url: str
    licence: str
    size: int | None = None
    sha256: str | None = None

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.url.rsplit("/", 1)[-1]


_ENTRIES = (
    RegistryEntry(
        "vit_b",
        "sam",
        f"{_SAM_PLACE}/sam_vit_b_01ec64.pth",
        "Apache-2.0",
        375042383,
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
    RegistryEntry(
        "vit_l",
        "sam",
        f"{_SAM_PLACE}/sam_vit_l_0b3195.pth",
        "Apache-2.0",
        1249524607,
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    RegistryEntry(
        "vit_h",
        "sam",
        f"{_SAM_PLACE}/sam_vit_h_4b8939.pth",
        "Apache-2.0",
        2564550879,
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
    RegistryEntry("XMem", "xmem", f"{_XMEM_PLACE}/XMem.pth", _MIT),
    RegistryEntry("XMem-s012", "xmem", f"{_XMEM_PLACE}/XMem-s012.pth", _MIT),
)
REGISTRY: dict[str, RegistryEntry] = {entry.name: entry for entry in _ENTRIES}

# the start of a parameter's name tells the model: the official names of both networks
_PREFIXES: dict[Kind, str] = {"sam": "image_encoder.", "xmem": "key_encoder."}
_TITLES: dict[Kind, str] = {"sam": "a SAM", "xmem": "an XMem"}


@dataclass(frozen=True)
class Checkpoint:
    """Weights in memory, and where they came from.

    Parameters
    ----------
    name : str
        Registry name, or the file's name.
    path : Path
    sha256 : str
    state_dict : mapping of str to Tensor
        On the CPU; float32 where the file holds float16.
    """

    name: str
    path: Path
    sha256: str
    state_dict: "Mapping[str, torch.Tensor]" = field(repr=False)


@dataclass(frozen=True)
class CacheRow:
    """State of one registry entry in the cache: "absent", "ok" or "differs"."""

    name: str
    path: Path
    state: Literal["absent", "ok", "differs"]


def cache_folder() -> Path:
    """Where fetched checkpoints lie: `SAMFLOW_CACHE`, else the user's cache folder."""
    import pooch

    return Path(os.environ.get("SAMFLOW_CACHE") or pooch.os_cache("samflow"))


def fetch(name: str) -> Path:
    """Give the file of a checkpoint, downloaded on first use and checked before each use.

    Parameters
    ----------
    name : str
        A name of `REGISTRY`.

    Returns
    -------
    Path
        The file in the cache.

    Raises
    ------
    SamflowError
        For an unknown name, when the download fails, or when the file's hash differs.
    """
    import pooch
    import requests

    entry = _entry(name)
    folder = cache_folder()
    path = folder / entry.file
    if path.exists():
        _check_hash(entry, path)
        return path
    try:
        pooch.retrieve(
            url=entry.url,
            known_hash=entry.sha256,
            fname=entry.file,
            path=folder,
            downloader=_downloader(),
        )
    except requests.exceptions.RequestException as error:
        reason = str(error).split(": ")[-1].strip("')>( ") or type(error).__name__
        raise SamflowError(
            f"{name} could not be downloaded from {entry.url}: {reason}. Try again, or put the "
            f"file into {folder}."
        ) from error
    except ValueError as error:
        raise SamflowError(
            f"{name}: the file at {entry.url} has another SHA-256 than the expected "
            f"{entry.sha256}, so it was not kept. Try again."
        ) from error
    except OSError as error:
        raise SamflowError(f"{folder} could not be written: {error.strerror or error}.") from error
    if entry.sha256 is None:
        _record_hash(path)
    return path


def _downloader():  # type: ignore[no-untyped-def] # pooch has no types
    import pooch

    class Retrying(pooch.HTTPDownloader):
        """Pooch's own downloader; a connection that breaks is tried twice more."""

        def __call__(self, url, output_file, pooch_object, check_only=False):  # type: ignore[no-untyped-def]
            import requests

            for attempt in range(3):
                try:
                    return super().__call__(url, output_file, pooch_object, check_only)
                except (
                    requests.exceptions.ConnectionError,
                    requests.exceptions.ChunkedEncodingError,
                    requests.exceptions.Timeout,
                ):
                    if attempt == 2:
                        raise

    return Retrying(progressbar=True)


def verify() -> list[CacheRow]:
    """Check every file in the cache against its hash.

    Returns
    -------
    list of CacheRow
        One a registry entry.
    """
    rows = []
    for entry in REGISTRY.values():
        path = cache_folder() / entry.file
        if not path.exists():
            rows.append(CacheRow(entry.name, path, "absent"))
            continue
        expected = _expected_hash(entry)
        same = expected is None or sha256_of_file(path) == expected
        rows.append(CacheRow(entry.name, path, "ok" if same else "differs"))
    return rows


def _entry(name: str) -> RegistryEntry:
    if name not in REGISTRY:
        known = ", ".join(REGISTRY)
        raise SamflowError(f"checkpoint {name!r} is unknown: expected one of {known}.")
    return REGISTRY[name]


def _hash_file() -> Path:
    return cache_folder() / "recorded_hashes.json"


def _recorded_hashes() -> dict[str, str]:
    try:
        return dict(json.loads(_hash_file().read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _record_hash(path: Path) -> None:
    hashes = _recorded_hashes() | {path.name: sha256_of_file(path)}
    write_text(_hash_file(), json.dumps(hashes, indent=1, sort_keys=True) + "\n")


def _expected_hash(entry: RegistryEntry) -> str | None:
    return entry.sha256 or _recorded_hashes().get(entry.file)


def _check_hash(entry: RegistryEntry, path: Path) -> None:
    expected = _expected_hash(entry)
    if expected is None:
        # put there by hand before any download: this is the first sight of it
        _record_hash(path)
        return
    found = sha256_of_file(path)
    if found != expected:
        raise SamflowError(
            f"{path} is not {entry.name}: expected SHA-256 {expected}, got {found}. Delete the "
            f"file and fetch it again with samflow weights fetch {entry.name}."
        )


def load_checkpoint(name_or_file: str | Path, kind: Kind) -> Checkpoint:
    """Load weights by name or from a file, without running anything that the file contains.

    Parameters
    ----------
    name_or_file : str or Path
        A name of `REGISTRY`, "demo" (in the package), or a .safetensors, .pth or .pt file.
    kind : {"sam", "xmem"}
        The network that the weights must belong to.

    Returns
    -------
    Checkpoint

    Raises
    ------
    SamflowError
        When the file is missing, damaged, unsafe, no state dict, or of another network.
    """
    import torch

    name, path = _locate(name_or_file, kind)
    loaded = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    if not isinstance(loaded, Mapping) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in loaded.items()
    ):
        raise SamflowError(
            f"{path} holds no plain state dict (names and tensors), but "
            f"{type(loaded).__name__}: use an official checkpoint."
        )
    _check_kind(path, loaded, kind)
    state = {
        key: value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
        for key, value in loaded.items()
    }
    return Checkpoint(name, path, sha256_of_file(path), state)


def _locate(name_or_file: str | Path, kind: Kind) -> tuple[str, Path]:
    name = str(name_or_file)
    if name == "demo":
        return name, Path(str(files("samflow") / "weights_data" / f"{kind}_demo.safetensors"))
    if name in REGISTRY:
        if REGISTRY[name].kind != kind:
            raise SamflowError(
                f"{name} is {_TITLES[REGISTRY[name].kind]} checkpoint, expected {_TITLES[kind]}."
            )
        return name, fetch(name)
    path = Path(name_or_file)
    if not path.is_file():
        names = ", ".join(["demo", *(e.name for e in REGISTRY.values() if e.kind == kind)])
        raise SamflowError(
            f"checkpoint {name} is neither a file nor a known name: expected a file, or one of "
            f"{names}."
        )
    return path.name, path


def _read_safetensors(path: Path) -> "Mapping[str, torch.Tensor]":
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise SamflowError(f"{path} is damaged or no safetensors file: {error}.") from None


def _read_torch(path: Path) -> object:
    import torch

    is_zip = zipfile.is_zipfile(path)
    try:
        # mapped, so that a 2.5 GB file is not held twice
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip or None)
    except pickle.UnpicklingError as error:
        if is_zip or "Unsupported" in str(error) or "GLOBAL" in str(error):
            raise SamflowError(
                f"{path} holds code beside weights, so it was not loaded and nothing in it ran: "
                "use an official checkpoint, or convert it to safetensors where you trust it."
            ) from None
        raise SamflowError(_damaged(path)) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AssertionError):
        raise SamflowError(_damaged(path)) from None


def _damaged(path: Path) -> str:
    return (
        f"{path} is damaged or no checkpoint file: download it again, or give a .pth, .pt or "
        ".safetensors file."
    )


def _check_kind(path: Path, state: Mapping[str, object], kind: Kind) -> None:
    for found, prefix in _PREFIXES.items():
        if any(key.startswith(prefix) for key in state):
            if found == kind:
                return
            raise SamflowError(
                f"{path} is {_TITLES[found]} checkpoint, expected {_TITLES[kind]}."
            )
    first = next(iter(state), "nothing")
    raise SamflowError(
        f"{path} is no {_TITLES[kind].split()[1]} checkpoint: it starts with {first!r}. Use an "
        "official checkpoint."
    )
