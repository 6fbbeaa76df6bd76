"""Checkpoints known by name, fetched into a cache and checked before each use."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from samflow.errors import SamflowError, did_you_mean
from samflow.files import sha256_of_file, write_text
from samflow.weights.file_download import download

Kind = Literal["sam", "xmem"]

_SAM_PLACE = "https://dl.fbaipublicfiles.com/segment_anything"
_XMEM_PLACE = "https://github.com/hkchengrex/XMem/releases/download/v1.0"


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
        When none is published, the hash of the first download is recorded beside the file and
        checked from then on.
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


# name, file, size in bytes, SHA-256
_SAM_FILES = [
    ("vit_b", "sam_vit_b_01ec64.pth", 375042383,
     "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912"),
    ("vit_l", "sam_vit_l_0b3195.pth", 1249524607,
     "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622"),
    ("vit_h", "sam_vit_h_4b8939.pth", 2564550879,
     "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e"),
]  # fmt: skip
REGISTRY: dict[str, RegistryEntry] = {
    name: RegistryEntry(name, "sam", f"{_SAM_PLACE}/{file}", "Apache-2.0", size, sha256)
    for name, file, size, sha256 in _SAM_FILES
} | {
    name: RegistryEntry(name, "xmem", f"{_XMEM_PLACE}/{name}.pth", "MIT (repository)")
    for name in ("XMem", "XMem-s012")
}
"""Official checkpoints by name."""


@dataclass(frozen=True)
class CacheRow:
    """State of one registry entry in the cache.

    Parameters
    ----------
    name : str
    path : Path
        Where the file lies, or would.
    state : {"absent", "ok", "differs"}
    """

    name: str
    path: Path
    state: Literal["absent", "ok", "differs"]


def cache_folder() -> Path:
    """Where fetched checkpoints lie: `SAMFLOW_CACHE`, else the user's cache folder."""
    import pooch

    return Path(os.environ.get("SAMFLOW_CACHE") or pooch.os_cache("samflow"))


def fetch(name: str, progress: bool = True) -> Path:
    """Give the file of a checkpoint, downloaded on first use and checked before each use.

    Parameters
    ----------
    name : str
        A name of `REGISTRY`.
    progress : bool
        Show a progress bar while downloading.

    Returns
    -------
    Path
        The file in the cache.

    Raises
    ------
    SamflowError
        For an unknown name, when the download fails, or when the file's hash differs.
    """
    return fetch_with_hash(name, progress)[0]


def fetch_with_hash(name: str, progress: bool = True) -> tuple[Path, str]:
    """Like `fetch`; gives the file's SHA-256 too, so that it is read for it once."""
    if name not in REGISTRY:
        if name == "demo":
            raise SamflowError("the demo weights are in the package: there is nothing to fetch.")
        raise SamflowError(
            f"checkpoint {name!r} is unknown: expected one of {', '.join(REGISTRY)}; other models' "
            f"weights are fetched by the first run with them.{did_you_mean(name, REGISTRY)}"
        )
    entry = REGISTRY[name]
    path = cache_folder() / entry.file
    if not path.exists():
        download(name, entry.url, path, entry.sha256, progress)
    found = sha256_of_file(path)
    expected = _expected_hash(entry, path)
    if expected is None:
        record = {"file": path.name, "url": entry.url, "sha256": found}
        write_text(_record_of(path), json.dumps(record, indent=1) + "\n")
    elif found != expected:
        raise SamflowError(
            f"{path} is not {name}: expected SHA-256 {expected}, got {found}. Delete the file "
            f"and fetch it again with samflow weights fetch {name}."
        )
    return path, found


def verify() -> list[CacheRow]:
    """Check every file in the cache against its hash, published or recorded.

    Returns
    -------
    list of CacheRow
        One a registry entry, in the registry's order.
    """
    rows = []
    for entry in REGISTRY.values():
        path = cache_folder() / entry.file
        state: Literal["absent", "ok", "differs"] = "absent"
        if path.exists():
            expected = _expected_hash(entry, path)
            # without any hash the file is as good as at its first use
            same = expected is None or sha256_of_file(path) == expected
            state = "ok" if same else "differs"
        rows.append(CacheRow(entry.name, path, state))
    return rows


def _record_of(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _expected_hash(entry: RegistryEntry, path: Path) -> str | None:
    """Published hash, else the recorded one, else None."""
    if entry.sha256 is not None:
        return entry.sha256
    record = _record_of(path)
    try:
        return str(json.loads(record.read_text(encoding="utf-8"))["sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SamflowError(
            f"{record} should hold the SHA-256 of {path.name} and can't be read: delete both "
            f"files and fetch {entry.name} again."
        ) from error
