"""The `samflow` command."""

import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from samflow.errors import SamflowError

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
weights_app = typer.Typer(no_args_is_help=True, help="Model checkpoints: list, fetch, verify.")
app.add_typer(weights_app, name="weights")

console = Console(highlight=False, soft_wrap=True)

PromptsFile = Annotated[Path, typer.Option("--prompts", help="Prompts JSON of one frame.")]
SamName = Annotated[str, typer.Option("--sam", help="vit_b, vit_l, vit_h, demo, or a file.")]
XMemName = Annotated[str, typer.Option("--xmem", help="XMem, XMem-s012, demo, or a file.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
UsePoints = Annotated[
    bool, typer.Option("--points/--no-points", help="Prompt with points beside the boxes.")
]
AcceptFrame = Annotated[
    bool,
    typer.Option("--accept-frame", help="Accept other pixels than the prompts were drawn on."),
]
Film = Annotated[int | None, typer.Option(min=0, help="Film number for the name of the file.")]


@app.command("demo")
def demo_command(
    out: Annotated[Path, typer.Option(help="Run folder to make.")] = Path("runs/demo"),
    frames: Annotated[int, typer.Option(min=1, help="Length of the clip.")] = 60,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the synthetic flow.")] = None,
    strategies: Annotated[str | None, typer.Option(help="Comma-separated; default all.")] = None,
) -> None:
    """Make a dye clip, run all strategies with the demo weights, score them. Offline, on a CPU."""
    from samflow.demo import DEMO_SEED, demo
    from samflow.strategies import STRATEGY_NAMES

    names = STRATEGY_NAMES if strategies is None else _names(strategies)
    run, summary = demo(out, frames, DEMO_SEED if seed is None else seed, names)
    _print_scores(summary, {str(r.id): r.name for r in run.result_regions})
    console.print(f"comparison video: {run.folder / 'comparison.mp4'}")
    console.print(f"scores: {run.folder / 'scores.csv'}, {run.folder / 'plots' / 'scores.png'}")
    console.print(f"some frames: {run.folder / 'plots' / 'frames.png'}")
    console.print(f"the clip and its truth: {out.with_name(out.name + '_clip')}")


@app.command()
def fetch(
    url: Annotated[str, typer.Argument(help="http or https address of a video or its page.")],
    start: Annotated[str, typer.Option(help="mm:ss, hh:mm:ss or seconds.")],
    end: Annotated[str, typer.Option(help="mm:ss, hh:mm:ss or seconds.")],
    film: Film = None,
    out: Annotated[Path, typer.Option(help="Folder for the film and the clip.")] = Path("data"),
) -> None:
    """Download a film and cut a clip out of it."""
    from samflow.acquire import fetch as fetch_clip

    console.print(f"clip: {fetch_clip(url, start, end, film, out)}")


@app.command("cut")
def cut_command(
    video: Annotated[Path, typer.Argument(help="Video file.")],
    start: Annotated[str, typer.Option(help="mm:ss, hh:mm:ss or seconds.")],
    end: Annotated[str, typer.Option(help="mm:ss, hh:mm:ss or seconds.")],
    film: Film = None,
    out: Annotated[Path, typer.Option(help="Folder for the clip.")] = Path("data"),
) -> None:
    """Cut a clip out of a video file."""
    from samflow.acquire import clip_name, cut

    name = clip_name(video.stem if film is None else film, start, end)
    console.print(f"clip: {cut(video, start, end, out / name)}")


@app.command("segment")
def segment_command(
    video: Annotated[Path, typer.Argument(help="Video file or folder of images.")],
    prompts: PromptsFile,
    out: Annotated[Path, typer.Option(help="Folder for the label PNG and the overlay.")],
    frame: Annotated[int | None, typer.Option(help="Frame number; default the prompts'.")] = None,
    sam: SamName = "vit_h",
    device: Device = "auto",
    points: UsePoints = False,
    max_hole_area: Annotated[
        int, typer.Option(min=0, help="Largest hole to fill, px; 0 shows the model's own masks.")
    ] = 0,
    accept_frame: AcceptFrame = False,
    keep_background: Annotated[
        bool, typer.Option("--keep-background", help="Keep the labels of background regions.")
    ] = False,
) -> None:
    """Segment one frame from prompts: label PNG and overlay."""
    from samflow.prompts import Prompts
    from samflow.segment import segment

    result = segment(
        video,
        Prompts.load(prompts),
        out,
        frame=frame,
        sam=sam,
        device=device,
        use_points=points,
        max_hole_area=max_hole_area,
        accept_frame=accept_frame,
        keep_background=keep_background,
    )
    console.print(f"labels: {result.label_path}")
    console.print(f"overlay: {result.overlay_path}")


@app.command("run")
def run_command(
    video: Annotated[Path, typer.Argument(help="Video file or folder of images.")],
    prompts: PromptsFile,
    out: Annotated[Path, typer.Option(help="Run folder to make or to go on with.")],
    strategies: Annotated[
        str, typer.Option(help="Comma-separated, any of xmem, sam, refined, refined-box.")
    ] = "xmem,sam,refined,refined-box",
    sam: SamName = "vit_h",
    xmem: XMemName = "XMem",
    device: Device = "auto",
    start: Annotated[
        str | None, typer.Option(help="mm:ss or seconds; default the prompts' frame.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="mm:ss or seconds; default the end.")] = None,
    points: UsePoints = False,
    size: Annotated[
        int, typer.Option(min=16, help="Shorter side of larger frames inside XMem, px.")
    ] = 480,
    max_hole_area: Annotated[
        int | None, typer.Option(min=0, help="Largest hole to fill, px; default 0.05 % of a frame.")
    ] = None,
    mask_value: Annotated[float, typer.Option(min=0, help="Magnitude of mask prompts.")] = 18.0,
    coverage: Annotated[
        float, typer.Option(min=0, max=0.99, help="Covered share that makes a cell foreground.")
    ] = 0.0,
    accept_frame: AcceptFrame = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
) -> None:
    """Run strategies side by side over a video."""
    from samflow.acquire import parse_time
    from samflow.prompts import Prompts
    from samflow.run import RunOptions, run

    options = RunOptions(
        strategies=_names(strategies),
        sam=sam,
        xmem=xmem,
        device=device,
        start=None if start is None else parse_time(start),
        end=None if end is None else parse_time(end),
        use_points=points,
        accept_frame=accept_frame,
        size=size,
        max_hole_area=max_hole_area,
        mask_value=mask_value,
        coverage=coverage,
    )
    try:
        finished = run(video, Prompts.load(prompts), out, options, resume)
    except KeyboardInterrupt:
        raise SamflowError(f"interrupted: go on with --resume, {out} keeps what is done.") from None
    console.print(f"run: {finished.folder}")
    console.print(f"comparison video: {finished.folder / 'comparison.mp4'}")


@app.command("xmem")
def xmem_command(
    folder: Annotated[Path, typer.Argument(help="Holds JPEGImages/VIDEO and Annotations/VIDEO.")],
    out: Annotated[Path, typer.Option(help="Folder for one folder of palette PNGs a video.")],
    xmem: XMemName = "XMem",
    size: Annotated[int, typer.Option(min=16, help="Shorter side inside XMem, px.")] = 480,
    device: Device = "auto",
    restart: Annotated[
        bool, typer.Option("--restart", help="Start again instead of going on.")
    ] = False,
) -> None:
    """Track every video of the generic layout with XMem; goes on where it was killed."""
    from samflow.folders import track_folder

    try:
        folders = track_folder(folder, out, xmem, size, device, resume=not restart)
    except KeyboardInterrupt:
        raise SamflowError("interrupted: the same command goes on from here.") from None
    for done in folders:
        console.print(f"label maps: {done}")


@app.command("compare")
def compare_command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders over the same clip.")],
    out: Annotated[Path, typer.Option(help="Video to write.")] = Path("comparison.mp4"),
    video: Annotated[Path | None, typer.Option(help="The runs' video, if it was moved.")] = None,
) -> None:
    """Put the strategies of some runs side by side in one video."""
    from samflow.compare import compare
    from samflow.record import Run

    console.print(f"comparison video: {compare([Run(run) for run in runs], out, video)}")


@app.command("score")
def score_command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    truth: Annotated[Path, typer.Option(help="Folder of true label maps, a palette PNG a frame.")],
) -> None:
    """Score a run against true label maps."""
    from samflow.maskio import Track
    from samflow.record import Run
    from samflow.score import score

    opened = Run(run)
    _print_scores(score(opened, Track(truth)), {str(r.id): r.name for r in opened.result_regions})
    console.print(f"scores: {run / 'scores.csv'}, {run / 'plots' / 'scores.png'}")


@app.command("measure")
def measure_command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    mm_per_px: Annotated[
        float | None, typer.Option("--mm-per-px", help="Scale; without it lengths are in pixels.")
    ] = None,
    video: Annotated[Path | None, typer.Option(help="The run's video, if it was moved.")] = None,
) -> None:
    """Measure the dyes of a run: areas, interfaces, profiles, rates, with units."""
    from samflow.quantities import measure_run
    from samflow.record import Run

    opened = Run(run)
    tables = {name: m.clip for name, m in measure_run(opened, mm_per_px, video).items()}
    _print_measures(tables, {r.id: r.name for r in opened.result_regions})
    console.print(f"every frame: {run / 'measures.csv'}")
    console.print(f"plots: {run / 'plots'}")


@app.command("export")
def export_command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    format_name: Annotated[str, typer.Option("--format", help="coco, davis, tiff, npz or csv.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    strategies: Annotated[str | None, typer.Option(help="Comma-separated; default all.")] = None,
) -> None:
    """Write a run's label maps, or its quantities, for another tool."""
    from samflow.export import export
    from samflow.record import Run

    names = None if strategies is None else _names(strategies)
    for path in export(Run(run), format_name, out, names):
        console.print(f"{format_name}: {path}")


@weights_app.command("list")
def weights_list() -> None:
    """List the checkpoints that samflow knows by name, and whether they are here."""
    from samflow.weights import REGISTRY, verify

    states = {row.name: row.state for row in verify()}
    table = Table("name", "file", "MB", "licence", "here", box=None)
    for entry in REGISTRY.values():
        size = "" if entry.size is None else f"{entry.size / 1e6:.0f}"
        table.add_row(entry.name, entry.file, size, entry.licence, states[entry.name])
    console.print(table)


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


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _print_scores(summary: Any, names: dict[str, str]) -> None:
    """Table of J: mean, last quarter, worst frame, for each strategy and region."""
    table = Table(
        "strategy", "region", "J mean", "J last quarter", "J worst (frame)", "F mean", box=None
    )
    for row in summary.itertuples():
        table.add_row(
            row.strategy,
            names.get(row.region, "all dyes"),
            f"{row.J_mean:.3f}",
            f"{row.J_last_quarter:.3f}",
            f"{row.J_worst:.3f} ({row.J_worst_frame})",
            f"{row.F_mean:.3f}",
        )
    console.print(table)


def _print_measures(tables: dict[str, Any], names: dict[int, str]) -> None:
    """Table of a few quantities of the whole clip, for each strategy and region."""
    titles = {
        "area_fraction": "area fraction",
        "interface_length": "interface length",
        "dimension": "box dimension",
        "upper_height_mean": "upper edge",
        "upper_integral_thickness": "layer above",
    }
    attrs = next(iter(tables.values())).attrs
    columns = {attrs["quantities"][quantity]: title for quantity, title in titles.items()}
    heads = [f"{title}, {attrs['units'][column]}".rstrip(", ") for column, title in columns.items()]
    table = Table("strategy", "region", *heads, box=None)
    for strategy, measured in tables.items():
        for row in measured.to_dict("records"):
            values = [f"{row[column]:.4g}" for column in columns]
            table.add_row(strategy, names[row["region"]], *values)
    console.print(table)


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def main() -> None:
    """Entry point: exit 0 on success, 2 on wrong arguments, 1 with one line on bad input."""
    debug = "--debug" in sys.argv[1:]
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(args=arguments, prog_name="samflow")
    except (SamflowError, OSError) as error:
        _fail(" ".join(str(error).split()), debug)
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        _fail("out of memory: use smaller weights, a smaller --size, or --device cpu.", debug)


def _fail(message: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"samflow: {message}")
    sys.exit(1)
