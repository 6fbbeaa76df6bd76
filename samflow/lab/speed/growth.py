"""Time and memory as a run grows: more frames, larger frames, more regions. Each run is a process.

`python -m samflow.lab.speed.growth` is that process: it reads a `Case` from its argument and
prints what it measured.
"""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from samflow.errors import SamflowError


@dataclass(frozen=True)
class Case:
    """A run to measure.

    Parameters
    ----------
    kind : str
        What grows: "frames", "frame size" or "regions"; or "encoder", "official encoder", one
        frame through the image encoder of `sam`.
    frames : int
    height, width : int
        Of the frames, px.
    regions : int
        1 to 3.
    sam : str
        "demo", or an architecture of `samflow.lab.speed.sam_speed`, with random weights.
    device : str
    """

    kind: str
    frames: int = 20
    height: int = 136
    width: int = 240
    regions: int = 3
    sam: str = "demo"
    device: str = "cpu"


def measure_case(case: Case) -> dict[str, Any]:
    """Run a case in a process of its own.

    Returns
    -------
    dict
        The case, `seconds` for each frame, and `peak_bytes` of the process, None where the system
        does not tell.

    Raises
    ------
    SamflowError
        When the process fails.
    """
    command = [sys.executable, "-m", "samflow.lab.speed.growth", json.dumps(asdict(case))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise SamflowError(f"measuring {case} failed: {reason[0]}")
    return asdict(case) | json.loads(done.stdout.splitlines()[-1])


def peak_bytes() -> int | None:
    """Largest resident memory of this program so far; None where the system does not tell.

    On Linux that is VmHWM: the other figure there, ru_maxrss, begins with what the process had
    before it became this program, which is the memory of the one that started it.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = (each for each in status.read_text().splitlines() if each.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def _run(case: Case) -> float:
    """Seconds for each frame of a run with SAM and XMem."""
    from samflow.lab.demo_run import write_dye_clip
    from samflow.lab.synthetic import DyeClip
    from samflow.runs import RunOptions, run

    with TemporaryDirectory() as folder:
        clip = Path(folder) / "clip"
        prompts = write_dye_clip(clip, DyeClip(3, (case.height, case.width), case.frames))
        prompts = prompts.model_copy(update={"regions": prompts.regions[: case.regions]})
        options = RunOptions(("xmem", "sam"), case.sam, "demo", case.device)
        begin = time.perf_counter()
        run(clip / "clip.mp4", prompts, Path(folder) / "run", options)
        return (time.perf_counter() - begin) / case.frames


def _encode(case: Case) -> float:
    """Seconds for one frame through an image encoder."""
    import numpy as np
    import torch

    from samflow.lab.speed.run_speed import OfficialSam
    from samflow.lab.speed.sam_speed import ARCHITECTURES
    from samflow.sam import Sam, build_sam

    kind = OfficialSam if case.kind == "official encoder" else Sam
    torch.manual_seed(0)
    sam = kind(build_sam(ARCHITECTURES[case.sam]), case.device)
    image = np.zeros((case.height, case.width, 3), np.uint8)
    begin = time.perf_counter()
    sam.embed(image)
    return time.perf_counter() - begin


def main() -> None:
    """Measure the case in the first argument and print it as one line of JSON."""
    case = Case(**json.loads(sys.argv[1]))
    seconds = _encode(case) if case.kind.endswith("encoder") else _run(case)
    print(json.dumps({"seconds": seconds, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
