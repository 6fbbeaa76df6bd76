"""A run's results in the formats of other tools, each read back by its own library in the tests."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from numpy.lib import format as npy_format
from tqdm.auto import tqdm

from samflow.errors import SamflowError
from samflow.files import replace_folder
from samflow.maskio import Track, track_to_coco, write_label_map
from samflow.measure import quantity_and_unit
from samflow.record import Run

__all__ = ["EXPORT_FORMATS", "export"]


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
        )
    if out.exists():
        raise SamflowError(f"{out} is there already: choose another folder, or delete it.")
    names = list(dict.fromkeys(run.strategies if strategies is None else strategies))
    if not names:
        raise SamflowError(f"no strategy to export: choose from {', '.join(run.strategies)}.")
    tracks = {name: run.finished_track(name) for name in names}
    with replace_folder(out) as folder:
        if format_name == "csv":
            _write_quantities(run, names, folder / "quantities.csv")
        else:
            for name, track in tracks.items():
                _WRITERS[format_name](run, name, track, folder)
    return sorted(out.iterdir())


def _write_coco(run: Run, name: str, track: Track, folder: Path) -> None:
    track_to_coco(track, run.result_regions, folder / f"{name}.json")


def _write_davis(run: Run, name: str, track: Track, folder: Path) -> None:
    video = Path(run.record.video.name).stem
    with _shown(track, name) as shown:
        for index, labels in enumerate(shown):
            write_label_map(folder / name / video / f"{index:05d}.png", labels)


def _write_tiff(run: Run, name: str, track: Track, folder: Path) -> None:
    description = {
        "axes": "TYX",
        "fps": run.record.video.fps,
        "regions": {str(region.id): region.name for region in run.result_regions},
    }
    with tifffile.TiffWriter(folder / f"{name}.tif") as file, _shown(track, name) as shown:
        file.write(
            iter(shown),
            shape=(len(track), *track.size),
            dtype=np.uint8,
            photometric="minisblack",
            compression="zlib",
            metadata=description,
            software="samflow",
        )


def _write_npz(run: Run, name: str, track: Track, folder: Path) -> None:
    regions = run.result_regions
    small = {
        "frames": np.array(track.indices, np.int64),
        "region_ids": np.array([region.id for region in regions], np.int64),
        "region_names": np.array([region.name for region in regions], dtype=np.str_),
        "fps": np.array(run.record.video.fps),
    }
    with zipfile.ZipFile(folder / f"{name}.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        # frame after frame, because a whole clip can be larger than the memory
        member = archive.open(_member("labels"), "w", force_zip64=True)
        with member as file, _shown(track, name) as shown:
            shape = (len(track), *track.size)
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            npy_format.write_array_header_1_0(file, header)
            for labels in shown:
                file.write(labels.tobytes())
        for key, values in small.items():
            with archive.open(_member(key), "w") as file:
                npy_format.write_array(file, values, allow_pickle=False)


def _member(key: str) -> zipfile.ZipInfo:
    # its default date is fixed, so that equal results give equal bytes
    member = zipfile.ZipInfo(f"{key}.npy")
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


def _write_quantities(run: Run, names: Sequence[str], path: Path) -> None:
    source = run.folder / "measures.csv"
    if not source.is_file():
        raise SamflowError(f"{run.folder} has no measures.csv: run samflow measure on it first.")
    wide = pd.read_csv(source)
    keys = ["strategy", "frame", "time_s", "region"]
    missing = [key for key in keys if key not in wide.columns]
    if missing:
        raise SamflowError(f"{source} lacks the column {missing[0]}: run samflow measure again.")
    wide = wide[wide["strategy"].isin(names)]
    long = wide.melt(keys, var_name="column", value_name="value")
    parts = {column: quantity_and_unit(column) for column in long["column"].unique()}
    long["quantity"] = long["column"].map(lambda column: parts[column][0])
    long["unit"] = long["column"].map(lambda column: parts[column][1])
    long["region_name"] = long["region"].map({r.id: r.name for r in run.result_regions})
    order = [*keys, "region_name", "quantity", "unit", "value"]
    long[order].to_csv(path, index=False, float_format="%.9g", lineterminator="\n")


def _shown(track: Track, name: str) -> "tqdm[np.ndarray]":
    return tqdm(track, unit="frame", desc=f"export {name}")


_WRITERS: dict[str, Callable[[Run, str, Track, Path], None]] = {
    "coco": _write_coco,
    "davis": _write_davis,
    "tiff": _write_tiff,
    "npz": _write_npz,
}
EXPORT_FORMATS = (*_WRITERS, "csv")
