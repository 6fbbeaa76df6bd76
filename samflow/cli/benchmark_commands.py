"""The command that compares everything on clips with exact truth: benchmark."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from samflow.cli.app import Device, Weights, app, console, split_names, split_weights
from samflow.errors import SamflowError

if TYPE_CHECKING:
    from samflow.lab.benchmark import Summary


@app.command("benchmark")
def benchmark_command(
    out: Annotated[Path, typer.Option(help="Folder to make or to continue.")] = Path(
        "runs/benchmark"
    ),
    clips: Annotated[
        str | None, typer.Option(help="Comma-separated names; default all fifteen.")
    ] = None,
    frames: Annotated[int, typer.Option(min=2, help="Length of each clip.")] = 60,
    strategies: Annotated[
        str | None,
        typer.Option(help="As of samflow run; default all but unet, baselines included."),
    ] = None,
    sam: Annotated[str, typer.Option(help="demo, vit_b, vit_l, vit_h, or a file.")] = "demo",
    xmem: Annotated[str, typer.Option(help="demo, XMem, XMem-s012, or a file.")] = "demo",
    weights: Weights = None,
    device: Device = "auto",
    ablations: Annotated[
        bool,
        typer.Option("--ablations", help="Score anchored without each of its parts instead."),
    ] = False,
) -> None:
    """Compare strategies and baselines on fifteen dye clips with exact truth.

    The same command continues an interrupted benchmark.
    """
    from samflow.lab.benchmark import BenchmarkOptions, run_benchmark
    from samflow.strategies import TITLES

    if ablations:
        _ablate(out, None if clips is None else split_names(clips), frames, (sam, xmem, device))
        return
    options = BenchmarkOptions(
        clips=None if clips is None else split_names(clips),
        frames=frames,
        strategies=tuple(TITLES) if strategies is None else split_names(strategies),
        sam=sam,
        xmem=xmem,
        weights=split_weights(weights),
        device=device,
    )
    try:
        summary = run_benchmark(out, options)
    except KeyboardInterrupt:
        raise SamflowError("interrupted: the same command continues from here.") from None
    _print_winners(summary)
    _print_trust(summary)
    console.print(f"tables: {out / 'benchmark.csv'}, {out / 'benchmark.md'}")
    console.print(f"plots: {out / 'plots'}")
    if summary.failures:
        name, reason = next(iter(summary.failures.items()))
        raise SamflowError(f"{len(summary.failures)} clips failed; {name}: {reason}")


def _ablate(
    out: Path, clips: tuple[str, ...] | None, frames: int, models: tuple[str, str, str]
) -> None:
    """Write and print the table of ablations."""
    from samflow.lab.benchmark import ablate, write_ablations
    from samflow.sam import load_sam
    from samflow.xmem import load_xmem

    sam, xmem, device = models
    table = ablate(load_sam(sam, device), load_xmem(xmem, device), clips, frames)
    console.print(write_ablations(table, out), soft_wrap=True)


def _print_winners(summary: "Summary") -> None:
    """Table of J: the best of each kind on each clip, and who wins."""
    table = Table("clip", "best strategy", "J", "best baseline", "J", "winner", box=None)
    for row in summary.winners().to_dict("records"):
        cells = []
        for kind in ("strategy", "baseline"):
            name = row[kind]
            cells += ["-", "-"] if name is None else [name, f"{row[f'{kind}_J']:.3f}"]
        mark = " (a baseline)" if row["baseline_wins"] else ""
        table.add_row(row["clip"], *cells, f"{row['winner']}{mark}")
    console.print(table)


def _print_trust(summary: "Summary") -> None:
    """How far drift scores and bands can be trusted without a truth."""
    for row in summary.correlation.to_dict("records"):
        console.print(
            f"rank correlation of drift score and 1 - J, {row['group']}: {row['overall']:.2f} "
            f"overall, {row['within_clip']:.2f} within a clip"
        )
    for row in summary.bands.to_dict("records"):
        console.print(
            f"band of {row['quantity']}, {row['band']}, {row['group']}: holds the truth on "
            f"{100 * row['coverage']:.0f} % of the frames"
        )
    for row in summary.lengths.to_dict("records"):
        console.print(
            f"interface length of {row['strategy']}: within 10 % of the truth at the same scale on "
            f"{100 * row['within_10_percent']:.0f} % of the frames"
        )
