"""What a campaign gains over the same runs one after the other, with as many threads in all.

Run it with `python -m tests.campaign_gain`, on a machine with nothing else to do: eight dye clips
of 60 frames (160x96), `xmem` with demo weights, run and measured.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from samflow import DyeClip
from samflow.lab.demo_run import write_dye_clip

CLIPS, FRAMES, SIZE = 8, 60, (96, 160)
OPTIONS = {"strategies": "xmem", "sam": "demo", "xmem": "demo"}
THREADS = 2


def call(*words: object, **environment: str) -> None:
    """Run the installed command; its bars are shown."""
    command = [Path(sys.executable).with_name("samflow"), *map(str, words)]
    environment = {**os.environ, **environment}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


def main() -> None:
    """Time both ways and print their seconds."""
    with tempfile.TemporaryDirectory() as folder:
        place, rows = Path(folder), [",".join(["name", "film", "prompts", *OPTIONS])]
        films = [place / f"film{number}" for number in range(CLIPS)]
        for number, film in enumerate(films):
            write_dye_clip(film, DyeClip(number + 3, SIZE, FRAMES))
            files = [f"{film.name}/clip.mp4", f"{film.name}/prompts.json"]
            rows.append(",".join([film.name, *files, *OPTIONS.values()]))
        (place / "films.csv").write_text("\n".join(rows) + "\n", "utf-8")
        given = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
        begin = time.perf_counter()
        for film in films:
            run, prompts = place / "alone" / film.name, film / "prompts.json"
            threads = {"OMP_NUM_THREADS": str(THREADS)}
            call("run", film / "clip.mp4", "--prompts", prompts, "--out", run, *given, **threads)
            call("measure", run, **threads)
        alone = time.perf_counter() - begin
        begin = time.perf_counter()
        spread = ["--workers", THREADS, "--threads", 1]
        call("campaign", place / "films.csv", "--out", place / "together", *spread)
        together = time.perf_counter() - begin
    print(
        f"one after the other {alone:.1f} s, as a campaign {together:.1f} s: {together / alone:.2f}"
    )


if __name__ == "__main__":
    main()
