"""Commands that make masks: demo, segment, run, xmem."""

from pathlib import Path
from typing import Annotated

import typer

from samflow.cli.app import (
    PROMPTS_EXAMPLE,
    AcceptFrame,
    Device,
    MaxHoleArea,
    Precision,
    PromptsFile,
    SamName,
    UsePoints,
    Weights,
    XMemName,
    app,
    console,
    split_names,
    split_weights,
)
from samflow.cli.terminal_tables import print_scores
from samflow.errors import SamflowError
from samflow.models import MODELS
from samflow.strategies import (
    BASELINE_NAMES,
    DEFAULT_NAMES,
    FIT_STEPS,
    FITTED_NAMES,
    STRATEGY_NAMES,
    PromptOptions,
)
from samflow.weights import waiting


@app.command("demo")
def demo_command(
    out: Annotated[Path, typer.Option(help="Run folder to make.")] = Path("runs/demo"),
    frames: Annotated[int, typer.Option(min=1, help="Length of the clip.")] = 60,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the synthetic flow.")] = None,
    strategies: Annotated[
        str | None,
        typer.Option(help="As of samflow run; default all with networks, and nearest-colour."),
    ] = None,
) -> None:
    """Make a dye clip, run all strategies with the demo weights, score them. Offline, on a CPU."""
    with waiting("loading torch"):
        from samflow.lab.demo_run import DEMO_SEED, DEMO_STRATEGIES, demo

    names = DEMO_STRATEGIES if strategies is None else split_names(strategies)
    run, summary = demo(out, frames, DEMO_SEED if seed is None else seed, names)
    print_scores(summary, {str(r.id): r.name for r in run.result_regions})
    console.print(f"comparison video: {run.folder / 'comparison.mp4'}")
    console.print(f"scores: {run.folder / 'scores.csv'}, {run.folder / 'plots' / 'scores.png'}")
    console.print(f"some frames: {run.folder / 'plots' / 'frames.png'}")
    console.print(f"the clip and its truth: {out.with_name(out.name + '_clip')}")


@app.command("segment", epilog=PROMPTS_EXAMPLE)
def segment_command(
    video: Annotated[Path, typer.Argument(help="Video file or folder of images.")],
    prompts: PromptsFile,
    out: Annotated[Path, typer.Option(help="Folder for the label PNG and the overlay.")],
    frame: Annotated[int | None, typer.Option(help="Frame number; default the prompts'.")] = None,
    sam: SamName = "vit_h",
    device: Device = "auto",
    precision: Precision = "float32",
    points: UsePoints = False,
    max_hole_area: MaxHoleArea = PromptOptions.max_hole_area,
    accept_frame: AcceptFrame = False,
    keep_background: Annotated[
        bool, typer.Option("--keep-background", help="Keep the labels of background regions.")
    ] = False,
) -> None:
    """Segment one frame from prompts: label PNG and overlay.

    Look at this before samflow run, which does every frame.
    """
    from samflow.prompts import Prompts

    with waiting("loading torch"):
        from samflow.runs import segment

    result = segment(
        video,
        Prompts.load(prompts),
        out,
        frame=frame,
        sam=sam,
        device=device,
        precision=precision,
        prompting=PromptOptions(points, max_hole_area=max_hole_area),
        accept_frame=accept_frame,
        keep_background=keep_background,
    )
    console.print(f"labels: {result.label_path}")
    console.print(f"overlay: {result.overlay_path}")


