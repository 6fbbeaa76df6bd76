"""The models beside SAM and XMem by name; how to add one is said in `samflow.models`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING

from samflow.errors import SamflowError, did_you_mean
from samflow.models.roles import TrackingModel

if TYPE_CHECKING:
    from samflow.sam import Segmenter


@dataclass(frozen=True)
class WeightsEntry:
    """Published weights of a model.

    Parameters
    ----------
    hub : str
        Where they are: the name of a repository on huggingface.co.
    millions : float, optional
        Parameters, as their authors count them, in millions.
    """

    hub: str
    millions: float | None = None


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

_SEGMENTER = "samflow.models.library_segmenter:load_library_segmenter"

SEGMENTERS: dict[str, ModelEntry] = {
    **{
        name: replace(MODELS[name], title=f"{MODELS[name].title}'s image model", loader=_SEGMENTER)
        for name in ("sam2", "edgetam")
    },
    "sam-hq": ModelEntry(
        name="sam-hq",
        title="SAM-HQ",
        licence="Apache-2.0 (repository)",
        loader=_SEGMENTER,
        weights={
            "huge": WeightsEntry("syscv-community/sam-hq-vit-huge"),
            "large": WeightsEntry("syscv-community/sam-hq-vit-large"),
            "base": WeightsEntry("syscv-community/sam-hq-vit-base"),
        },
        extra="sam2",
    ),
}
"""Segmenters that can take SAM's place, by name: `--sam NAME=WEIGHTS`."""


def model_named(name: str) -> ModelEntry:
    """The row of a tracker; a `SamflowError` for an unknown one."""
    if name not in MODELS:
        raise SamflowError(
            f"model {name!r} is unknown: choose from {', '.join(MODELS)}."
            + did_you_mean(name, MODELS)
        )
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


def load_segmenter(
    source: str = "vit_h", device: str = "auto", precision: str = "float32"
) -> "Segmenter":
    """Load a SAM, or another segmenter.

    Parameters
    ----------
    source : str
        What `samflow.sam.load_sam` takes; or a model of `SEGMENTERS` with the name or the folder of
        its weights, as "sam2=tiny".
    device, precision : str
        As of `samflow.sam.load_sam`.

    Returns
    -------
    Segmenter

    Raises
    ------
    SamflowError
        As `samflow.sam.load_sam` and `load_model`.
    """
    name, weights = split_source(source)
    if name is None:
        from samflow.sam import load_sam

        return load_sam(weights, device, precision)
    module, function = SEGMENTERS[name].loader.split(":")
    return getattr(import_module(module), function)(name, weights, device, precision)


def split_source(source: str) -> tuple[str | None, str]:
    """The segmenter and the weights that "sam2=tiny" names; no segmenter where it is SAM.

    Examples
    --------
    >>> split_source("sam2=tiny"), split_source("vit_h")
    (('sam2', 'tiny'), (None, 'vit_h'))
    """
    name, sign, weights = source.partition("=")
    return (name, weights) if sign and name in SEGMENTERS else (None, source)
