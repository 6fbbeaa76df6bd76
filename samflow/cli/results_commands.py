"""Commands on finished runs: compare, score, measure, export."""

from pathlib import Path
from typing import Annotated

import typer

from samflow.cli.app import app, console, split_names
from samflow.cli.terminal_tables import print_measures, print_scores

StrategyNames = Annotated[str | None, typer.Option(help="Comma-separated; default all.")]


@app.command("compare")
def compare_command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders over the same clip.")],
    out: Annotated[Path, typer.Option(help="Video to write.")] = Path("comparison.mp4"),
    strategies: StrategyNames = None,
    video: Annotated[Path | None, typer.Option(help="The runs' video, if it was moved.")] = None,
) -> None:
    """Put the strategies of some runs side by side in one video."""
    from samflow.results.side_by_side import compare
    from samflow.runs import Run

    names = None if strategies is None else split_names(strategies)
    written = compare([Run(run) for run in runs], out, video, names)
    console.print(f"comparison video: {written}")


@app.command("score")
def score_command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    truth: Annotated[
        Path, typer.Option(help="Folder of true label maps, one palette PNG per frame.")
    ],
) -> None:
    """Score a run against true label maps."""
    from samflow.maskio import Track
    from samflow.results.scoring import score
    from samflow.runs import Run

    opened = Run(run)
    print_scores(score(opened, Track(truth)), {str(r.id): r.name for r in opened.result_regions})
    console.print(f"scores: {run / 'scores.csv'}, {run / 'plots' / 'scores.png'}")


@app.command("measure")
def measure_command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    mm_per_px: Annotated[
        float | None,
        typer.Option(
            "--mm-per-px",
            help="A known length in the frame, mm, over its px; by default the prompts' ruler, "
            "without one all is in px.",
        ),
    ] = None,
    scale_px: Annotated[
        float | None,
        typer.Option(
            "--scale-px",
            help="Measure interfaces at this scale, px; by default the smallest that the masks "
            "agree at.",
        ),
    ] = None,
    video: Annotated[Path | None, typer.Option(help="The run's video, if it was moved.")] = None,
) -> None:
    """Measure the dyes of a run, with units: tables, plots, and a page with all of it.

    Scores are on the page when samflow score came first.
    """
    from samflow.results.measures.trust import scale_sentence
    from samflow.results.run_measures import measure
    from samflow.runs import Run

    opened = Run(run)
    measured = measure(opened, mm_per_px, video, scale_px=scale_px)
    tables = {name: m.clip for name, m in measured.items()}
    print_measures(tables, {r.id: r.name for r in opened.result_regions})
    console.print(scale_sentence(next(iter(tables.values())).attrs))
    console.print(f"every frame: {run / 'measures.csv'}, {run / 'drift.csv'}")
    console.print(f"plots: {run / 'plots'}")
    console.print(f"report: {run / 'report.html'}")


@app.command("export")
def export_command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    format_name: Annotated[
        str,
        typer.Option(
            "--format",
            help="coco (an image each frame), coco-video (as YouTube-VIS), cvat (CVAT 1.1 XML), "
            "davis (palette PNGs), tiff (a stack), npz (NumPy), or csv (the quantities).",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    strategies: StrategyNames = None,
) -> None:
    """Write a run's label maps, or its quantities, for another tool."""
    from samflow.results.exports import export
    from samflow.runs import Run

    names = None if strategies is None else split_names(strategies)
    for path in export(Run(run), format_name, out, names):
        console.print(f"{format_name}: {path}")
