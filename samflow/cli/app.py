"""The command line's application, its console, and what several commands share."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    name="samflow",
    help="Segment dye in films of turbulent flow, compare the ways through the clip, measure.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="--debug, with any command, shows the traceback of an error.",
)
console = Console(highlight=False, soft_wrap=True)

PromptsFile = Annotated[Path, typer.Option("--prompts", help="Prompts JSON of one frame.")]
SamName = Annotated[str, typer.Option("--sam", help="vit_b, vit_l, vit_h, demo, or a file.")]
XMemName = Annotated[str, typer.Option("--xmem", help="XMem, XMem-s012, demo, or a file.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
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


def split_names(text: str) -> tuple[str, ...]:
    """Split "a, b" at the commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
