"""What a bench leaves to read: a table in Markdown, a figure, a JSON file."""

import json
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure

from samflow.files import write_text
from samflow.lab.markdown import markdown_table
from samflow.lab.speed.benching import Bench
from samflow.results.plots import save_figure

_HEADS = (
    "what",
    "precision",
    "seconds",
    "reference, s",
    "times as fast",
    "of the peak",
    "largest difference",
)


def bench_text(measured: Bench) -> str:
    """Give all that was measured as Markdown."""
    machine = ", ".join(f"{name} {value}" for name, value in measured.machine.items())
    peaks = ", ".join(f"{name} {peak / 1e9:.0f}" for name, peak in measured.peak.items())
    rows = [
        [
            row["what"],
            row["precision"],
            f"{row['seconds']:.3g}",
            f"{row['reference_seconds']:.3g}",
            f"{row['speedup']:.2f}",
            f"{100 * row['share_of_peak']:.0f} %" if "share_of_peak" in row else "",
            f"{row['error']:.1e}",
        ]
        for row in measured.rows
    ]
    parts = [f"{machine}. Matrix product, GFLOP/s: {peaks}.", markdown_table(_HEADS, rows)]
    parts += [
        f"{row['what']}: in {100 * row['around']:.0f} % of the time no model is at work."
        for row in measured.rows
        if "around" in row
    ]
    parts.append(
        "Comparison video of four panels, 1920 px wide: one core draws and writes "
        f"{measured.comparison:.0f} frames/s."
    )
    if measured.agreement:
        parts.append("IoU of masks in bfloat16 with those in float32:")
        rows = [
            [name, f"{iou['mean']:.4f}", f"{iou['lowest']:.4f}"]
            for name, iou in measured.agreement.items()
        ]
        parts.append(markdown_table(("strategy", "mean", "lowest"), rows))
    if measured.growth:
        parts.append(_growth_table(measured))
    return "\n\n".join(parts) + "\n"


def _growth_table(measured: Bench) -> str:
    heads = ("what grows", "SAM", "frames", "size", "regions", "s per frame", "peak memory, MB")
    rows = [
        [
            case["kind"],
            case["sam"],
            str(case["frames"]),
            f"{case['width']}x{case['height']}",
            str(case["regions"]),
            f"{case['seconds']:.3g}",
            "" if case["peak_bytes"] is None else f"{case['peak_bytes'] / 1e6:.0f}",
        ]
        for case in measured.growth
    ]
    return markdown_table(heads, rows)


def plot_growth(measured: Bench) -> Figure:
    """Draw time and memory of a run against frames, frame size and regions.

    Returns
    -------
    matplotlib.figure.Figure
        A column for each thing that grows: seconds per frame above, peak memory below.
    """
    axis_of = {
        "frames": ("frames", lambda case: case["frames"]),
        "frame size": ("megapixels", lambda case: case["height"] * case["width"] / 1e6),
        "regions": ("regions", lambda case: case["regions"]),
    }
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    grid = figure.subplots(2, len(axis_of), sharex="col")
    for column, (kind, (label, place)) in enumerate(axis_of.items()):
        cases = [case for case in measured.growth if case["kind"] == kind]
        x = [place(case) for case in cases]
        memory = [(case["peak_bytes"] or float("nan")) / 1e6 for case in cases]
        for axes, values in zip(
            grid[:, column], ([case["seconds"] for case in cases], memory), strict=True
        ):
            axes.plot(x, values, "o-", color="#0072b2")
            axes.set_ylim(0, 1.15 * max(values, default=1.0))
        grid[1, column].set_xlabel(label)
    grid[0, 0].set_ylabel("s per frame")
    grid[1, 0].set_ylabel("peak memory, MB")
    return figure


def write_bench(measured: Bench, path: Path) -> None:
    """Write all that was measured as JSON; beside it the figure, when growth was measured."""
    write_text(path, json.dumps(asdict(measured), indent=1) + "\n")
    if measured.growth:
        save_figure(plot_growth(measured), path.with_suffix(".png"))
