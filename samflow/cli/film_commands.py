"""Commands that get the clip: fetch, cut."""

from pathlib import Path
from typing import Annotated

import typer

from samflow.cli.app import app, console

Time = Annotated[str, typer.Option(help="mm:ss, hh:mm:ss or seconds.")]
Film = Annotated[int | None, typer.Option(min=0, help="Film number for the name of the file.")]


@app.command()
def fetch(
    url: Annotated[str, typer.Argument(help="http or https address of a video or its page.")],
    start: Time,
    end: Time,
    film: Film = None,
    out: Annotated[Path, typer.Option(help="Folder for the film and the clip.")] = Path("data"),
) -> None:
    """Download a film and cut a clip out of it."""
    from samflow.acquire import fetch as fetch_clip

    console.print(f"clip: {fetch_clip(url, start, end, film, out)}")


@app.command("cut")
def cut_command(
    video: Annotated[Path, typer.Argument(help="Video file.")],
    start: Time,
    end: Time,
    film: Film = None,
    out: Annotated[Path, typer.Option(help="Folder for the clip.")] = Path("data"),
) -> None:
    """Cut a clip out of a video file."""
    from samflow.acquire import clip_name, cut

    name = clip_name(video.stem if film is None else film, start, end)
    console.print(f"clip: {cut(video, start, end, out / name)}")
