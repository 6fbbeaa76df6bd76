"""Write a run in one of the formats."""

from collections.abc import Callable, Sequence
from pathlib import Path

from samflow.errors import SamflowError, did_you_mean
from samflow.files import replace_folder
from samflow.results.exports.coco_files import write_coco, write_coco_video
from samflow.results.exports.cvat import write_cvat
from samflow.results.exports.davis import write_davis
from samflow.results.exports.exported_track import Source
from samflow.results.exports.npz import write_npz
from samflow.results.exports.table import write_quantities
from samflow.results.exports.tiff_stack import write_tiff
from samflow.runs import Run

_WRITERS: dict[str, Callable[[Source, Path], None]] = {
    "coco": write_coco,
    "coco-video": write_coco_video,
    "cvat": write_cvat,
    "davis": write_davis,
    "tiff": write_tiff,
    "npz": write_npz,
}
EXPORT_FORMATS = (*_WRITERS, "csv")


def export(
    run: Run, format_name: str, out: str | Path, strategies: Sequence[str] | None = None
) -> list[Path]:
    """Write the results of a run in another tool's format.

    Parameters
    ----------
    run : Run
        With all its frames done.
    format_name : str
        One of `EXPORT_FORMATS`, see the notes.
    out : str or Path
        Folder to appear, complete or not at all; nothing may be there.
    strategies : sequence of str, optional
        Which ones; by default all of the run.

    Returns
    -------
    list of Path
        What lies in `out`: a file (for "davis" a folder) for each strategy, or the one CSV.

    Raises
    ------
    SamflowError
        For an unknown format or strategy, a run that lacks frames, an output that is there
        already, or for "csv" a run that was not measured.

    Notes
    -----
    - "coco": `STRATEGY.json`, COCO instances with run-length masks, image id = frame number,
      category id = label (`pycocotools.coco.COCO`).
    - "coco-video": `STRATEGY.json`, the form of YouTube-VIS: one entry in `videos`, one annotation
      for each region with `segmentations` (run lengths), `bboxes` [x, y, width, height] and
      `areas` for each frame, null where the region is not there.
    - "cvat": `STRATEGY.xml`, CVAT 1.1 with masks, for a task made from the film: upload it as
      "CVAT 1.1" to a task that has labels of the regions' names. Frames are numbered as in the
      film.
    - "davis": `STRATEGY/VIDEO/00000.png`, palette PNGs whose pixel value is the label: a folder of
      results as the DAVIS and XMem evaluations take it.
    - "tiff": `STRATEGY.tif`, a page (H, W) uint8 for each frame, pixel value = label, deflate
      compression; the description of the first page names axes, regions and rate (`tifffile`).
    - "npz": `STRATEGY.npz` (`numpy.load`) with `labels` (T, H, W) uint8, `frames` (T,) int64,
      `region_ids` (N,) int64, `region_names` (N,) text, `fps` () float64 in frames per second.
    - "csv": `quantities.csv`, `measures.csv` of the run with one value in a row: `strategy`,
      `frame`, `time_s`, `region`, `region_name`, `quantity`, `unit`, `value`.
    """
    out = Path(out)
    if format_name not in EXPORT_FORMATS:
        raise SamflowError(
            f"format {format_name!r} is unknown: choose from {', '.join(EXPORT_FORMATS)}."
            + did_you_mean(format_name, EXPORT_FORMATS)
        )
    if out.exists():
        raise SamflowError(f"{out} is there already: choose another folder, or delete it.")
    names = list(dict.fromkeys(run.strategies if strategies is None else strategies))
    if not names:
        raise SamflowError(f"no strategy to export: choose from {', '.join(run.strategies)}.")
    sources = [Source(run, name, run.finished_track(name)) for name in names]
    with replace_folder(out) as folder:
        if format_name == "csv":
            write_quantities(run, names, folder)
        else:
            for source in sources:
                _WRITERS[format_name](source, folder)
    return sorted(out.iterdir())
