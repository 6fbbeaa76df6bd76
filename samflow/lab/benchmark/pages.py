"""What a benchmark leaves to read: tables, figures, a sheet of the clips, a text."""

from pathlib import Path

import pandas as pd
from PIL import Image

from samflow.files import atomic_path, write_text
from samflow.lab.benchmark.paired import paired_differences
from samflow.lab.benchmark.summary import Summary
from samflow.lab.markdown import markdown_table
from samflow.maskio import Track
from samflow.overlay import PanelGrid, overlay_labels
from samflow.results.csv_tables import write_table
from samflow.results.plots import plot_benchmark, plot_benchmark_time, save_figure
from samflow.runs import Run
from samflow.strategies import STRATEGY_NAMES

_REFERENCE = "nearest-colour"
# Of the project's own making: compared with each of the others
_OWN = "anchored"


def write_pages(summary: Summary, folder: Path) -> None:
    """Write all tables, figures and the text of a benchmark in its folder."""
    write_table(summary.table, folder / "benchmark.csv")
    write_table(summary.correlation, folder / "drift_correlation.csv")
    write_table(summary.bands, folder / "bands.csv")
    write_table(summary.lengths, folder / "lengths.csv")
    write_text(folder / "benchmark.md", benchmark_text(summary))
    plots = folder / "plots"
    baselines = list(summary.table.loc[summary.table["baseline"], "strategy"].unique())
    matrix = score_matrix(summary.table)
    save_figure(plot_benchmark(matrix, baselines=baselines), plots / "benchmark.png")
    mean = summary.scores.groupby(["clip", "strategy", "frame"], sort=False)["J"].mean()
    strong = [*STRATEGY_NAMES, _REFERENCE]
    save_figure(plot_benchmark_time(mean.reset_index(), strong=strong), plots / "time.png")
    draw_clips(summary, plots / "clips.png")


def score_matrix(table: pd.DataFrame) -> pd.DataFrame:
    """Mean J of each clip (rows) and strategy (columns), both in the benchmark's order."""
    wide = table.pivot(index="clip", columns="strategy", values="J")
    return wide.loc[table["clip"].unique(), table["strategy"].unique()]


def draw_clips(summary: Summary, path: Path) -> None:
    """Write a page with the first frame of every clip, its truth as outlines."""
    titles, pictures = [], []
    regions = summary.run().record.prompts.regions
    colors = {region.id: region.color for region in regions}
    for clip in summary.clips:
        film = summary.folder / "clips" / clip.name
        labels = Track(film / "truth")[0]
        titles.append(f"{clip.name}: {clip.difficulty}")
        first = Run(summary.folder / "runs" / clip.name).clip()[0]
        pictures.append(overlay_labels(first, labels, colors, alpha=0.1))
    legend = [(region.name, region.color) for region in regions]
    grid = PanelGrid(titles, pictures[0].shape[:2], legend=legend)
    with atomic_path(path) as part:
        Image.fromarray(grid.compose(pictures)).save(part, format="PNG")


def benchmark_text(summary: Summary) -> str:
    """Give the benchmark's results as Markdown."""
    run = summary.run()
    video, models = run.record.video, run.record.models
    weights = ", ".join(
        f"{key} {model.name} ({model.sha256[:12]})" for key, model in models.items()
    )
    parts = [
        "# Dye benchmark",
        f"{len(summary.clips)} synthetic clips of {video.frames} frames, "
        f"{video.width}x{video.height} px, exact truth; samflow "
        f"{run.record.versions['samflow']}; weights: {weights}.",
        "The first frame's masks are SAM's, from the true boxes, for every strategy. Mean J over "
        "both dyes and all frames, the best of each clip in bold:",
        _score_table(summary),
        _winner_text(summary),
        *_paired_text(summary),
        "Means over all clips; the frame where drift starts is a median over the clips with drift:",
        _mean_table(summary.table),
        *_trust_text(summary),
    ]
    if summary.failures:
        parts += ["Clips that could not be done:"]
        parts += [f"- {name}: {reason}" for name, reason in summary.failures.items()]
    return "\n\n".join(parts) + "\n"


def _score_table(summary: Summary) -> str:
    matrix = score_matrix(summary.table)
    difficulty = {clip.name: clip.difficulty for clip in summary.clips}
    rows = []
    for clip, values in matrix.iterrows():
        best = values.max()
        cells = [f"**{value:.3f}**" if value == best else f"{value:.3f}" for value in values]
        rows.append([f"{clip}: {difficulty[str(clip)]}", *cells])
    rows.append(["mean", *(f"{value:.3f}" for value in matrix.mean())])
    return markdown_table(["clip", *matrix.columns], rows)


