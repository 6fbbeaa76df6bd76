"""The models beside SAM and XMem by name; how to add one is said in `samflow.models`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module

from samflow.errors import SamflowError
from samflow.models.roles import TrackingModel


@dataclass(frozen=True)
class WeightsEntry:
    """Published weights of a model.

    Parameters
    ----------
    hub : str
        Where they are: the name of a repository on huggingface.co.
    millions : float
        Parameters, as their authors count them, in millions.
    """

    hub: str
    millions: float


@dataclass(frozen=True)
class ModelEntry:
    """A row of the registry.

    Parameters
    ----------
    name : str
        In commands and run folders.
    title : str
        Over panels and in legends.
    licence : str
        Of the weights.
    loader : str
        "module:function"; the function takes the model's name, the name or path of its weights, a
        device and a precision.
    weights : mapping of str to WeightsEntry
        By name; the first are taken when none are named. A model without any needs a path.
    extra : str, optional
        The extra of samflow that it needs.
    boxes : bool
        Its first frame can be prompted with boxes (`samflow.models.BoxTracker`).
    """

    name: str
    title: str
    licence: str
    loader: str
    weights: Mapping[str, WeightsEntry] = field(default_factory=dict)
    extra: str | None = None
    boxes: bool = False

    @property
    def default_weights(self) -> str:
        """Name of the weights that are taken when none are named."""
        if not self.weights:
            raise SamflowError(
                f"{self.name} has no weights by name: give them with --weights {self.name}=PATH."
            )
        return next(iter(self.weights))


_ON_TRANSFORMERS = "samflow.models.session_network:load_session_network"

MODELS: dict[str, ModelEntry] = {
    entry.name: entry
    for entry in (
        ModelEntry(
            name="sam2",
            title="SAM 2",
            licence="Apache-2.0",
            loader=_ON_TRANSFORMERS,
            weights={
                "large": WeightsEntry("facebook/sam2.1-hiera-large", 224.4),
                "base-plus": WeightsEntry("facebook/sam2.1-hiera-base-plus", 80.8),
                "small": WeightsEntry("facebook/sam2.1-hiera-small", 46),
                "tiny": WeightsEntry("facebook/sam2.1-hiera-tiny", 38.9),
            },
            extra="sam2",
            boxes=True,
        ),
        ModelEntry(
            name="edgetam",
            title="EdgeTAM",
            licence="Apache-2.0 (repository)",
            loader=_ON_TRANSFORMERS,
            weights={"edgetam": WeightsEntry("yonigozlan/EdgeTAM-hf", 13.9)},
            extra="sam2",
            boxes=True,
        ),
        ModelEntry(
            name="sam3",
            title="SAM 3",
            licence="SAM License, gated",
            loader=_ON_TRANSFORMERS,
            weights={"sam3": WeightsEntry("facebook/sam3", 848)},
            extra="sam2",
            boxes=True,
        ),
    )
}
"""Trackers by name."""


def model_named(name: str) -> ModelEntry:
    """The row of a model; a `SamflowError` for an unknown one."""
    if name not in MODELS:
        raise SamflowError(f"model {name!r} is unknown: choose from {', '.join(MODELS)}.")
    return MODELS[name]


def load_model(
    name: str, source: str | None = None, device: str = "auto", precision: str = "float32"
) -> TrackingModel:
    """Load a model's weights.

    Parameters
    ----------
    name : str
        Of `MODELS`.
    source : str, optional
        Name of published weights, fetched on first use, or a path in the model's own format.
    device, precision : str
        As of `samflow.sam.load_sam`.

    Returns
    -------
    TrackingModel

    Raises
    ------
    SamflowError
        For an unknown model, an extra that is not installed, or weights that are not there, can't
        be read, or belong to another model.
    """
    entry = model_named(name)
    module, function = entry.loader.split(":")
    load = getattr(import_module(module), function)
    return load(name, source or entry.default_weights, device, precision)
