"""What a run needs to be worked on again: its options, its models, and the work itself."""

import shutil
from dataclasses import dataclass, fields
from pathlib import Path

from samflow.errors import SamflowError
from samflow.files import replace_folder
from samflow.runs.locking import locked
from samflow.runs.mending import Mender
from samflow.runs.record import ModelRecord, Run
from samflow.runs.run_options import RunOptions
from samflow.runs.session import RunSession
from samflow.sam import Sam
from samflow.strategies import PromptOptions, build_strategies, models_needed
from samflow.video import Video
from samflow.xmem import XMem


@dataclass(frozen=True)
class Places:
    """Where things of a run are found again; by default where the run found them.

    Parameters
    ----------
    video : str or Path, optional
    sam, xmem : str, optional
        Registry name or file of the weights; they must be the same.
    device : str, optional
        "auto", "cpu", "cuda", "mps".
    """

    video: str | Path | None = None
    sam: str | None = None
    xmem: str | None = None
    device: str | None = None


def copy_run(run: Run, out: Path) -> Run:
    """Copy a run to a new folder, which appears complete or not at all."""
    if out.exists():
        raise SamflowError(f"{out} exists already: choose a new folder, or correct it without out.")
    with locked(run.folder), replace_folder(out) as part:
        ignored = shutil.ignore_patterns(".lock", ".lease", ".state")
        shutil.copytree(run.folder, part, dirs_exist_ok=True, ignore=ignored)
    return Run(out)


def bring_up_to_date(
    run: Run, clip: Video, options: RunOptions, sam: Sam, network: XMem | None
) -> None:
    """Make the masks of a run's folder those of its prompts, corrections and strategies."""
    prompting = options.prompting
    strategies = build_strategies(options.strategies, sam, network, options.size, prompting)
    Mender(run, clip, strategies, sam, options).go()


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
        prompting=prompting,
        **{**recorded, "device": device},
    )


def load_models(options: RunOptions, session: RunSession | None = None) -> tuple[Sam, XMem | None]:
    """SAM, and XMem when a strategy needs it; a session's own where it has them already."""
    session = session or RunSession()
    sam = session.sam(options.sam, options.device, options.precision)
    if "xmem" not in models_needed(options.strategies):
        return sam, None
    return sam, session.xmem(options.xmem, options.device, options.precision)


def check_models(run: Run, sam: Sam, network: XMem | None) -> None:
    """Refuse other weights than the run was made with."""
    for name, model in (("sam", sam), ("xmem", network)):
        known: ModelRecord | None = run.record.models.get(name)
        if model is not None and known is not None and model.sha256 != known.sha256:
            raise SamflowError(
                f"{model.name} is not the {name} that {run.folder} was made with ({known.name}, "
                f"SHA-256 {known.sha256[:8]}): say where that is with --{name}."
            )
