"""The command that opens the notebooks: notebook."""

from pathlib import Path
from typing import Annotated

import typer

from samflow.cli.app import app, console


@app.command("notebook")
def notebook_command(
    options: Annotated[
        list[str] | None,
        typer.Argument(help="Options for JupyterLab itself, after --, such as -- --ip=0.0.0.0"),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for your copies.")] = Path("notebooks"),
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default 8888, or the next free one.")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser window.")
    ] = True,
) -> None:
    """Open JupyterLab on your own copies of samflow's notebooks."""
    from samflow.cli.notebook_copies import copy_notebooks, open_jupyterlab

    copies = copy_notebooks(out)
    console.print(f"notebooks: {copies.folder}")
    if copies.written:
        console.print(f"copied: {', '.join(copies.written)}")
    if copies.kept:
        console.print(f"kept as you changed them: {', '.join(copies.kept)}")
    open_jupyterlab(copies.folder, port, browser, options or ())