@app.command("run", epilog=PROMPTS_EXAMPLE)
def run_command(
    video: Annotated[Path, typer.Argument(help="Video file or folder of images.")],
    prompts: Annotated[
        list[Path],
        typer.Option("--prompts", help="Prompts JSON of one frame; give it again for more frames."),
    ],
    out: Annotated[Path, typer.Option(help="Run folder to make or to resume.")],
    strategies: Annotated[
        str,
        typer.Option(
            help=f"Comma-separated, any of {', '.join((*STRATEGY_NAMES, *FITTED_NAMES))}, of the "
            f"baselines {', '.join(BASELINE_NAMES)}, and of the trackers {', '.join(MODELS)}, as "
            "in sam2, sam2-box, refined:sam2, anchored:sam2."
        ),
    ] = ",".join(DEFAULT_NAMES),
    sam: SamName = "vit_h",
    xmem: XMemName = "XMem",
    weights: Weights = None,
    device: Device = "auto",
    precision: Precision = "float32",
    start: Annotated[
        str | None, typer.Option(help="mm:ss or seconds; default the prompts' frame.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="mm:ss or seconds; default the end.")] = None,
    points: UsePoints = False,
    size: Annotated[
        int, typer.Option(min=16, help="Shorter side of larger frames inside XMem and unet, px.")
    ] = 480,
    max_hole_area: MaxHoleArea = PromptOptions.max_hole_area,
    mask_value: Annotated[
        float, typer.Option(min=0, help="Magnitude of mask prompts.")
    ] = PromptOptions.mask_value,
    coverage: Annotated[
        float, typer.Option(min=0, max=0.99, help="Covered share that makes a cell foreground.")
    ] = PromptOptions.coverage,
    sharpen: Annotated[
        bool,
        typer.Option(
            "--sharpen", help="Draw the networks' edges again, along the frame's colours."
        ),
    ] = False,
    fit_steps: Annotated[
        int, typer.Option(min=1, help="Steps of fitting unet: more are better, and take longer.")
    ] = FIT_STEPS,
    accept_frame: AcceptFrame = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue a run, or add strategies to a finished one."),
    ] = False,
) -> None:
    """Run strategies side by side over a video.

    Makes masks of every frame and a comparison video; then measure, export or compare the folder.
    """
    from samflow.acquire import parse_time
    from samflow.prompts import Prompts

    with waiting("loading torch"):
        from samflow.runs import RunOptions, run

    options = RunOptions(
        strategies=split_names(strategies),
        sam=sam,
        xmem=xmem,
        weights=split_weights(weights),
        device=device,
        precision=precision,
        start=None if start is None else parse_time(start),
        end=None if end is None else parse_time(end),
        accept_frame=accept_frame,
        size=size,
        prompting=PromptOptions(points, mask_value, coverage, max_hole_area),
        sharpen=sharpen,
        fit_steps=fit_steps,
    )
    try:
        finished = run(video, [Prompts.load(path) for path in prompts], out, options, resume)
    except KeyboardInterrupt:
        raise SamflowError(
            f"interrupted: continue with --resume; {out} keeps what is done."
        ) from None
    if finished.record.note:
        console.print(f"{finished.record.note}: for a film of your own, --sam vit_h --xmem XMem")
    console.print(f"run: {finished.folder}")
    console.print(f"comparison video: {finished.folder / 'comparison.mp4'}")
    console.print(f"next: samflow measure {finished.folder} --mm-per-px M")


@app.command("xmem")
def xmem_command(
    folder: Annotated[Path, typer.Argument(help="Holds JPEGImages/VIDEO and Annotations/VIDEO.")],
    out: Annotated[Path, typer.Option(help="Folder for a folder of palette PNGs for each video.")],
    xmem: XMemName = "XMem",
    size: Annotated[int, typer.Option(min=16, help="Shorter side inside XMem, px.")] = 480,
    device: Device = "auto",
    restart: Annotated[
        bool, typer.Option("--restart", help="Start again instead of continuing.")
    ] = False,
) -> None:
    """Track every video of the generic layout with XMem; continues where it was interrupted."""
    with waiting("loading torch"):
        from samflow.runs.folders import track_folder

    try:
        folders = track_folder(folder, out, xmem, size, device, resume=not restart)
    except KeyboardInterrupt:
        raise SamflowError("interrupted: the same command continues from here.") from None
    for done in folders:
        console.print(f"label maps: {done}")
