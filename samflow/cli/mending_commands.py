"""Commands that mend a finished run: correct, and suggest, which says where."""

from pathlib import Path
from typing import Annotated

import typer

from samflow.cli.app import Weights, app, console, split_weights
from samflow.errors import SamflowError


@app.command("correct")
def correct_command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    frame: Annotated[int, typer.Option(help="Frame of the run's clip, counted from 0.")],
    labels: Annotated[
        Path | None,
        typer.Option(help="Label map of that frame: PNG or TIFF (of a stack, the frame's page)."),
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="Or prompts JSON drawn on that frame, for SAM.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Correct a copy of the run, to compare with; new folder.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the correction back.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of another correction.")
    ] = False,
    video: Annotated[Path | None, typer.Option(help="The run's video, if it was moved.")] = None,
    sam: Annotated[str | None, typer.Option(help="The run's SAM weights, if moved.")] = None,
    xmem: Annotated[str | None, typer.Option(help="The run's XMem weights, if moved.")] = None,
    weights: Weights = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps; default the run's.")
    ] = None,
) -> None:
    """Give the right masks of a frame; the frames before and after it follow."""
    from samflow.prompts import Prompts
    from samflow.runs import Places, Run, correct

    if (labels is not None) + (prompts is not None) + remove != 1:
        raise typer.BadParameter("give one of --labels, --prompts and --remove.")
    given = Prompts.load(prompts) if prompts is not None else labels
    places = Places(video, sam, xmem, device, split_weights(weights))
    try:
        mended = correct(Run(run), frame, given, replace=replace, out=out, places=places)
    except KeyboardInterrupt:
        raise SamflowError("interrupted: the same command goes on from here.") from None
    corrected = ", ".join(map(str, mended.correction_files)) or "none"
    console.print(f"corrected frames: {corrected}")
    console.print(f"comparison video: {mended.folder / 'comparison.mp4'}")


@app.command("suggest")
def suggest_command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    count: Annotated[int, typer.Option("-n", min=1, help="How many frames.")] = 3,
    video: Annotated[Path | None, typer.Option(help="The run's video, if it was moved.")] = None,
) -> None:
    """Say which frames to correct next: those expected to help most, best first."""
    from samflow.results.suggesting import suggest
    from samflow.runs import Run

    for frame, time, drift, gain in suggest(Run(run), count, video).to_numpy().tolist():
        console.print(
            f"frame {frame:.0f} at {time:.2f} s: drift {drift:.2f}, expected to take away "
            f"{100 * gain:.0f} % of the run's drift"
        )
