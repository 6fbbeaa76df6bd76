"""Commands on many films: campaign, campaign report."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from typer.core import TyperGroup

from samflow.cli.app import app, console
from samflow.errors import SamflowError


class _RunByDefault(TyperGroup):
    """A group whose command is `run`, unless another one is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command's name before arguments that name none."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


campaign = typer.Typer(cls=_RunByDefault, no_args_is_help=True, rich_markup_mode=None)
app.add_typer(campaign, name="campaign", help="Many films, each a run of its own, on many workers.")


@campaign.command("run")
def campaign_command(
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV or YAML with columns film and prompts; others are options of samflow run or "
            "parameters of the experiment. A film may be a pattern such as films/*.mp4."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for campaign.csv and a run for each film.")],
    workers: Annotated[
        int, typer.Option(min=1, help="Processes on this machine, or jobs of SLURM.")
    ] = 2,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of each worker; default the cores shared out.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="A Dask scheduler that runs already, tcp://host:8786.")
    ] = None,
    slurm: Annotated[
        list[str] | None,
        typer.Option(
            help="KEY=VALUE of SLURM's jobs, again for each: queue, account, walltime, memory, "
            "gres; the workers are jobs then."
        ),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try films again that failed and have not changed.")
    ] = False,
) -> None:
    """Run, score and measure every film of a table.

    The same command goes on where it was interrupted; finished films are not touched.
    `samflow campaign report DIR` looks across the films.
    """
    from samflow.campaigns import CampaignOptions, read_table, run_campaign

    options = CampaignOptions(
        workers, threads, scheduler, None if slurm is None else _pairs(slurm), retry
    )
    try:
        rows = run_campaign(read_table(table), out, options)
    except KeyboardInterrupt:
        raise SamflowError(
            f"interrupted: the same command goes on; {out} keeps what is done."
        ) from None
    _print(rows.to_dict("records"))
    console.print(f"films: {out / 'campaign.csv'}")
    console.print(f"next: samflow campaign report {out}")


@campaign.command("report")
def campaign_report_command(
    folder: Annotated[Path, typer.Argument(help="Folder of a campaign.")],
    parameter: Annotated[
        str | None,
        typer.Option(help="Column of the table that quantities are drawn over; default the first."),
    ] = None,
) -> None:
    """Look across the films of a campaign: one page and one CSV."""
    from samflow.campaigns import write_campaign_report

    page, table = write_campaign_report(folder, parameter)
    console.print(f"report: {page}")
    console.print(f"quantities: {table}")


def _pairs(given: list[str]) -> dict[str, str]:
    """Options of SLURM from KEY=VALUE."""
    pairs = dict(each.partition("=")[::2] for each in given)
    for key, value in pairs.items():
        if not value:
            raise SamflowError(f"--slurm {key!r} has no value: give it as KEY=VALUE.")
    return pairs


def _print(rows: list[dict[Any, Any]]) -> None:
    """States on the terminal: a line for each film that did not end well, and how many did."""
    table = Table("film", "state", "error", box=None)
    bad = [row for row in rows if row["state"] != "done"]
    for row in bad:
        table.add_row(str(row["film"]), str(row["state"]), str(row.get("error") or ""))
    console.print(f"{len(rows) - len(bad)} of {len(rows)} films are done.")
    if bad:
        console.print(table)
        console.print("failed films are tried again once they have changed, or with --retry")
