"""The command that opens the notebooks: notebook."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from samflow.cli.app import app, console
from samflow.errors import SamflowError

if TYPE_CHECKING:
    from samflow.lab.film_choice import FilmChoice


@app.command("notebook")
def notebook_command(
    options: Annotated[
        list[str] | None,
        typer.Argument(help="Options for JupyterLab itself, after --, such as -- --ip=0.0.0.0"),
    ] = None,
    film: Annotated[
        Path | None,
        typer.Option(help="Your film, or a folder of images: all notebooks are about it then."),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(help="Prompts JSON of the film; default one that notebook 02 keeps."),
    ] = None,
    sam: Annotated[
        str | None,
        typer.Option(help="vit_b, vit_l, vit_h, demo, or a file; default what is in the cache."),
    ] = None,
    xmem: Annotated[
        str | None,
        typer.Option(help="XMem, XMem-s012, demo, or a file; default what is in the cache."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for your copies.")] = Path("notebooks"),
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default 8888, or the next free one.")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser window.")
    ] = True,
) -> None:
    """Open JupyterLab on your own copies of samflow's notebooks.

    Without --film they are about a synthetic dye clip, or about the film given before.
    """
    from samflow.cli.notebook_copies import copy_notebooks, open_jupyterlab

    if film is None and (prompts, sam, xmem) != (None, None, None):
        raise SamflowError("--prompts, --sam and --xmem belong to a film: give --film too.")
    if options and not options[0].startswith("-"):
        raise SamflowError(
            f"{options[0]} is no option of JupyterLab: for notebooks about a film, "
            f"samflow notebook --film {options[0]}."
        )
    choice = None if film is None else _choice(film, prompts, sam, xmem)
    copies = copy_notebooks(out)
    console.print(f"notebooks: {copies.folder}")
    if copies.written:
        console.print(f"copied: {', '.join(copies.written)}")
    if copies.kept:
        console.print(f"kept as you changed them: {', '.join(copies.kept)}")
    _set_film(copies.folder, choice)
    open_jupyterlab(copies.folder, port, browser, options or ())


def _choice(film: Path, prompts: Path | None, sam: str | None, xmem: str | None) -> "FilmChoice":
    """The film that the notebooks will be about, found to be one."""
    from samflow.lab.film_choice import FilmChoice, check_choice

    choice = FilmChoice(
        film=str(film.resolve()),
        prompts=None if prompts is None else str(prompts.resolve()),
        sam=_from_anywhere(sam),
        xmem=_from_anywhere(xmem),
    )
    check_choice(choice)
    return choice


def _set_film(folder: Path, choice: "FilmChoice | None") -> None:
    """Keep the notebooks' film, if one is given, and say which it is."""
    from samflow.lab.film_choice import CHOICE_FILE, choose_film, chosen_film

    if choice is not None:
        choose_film(choice, folder)
    found = chosen_film(folder)
    if found is None:
        console.print("film: a synthetic dye clip; choose your own with --film FILE")
    else:
        path = folder / CHOICE_FILE
        console.print(f"film: {found.film}, as {path} says; delete it for the dye clip")


def _from_anywhere(weights: str | None) -> str | None:
    """Weights as the notebooks find them, which run in a folder of their own."""
    return str(Path(weights).resolve()) if weights and Path(weights).is_file() else weights