def _winner_text(summary: Summary) -> str:
    winners = summary.winners()
    lost = winners[winners["baseline_wins"]]
    if not winners["strategy"].notna().all() or not winners["baseline"].notna().all():
        return ""
    if lost.empty:
        return "No baseline wins on any clip."
    named = "; ".join(
        f"{row['clip']} ({row['baseline']} {row['baseline_J']:.3f}, "
        f"{row['strategy']} {row['strategy_J']:.3f})"
        for row in lost.to_dict("records")
    )
    return f"A baseline wins on {len(lost)} of {len(winners)} clips: {named}."


def _paired_text(summary: Summary) -> list[str]:
    """How far `anchored` is ahead of each other strategy, where both are there."""
    matrix = score_matrix(summary.table)
    if _OWN not in matrix or len(matrix.columns) < 2:
        return []
    rows = [
        [
            row["strategy"],
            f"{row['difference']:+.3f}",
            f"{row['low']:+.3f} to {row['high']:+.3f}",
            f"{row['clips_ahead']} of {len(matrix)}",
        ]
        for row in paired_differences(matrix, _OWN).to_dict("records")
    ]
    heads = [f"{_OWN} minus", "J", "95 % interval", "clips ahead"]
    return [
        f"How far `{_OWN}` is ahead, with intervals from a paired bootstrap over clips:",
        markdown_table(heads, rows),
    ]


def _mean_table(table: pd.DataFrame) -> str:
    rows = []
    for name, part in table.groupby("strategy", sort=False):
        start = part["drift_start"].dropna()
        drifts = (
            f"{start.astype(float).median():.0f} ({len(start)} clips)" if len(start) else "none"
        )
        means = [part[column].mean() for column in ("J", "J_last_quarter", "J_worst", "F")]
        rows.append(
            [
                str(name),
                *(f"{value:.3f}" for value in means),
                drifts,
                f"{part['seconds_per_frame'].mean():.3f}",
                f"{part['own_seconds_per_frame'].mean():.3f}",
            ]
        )
    heads = ["strategy", "J", "J, last quarter", "J, worst frame", "F", "drift starts, frame"]
    return markdown_table([*heads, "s/frame", "s/frame, own stage"], rows)


def _trust_text(summary: Summary) -> list[str]:
    correlation = [
        [row["group"], *(f"{row[key]:.2f}" for key in ("overall", "within_clip", "within_series"))]
        for row in summary.correlation.to_dict("records")
    ]
    bands = [
        [
            row["group"],
            row["band"],
            row["quantity"],
            f"{100 * row['coverage']:.0f} %",
            f"{100 * row['relative_width']:.0f} %",
            f"{row['lowest_clip']} ({100 * row['lowest_coverage']:.0f} %)",
        ]
        for row in summary.bands.to_dict("records")
    ]
    parts = [
        "Rank correlation (Spearman) of the drift score, which knows no truth, with 1 - J:",
        markdown_table(["among", "overall", "within a clip", "within a series"], correlation),
    ]
    if bands:
        heads = ["among", "band", "quantity", "held", "width of the band", "least held"]
        parts += [
            "How often a band holds the true value: the one from the lowest to the highest "
            "strategy, and the likely one around it. Interface lengths are those at the clip's "
            "trusted scale:",
            markdown_table(heads, bands),
        ]
    return [*parts, *_length_text(summary.lengths)]


def _length_text(lengths: pd.DataFrame) -> list[str]:
    rows = [
        [
            row["strategy"],
            f"{100 * row['within_10_percent']:.0f} %",
            f"{row['median_ratio']:.2f}",
            f"{row['lowest_clip']} ({100 * row['lowest_within']:.0f} %)",
        ]
        for row in lengths.to_dict("records")
    ]
    if not rows:
        return []
    low, high = lengths["smallest_scale_px"].min(), lengths["largest_scale_px"].max()
    return [
        "Interface length against the true one at the same scale, which the masks themselves told "
        f"to be trusted ({low:.3g} to {high:.3g} px, by clip): share of frames within 10 %.",
        markdown_table(["strategy", "within 10 %", "median ratio", "least"], rows),
    ]
