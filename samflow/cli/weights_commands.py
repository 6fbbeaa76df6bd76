"""Commands on checkpoints: weights list, fetch, verify."""

from typing import Annotated

import typer
from rich.table import Table

from samflow.cli.app import app, console
from samflow.errors import SamflowError

weights_app = typer.Typer(no_args_is_help=True, help="Model checkpoints: list, fetch, verify.")
app.add_typer(weights_app, name="weights")


@weights_app.command("list")
def weights_list() -> None:
    """List the checkpoints that samflow knows by name, and whether they are here."""
    from samflow.models import MODELS, SEGMENTERS
    from samflow.weights import REGISTRY, verify

    states = {row.name: row.state for row in verify()}
    table = Table("name", "file", "MB", "licence", "here", box=None)
    for entry in REGISTRY.values():
        size = "" if entry.size is None else f"{entry.size / 1e6:.0f}"
        table.add_row(entry.name, entry.file, size, entry.licence, states[entry.name])
    console.print(table)
    console.print("\nmodels beside SAM and XMem, fetched on first use by their library:")
    others = Table(
        "--weights, --sam", "on huggingface.co", "million parameters", "licence", box=None
    )
    for model in (MODELS | SEGMENTERS).values():
        for name, weights in model.weights.items():
            size = "" if weights.millions is None else f"{weights.millions:g}"
            others.add_row(f"{model.name}={name}", weights.hub, size, model.licence)
    console.print(others)


@weights_app.command("fetch")
def weights_fetch(name: Annotated[str, typer.Argument(help="A name of weights list.")]) -> None:
    """Download a checkpoint into the cache and check it."""
    from samflow.weights import fetch as fetch_weights

    console.print(f"checkpoint: {fetch_weights(name)}")


@weights_app.command("verify")
def weights_verify() -> None:
    """Check the hash of every checkpoint in the cache."""
    from samflow.weights import verify

    rows = verify()
    table = Table("name", "file", "state", box=None)
    for row in rows:
        table.add_row(row.name, str(row.path), row.state)
    console.print(table)
    if any(row.state == "differs" for row in rows):
        raise SamflowError(
            "a checkpoint differs from its hash: delete the file and fetch it again."
        )
