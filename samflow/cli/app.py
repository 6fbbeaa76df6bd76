"""The command line's application, its console, and what several commands share."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from samflow.errors import SamflowError

app = typer.Typer(
    name="samflow",
    help="Segment dye in films of turbulent flow, compare the ways through the clip, measure.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="--debug, with any command, shows the traceback of an error.",
)
_BEGIN = """To begin with:

  samflow demo                       a synthetic dye clip through all strategies, offline
  samflow notebook --film FILE       your film, in a browser: draw, run, compare, measure
  samflow run FILE --prompts P.json --out DIR --sam vit_h --xmem XMem

samflow --help lists all commands, samflow COMMAND --help their options."""


console = Console(highlight=False, soft_wrap=True)


@app.callback()
def begin(context: typer.Context) -> None:
    """Segment dye in films of turbulent flow, compare the ways through the clip, measure."""
    if context.invoked_subcommand is None:
        console.print(_BEGIN, markup=False)


PROMPTS_EXAMPLE = """Prompts are drawn in a browser, with samflow notebook --film VIDEO, or
written down, in pixels (x1 and y1 exclusive):

\b
{"schema": "samflow.prompts/1",
 "frame": {"index": 0, "width": 1280, "height": 720},
 "regions": [{"id": 1, "name": "dye", "box": [x0, y0, x1, y1]},
             {"id": 2, "name": "wall", "box": [x0, y0, x1, y1], "background": true}]}
"""
PromptsFile = Annotated[
    Path, typer.Option("--prompts", help="JSON of what to segment on one frame, see below.")
]
SamName = Annotated[
    str,
    typer.Option(
        "--sam",
        help="vit_b, vit_l, vit_h (fetched on first use), demo (no download), or a file; "
        "or another segmenter, as sam2=NAME, edgetam=NAME, sam-hq=NAME, or with a folder.",
    ),
]
XMemName = Annotated[
    str,
    typer.Option("--xmem", help="XMem, XMem-s012 (fetched on first use), demo, or a file."),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        "--weights",
        help="Weights of another model, as sam2=NAME or sam2=FOLDER; again for more models. "
        "Names: samflow weights list.",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Precision = Annotated[
    str, typer.Option(help="float32, bfloat16, or auto: bfloat16 where it is faster.")
]
UsePoints = Annotated[
    bool, typer.Option("--points/--no-points", help="Prompt with points besides the boxes.")
]
MaxHoleArea = Annotated[
    float,
    typer.Option(
        min=0, max=1, help="Largest hole to fill, as a share of the frame's area; 0 fills none."
    ),
]
AcceptFrame = Annotated[
    bool,
    typer.Option("--accept-frame", help="Accept other pixels than the prompts were drawn on."),
]


def split_weights(given: list[str] | None) -> dict[str, str]:
    """Split each "MODEL=NAME" at its first equals sign."""
    found = {}
    for text in given or []:
        model, sign, source = text.partition("=")
        if not sign or not model or not source:
            raise SamflowError(f"--weights {text!r} names no model: write it as sam2=FOLDER.")
        found[model] = source
    return found


def split_names(text: str) -> tuple[str, ...]:
    """Split "a, b" at the commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
