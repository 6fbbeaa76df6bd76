"""What a run needs to be worked on again: its options, its models, and the work itself."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from samflow.errors import SamflowError
from samflow.files import replace_folder
from samflow.models import MODELS, TrackingModel, model_named, split_source
from samflow.runs.locking import locked
from samflow.runs.mending import Mender
from samflow.runs.record import ModelRecord, Run
from samflow.runs.run_options import RunOptions
from samflow.runs.session import RunSession
from samflow.sam import Segmenter
from samflow.strategies import PromptOptions, Strategy, build_strategies, models_needed
from samflow.video import Video
from samflow.weights import check_weights
from samflow.xmem import XMem

NamedModel = Segmenter | XMem | TrackingModel


@dataclass(frozen=True)
class Places:
    """Where things of a run are found again; by default where the run found them.

    Parameters
    ----------
    video : str or Path, optional
    sam, xmem : str, optional
        Registry name or file of the weights; they must be the same.
    weights : mapping of str to str
        The same for models of `samflow.models`, by their names.
    device : str, optional
        "auto", "cpu", "cuda", "mps".
    """

    video: str | Path | None = None
    sam: str | None = None
    xmem: str | None = None
    device: str | None = None
    weights: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Models:
    """The networks that a run uses, in memory; `trackers` are those of `samflow.models`."""

    sam: Segmenter
    xmem: XMem | None
    trackers: dict[str, TrackingModel]

    @property
    def by_name(self) -> dict[str, NamedModel]:
        """All of them, as a run's record names them."""
        xmem = {} if self.xmem is None else {"xmem": self.xmem}
        return {"sam": self.sam, **xmem, **self.trackers}

    def strategies(self, options: RunOptions) -> dict[str, Strategy]:
        """The strategies that a run's options name."""
        return build_strategies(
            options.strategies,
            self.sam,
            self.xmem,
            options.size,
            options.prompting,
            self.trackers,
            options.fit_steps,
        )


def copy_run(run: Run, out: Path) -> Run:
    """Copy a run to a new folder, which appears complete or not at all."""
    if out.exists():
        raise SamflowError(f"{out} exists already: choose a new folder, or correct it without out.")
    with locked(run.folder), replace_folder(out) as part:
        ignored = shutil.ignore_patterns(".lock", ".lease", ".state")
        shutil.copytree(run.folder, part, dirs_exist_ok=True, ignore=ignored)
    return Run(out)


def bring_up_to_date(
    run: Run, clip: Video, options: RunOptions, models: Models, session: RunSession
) -> None:
    """Make the masks of a run's folder those of its prompts, corrections and strategies."""
    Mender(run, clip, models.strategies(options), models.sam, options, session).go()


def recorded_options(run: Run, places: Places) -> RunOptions:
    """The options that a run was made with, with models and device where they are."""
    recorded = dict(run.record.options)
    names = [each.name for each in fields(PromptOptions)]
    prompting = PromptOptions(**{name: recorded.pop(name) for name in names})
    device = places.device or recorded.pop("device")
    sources = {name: model.source for name, model in run.record.models.items()}
    return RunOptions(
        strategies=run.record.strategies,
        sam=places.sam or sources["sam"],
        xmem=places.xmem or sources.get("xmem", RunOptions.xmem),
        weights={name: source for name, source in sources.items() if name in MODELS}
        | dict(places.weights),
        prompting=prompting,
        **{**recorded, "device": device},
    )


def load_models(options: RunOptions, session: RunSession | None = None) -> Models:
    """SAM, and what else the strategies need; a session's own where it has them already."""
    session = session or RunSession()
    how, needed = (options.device, options.precision), models_needed(options.strategies)
    for name in options.weights:
        model_named(name)
    segmenter, source = split_source(options.sam)
    if segmenter is None:  # a wrong name must not cost the download of another network
        check_weights(source, "sam")
    trackers = {
        name: session.model(name, weights_of(options, name), *how)
        for name in MODELS
        if name in needed
    }
    xmem = session.xmem(options.xmem, *how) if "xmem" in needed else None
    return Models(session.sam(options.sam, *how), xmem, trackers)


def weights_of(options: RunOptions, name: str) -> str:
    """Registry name or path of a model's weights."""
    if name in ("sam", "xmem"):
        return options.sam if name == "sam" else options.xmem
    return options.weights.get(name) or model_named(name).default_weights


def check_models(run: Run, models: Models) -> None:
    """Refuse other weights than the run was made with."""
    for name, model in models.by_name.items():
        known: ModelRecord | None = run.record.models.get(name)
        if known is not None and model.sha256 != known.sha256:
            option = f"--{name}" if name in ("sam", "xmem") else f"--weights {name}=PATH"
            raise SamflowError(
                f"{model.name} is not the {name} that {run.folder} was made with ({known.name}, "
                f"SHA-256 {known.sha256[:8]}): say where that is with {option}."
            )
