"""The command that measures speed and memory: bench."""

from pathlib import Path
from typing import Annotated

import typer

from samflow.cli.app import Device, app, console


@app.command("bench")
def bench_command(
    quick: Annotated[
        bool, typer.Option("--quick", help="A first look: few rounds, a short clip, no growth.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures there, and a plot beside it.")
    ] = None,
    sam: Annotated[
        str | None,
        typer.Option(help="Size of SAM: vit_b (default; with --quick a quarter), vit_l, vit_h."),
    ] = None,
    official_xmem: Annotated[
        Path | None,
        typer.Option(help="Folder of XMem's own repository, to compare with instead of ours."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Measure speed and memory beside the reference way of doing the same work, in one run."""
    from dataclasses import replace

    from samflow.lab.speed import BenchOptions, bench
    from samflow.lab.speed.bench_pages import bench_text, write_bench

    options = BenchOptions.quick() if quick else BenchOptions()
    options = replace(options, device=device, official_xmem=official_xmem)
    options = options if sam is None else replace(options, sam=sam)
    measured = bench(options)
    console.print(bench_text(measured), end="", markup=False)
    if json_file is not None:
        write_bench(measured, json_file)
        console.print(f"figures: {json_file}")
