"""Run folders made from label maps, for tests of what is done with finished runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from samflow.maskio import write_label_map
from samflow.prompts import Prompts, Region
from samflow.runs.record import Run, RunRecord, VideoRecord
from samflow.video import Video, VideoWriter

NAMES = {1: "upper dye", 2: "lower dye", 3: "bottom surface"}


def write_run(
    folder: Path,
    masks: Mapping[str, Sequence[np.ndarray]],
    timestamps: Sequence[float],
    first: int = 0,
    background: Sequence[int] = (3,),
) -> Run:
    """A film with these timestamps and a finished run over its frames from `first` on."""
    size = next(iter(masks.values()))[0].shape
    film = folder / "clip.mp4"
    with VideoWriter(film, size) as writer:
        for index, time in enumerate(timestamps):
            writer.write(np.full((*size, 3), 9 * index, np.uint8), time)
    video = Video(film)
    height, width = size
    regions = [
        Region(id=i, name=name, box=(0, 0, 9, 9), background=i in background)
        for i, name in NAMES.items()
    ]
    record = RunRecord(
        versions={},
        video=VideoRecord(
            name="clip.mp4",
            path=str(film),
            sha256=video.sha256,
            fps=video.fps,
            width=width,
            height=height,
            first=first,
            frames=len(timestamps) - first,
        ),
        prompts=Prompts(regions=regions, frame={"width": width, "height": height}),
        models={},
        strategies=list(masks),
        options={},
        frames_done=len(timestamps) - first,
    )
    for name, maps in masks.items():
        for index, labels in enumerate(maps):
            write_label_map(folder / "run" / "masks" / name / f"{index:05d}.png", labels)
    record.save(folder / "run")
    return Run(folder / "run")


def change_record(run: Run, **changes: object) -> Run:
    """Write other values into `run.json`, and read the run again."""
    run.record.model_copy(update=changes).save(run.folder)
    return Run(run.folder)
