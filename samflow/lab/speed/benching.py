"""What `samflow bench` measures, in one run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from samflow.device import resolve_device
from samflow.errors import SamflowError
from samflow.lab.speed.agreement import precision_agreement
from samflow.lab.speed.growth import Case, measure_case
from samflow.lab.speed.machine import describe, matrix_peak
from samflow.lab.speed.run_speed import comparison_rate, run_row
from samflow.lab.speed.sam_speed import ARCHITECTURES, encoder_rows
from samflow.lab.speed.xmem_speed import step_rows
from samflow.xmem import XMem

_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class BenchOptions:
    """How much is measured.

    Parameters
    ----------
    sam : str
        One of `samflow.lab.speed.sam_speed.ARCHITECTURES`, such as "vit_b"; its weights are random,
        time does not depend on them.
    encoder_size, step_size : (int, int)
        (H, W) of the frames that SAM encodes and XMem tracks, px.
    repeats : int
        Rounds of which the shortest time counts.
    steps : int
        Frames that XMem is timed on.
    frames, frames_of_sam : int
        Lengths of the clips that all four strategies run over with the demo SAM, and with one of
        the size `sam`; 0 for none.
    agreement : (int, int)
        Clips, and frames of each, on which masks in bfloat16 and float32 are compared.
    growth : sequence of Case
        Runs whose time and memory are measured.
    device : str
    official_xmem : Path, optional
        Folder of XMem's own repository, to compare with.
    """

    sam: str = "vit_b"
    encoder_size: tuple[int, int] = (480, 854)
    step_size: tuple[int, int] = (480, 720)
    repeats: int = 2
    steps: int = 10
    frames: int = 10
    frames_of_sam: int = 2
    agreement: tuple[int, int] = (12, 5)
    growth: tuple[Case, ...] = (
        Case("frames", 50),
        Case("frames", 200),
        Case("frame size", 20, 270, 480),
        Case("frame size", 20, 540, 960),
        Case("frame size", 20, 1080, 1920),
        Case("regions", 20, 270, 480, 1),
        Case("regions", 20, 270, 480, 2),
        Case("regions", 20, 270, 480, 3),
        Case("encoder", 1, 480, 854, sam="vit_b"),
        Case("official encoder", 1, 480, 854, sam="vit_b"),
        Case("encoder", 1, 480, 854, sam="vit_h"),
    )
    device: str = "auto"
    official_xmem: Path | None = None

    @classmethod
    def quick(cls) -> "BenchOptions":
        """Options for a first look: few rounds, a short clip, no growth."""
        return cls(
            sam="a quarter of vit_b",
            step_size=(240, 360),
            repeats=1,
            steps=5,
            frames=6,
            frames_of_sam=0,
            agreement=(1, 4),
            growth=(),
        )


@dataclass
class Bench:
    """What was measured.

    Parameters
    ----------
    machine : dict
        Its description.
    peak : dict of precision to float
        Operations per second of a large matrix product.
    rows : list of dict
        One for each thing and precision: `what`, `precision`, `seconds`, `reference_seconds`,
        `speedup`; `share_of_peak` (operations of the reference way, per second of ours, over the
        peak: above 1 where work is saved), `error`, `around` where they are known.
    agreement : dict of strategy to dict
        Mean and lowest IoU of masks in bfloat16 with those in float32, see `precision_agreement`.
    comparison : float
        Frames of a comparison video that one core draws and writes in a second.
    growth : list of dict
        What `measure_case` gives.
    """

    machine: dict[str, str]
    peak: dict[str, float]
    rows: list[dict[str, Any]] = field(default_factory=list)
    agreement: dict[str, dict[str, float]] = field(default_factory=dict)
    comparison: float = 0.0
    growth: list[dict[str, Any]] = field(default_factory=list)


def bench(options: BenchOptions | None = None) -> Bench:
    """Measure speed and memory beside the reference way of doing the same work.

    Parameters
    ----------
    options : BenchOptions, optional

    Returns
    -------
    Bench

    Raises
    ------
    SamflowError
        For a size of SAM or a device that is unknown, or a folder without XMem's code.

    Notes
    -----
    References: the official image encoder in float32 and under autocast; XMem's official step, or
    `samflow.lab.speed.xmem_speed.PlainXMem`; the method done the plain way. The ways take turns,
    so that a busy machine disturbs all alike; still, only figures of an idle one mean much.
    """
    options = options or BenchOptions()
    if options.sam not in ARCHITECTURES:
        raise SamflowError(
            f"SAM of size {options.sam!r} is unknown: choose from {', '.join(ARCHITECTURES)}."
        )
    device = resolve_device(options.device)
    measured = Bench(
        describe(device), {name: matrix_peak(device, kind) for name, kind in _PRECISIONS.items()}
    )
    for _, step in tqdm(_steps(options, device, measured), unit="part", desc="samflow bench"):
        step()
    for row in measured.rows:
        row["speedup"] = row["reference_seconds"] / row["seconds"]
        if "operations" in row:
            achieved = row["operations"] / row["seconds"]
            row["share_of_peak"] = achieved / measured.peak[row["precision"]]
    return measured


def _steps(
    options: BenchOptions, device: torch.device, measured: Bench
) -> list[tuple[str, Callable[[], None]]]:
    """The parts of a bench by name, each adding to what was measured."""

    def encoder() -> None:
        size, repeats = options.encoder_size, options.repeats
        measured.rows += encoder_rows(options.sam, size, str(device), repeats)

    def xmem() -> None:
        torch.manual_seed(0)
        network = XMem().requires_grad_(False).eval().to(device)
        measured.rows += step_rows(network, options.step_size, options.steps, options.official_xmem)

    def strategies() -> None:
        measured.rows.append(run_row(options.frames, (270, 480), str(device)))
        if options.frames_of_sam:
            row = run_row(options.frames_of_sam, (270, 480), str(device), options.sam)
            measured.rows.append(row)
        measured.comparison = comparison_rate()

    def agreement() -> None:
        measured.agreement = precision_agreement(str(device), *options.agreement)

    def grow(case: Case) -> Callable[[], None]:
        return lambda: measured.growth.append(measure_case(case))

    parts = {"encoder": encoder, "xmem": xmem, "strategies": strategies, "agreement": agreement}
    return [*parts.items(), *((case.kind, grow(case)) for case in options.growth)]
