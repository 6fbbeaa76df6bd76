"""Weights in the format of the `transformers` library: a folder, or a repository on its hub."""

import hashlib
import json
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from samflow.errors import SamflowError
from samflow.files import sha256_of_file
from samflow.models.known_models import ModelEntry
from samflow.weights import waiting

# What a folder of weights consists of; pickled weights are left where they are
_FILES = ("*.json", "*.safetensors")


def library(entry: ModelEntry, *others: str) -> ModuleType:
    """The `transformers` library; a `SamflowError` that says how to install it for a model.

    `others` are packages that the model needs besides it.
    """
    try:
        for package in others:
            import_module(package)
        return import_module("transformers")
    except ModuleNotFoundError as error:
        raise SamflowError(
            f"{entry.name} needs the package {error.name}, which is not installed: "
            f'pip install "samflow[{entry.extra}]".'
        ) from None


def find_weights(entry: ModelEntry, source: str) -> Path:
    """Folder of a model's weights, fetched into the library's own cache on first use.

    Parameters
    ----------
    entry : ModelEntry
        Of the model.
    source : str
        Name of published weights, of a repository on the hub that is one of them, or a folder.

    Returns
    -------
    Path

    Raises
    ------
    SamflowError
        When there are no such weights, or they can't be fetched.
    """
    weights = entry.weights
    if source not in weights and Path(source).is_dir():
        return Path(source)
    hub = {**weights, **{each.hub: each for each in weights.values()}}
    if source not in hub:
        raise SamflowError(
            f"weights {source!r} of {entry.name} are no folder and no known name: expected one of "
            f"{', '.join(weights)}, or a folder with config.json and model.safetensors."
        )
    return _fetch(entry, hub[source].hub)


def _fetch(entry: ModelEntry, repository: str) -> Path:
    library(entry)
    hub = import_module("huggingface_hub")
    try:
        with waiting(f"fetching {repository}"):
            return Path(hub.snapshot_download(repository, allow_patterns=list(_FILES)))
    except Exception as error:  # whatever the network, the disk or the hub's gate may say
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise SamflowError(
            f"the weights {repository} could not be fetched ({reason[0].rstrip('.')[:120]}): check "
            "the network and, where their owner asks for it, your access to them; or put the "
            f"files of huggingface.co/{repository} into a folder and give {entry.name}=FOLDER."
        ) from error


def read_network(
    entry: ModelEntry, folder: Path, network_class: str, model_types: Collection[str]
) -> Any:
    """Read a network of the library from a folder.

    Parameters
    ----------
    entry : ModelEntry
        Of the model.
    folder : Path
    network_class : str
        Class of the library.
    model_types : collection of str
        What the folder's `config.json` may call itself.

    Returns
    -------
    torch.nn.Module
        float32, on the CPU.

    Raises
    ------
    SamflowError
        For a folder that holds something else, or too little.
    """
    transformers, name = library(entry), entry.name
    _check_kind(name, folder, model_types)
    logging = transformers.utils.logging
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with waiting(f"loading {name} {folder.name}"):
            network, told = getattr(transformers, network_class).from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                dtype="float32",
            )
    except Exception as error:  # of a dozen kinds, for damage, other shapes and missing files
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise SamflowError(
            f"{folder} could not be read as {network_class} ({reason[0].rstrip('.')[:160]}): copy "
            "the weights again."
        ) from error
    finally:
        logging.set_verbosity(level)
        logging.enable_progress_bar()
    missing = sorted(told["missing_keys"])
    if missing:
        raise SamflowError(
            f"{folder} lacks {len(missing)} tensors of {network_class}, the first is "
            f"{missing[0]!r}: use the whole weights of {name}."
        )
    return network


def _check_kind(name: str, folder: Path, model_types: Collection[str]) -> None:
    path = folder / "config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["model_type"]
    except FileNotFoundError:
        raise SamflowError(
            f"{folder} has no config.json: expected a folder that the transformers library saved, "
            "with config.json and model.safetensors."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SamflowError(f"{path} can't be read as the weights' configuration.") from error
    if found not in model_types:
        raise SamflowError(
            f"{folder} holds a model of type {found!r}, {name} needs "
            f"{' or '.join(map(repr, sorted(model_types)))}: choose other weights."
        )


def weights_name(entry: ModelEntry, source: str) -> str:
    """What a run's record calls weights: their repository, or their folder's name."""
    if source in entry.weights:
        return entry.weights[source].hub
    return Path(source).absolute().name if Path(source).is_dir() else source


def sha256_of_folder(folder: Path) -> str:
    """Hash of a folder's weights and configuration, by the names and hashes of its files."""
    paths = [folder / "config.json", *sorted(folder.glob("*.safetensors"))]
    listed = "".join(f"{sha256_of_file(path)}  {path.name}\n" for path in paths)
    return hashlib.sha256(listed.encode()).hexdigest()
