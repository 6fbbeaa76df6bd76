"""NPZ: the label maps as one NumPy array, with what the labels mean."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format

from samflow.results.exports.exported_track import Source


def write_npz(source: Source, folder: Path) -> None:
    """Write `STRATEGY.npz`: `labels`, `frames`, `region_ids`, `region_names`, `fps`."""
    small = {
        "frames": np.array(source.track.indices, np.int64),
        "region_ids": np.array([region.id for region in source.regions], np.int64),
        "region_names": np.array([region.name for region in source.regions], dtype=np.str_),
        "fps": np.array(source.video.fps),
    }
    with zipfile.ZipFile(folder / f"{source.name}.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        # frame after frame, because a whole clip can be larger than the memory
        with archive.open(_member("labels"), "w", force_zip64=True) as file:
            shape = (len(source.track), *source.track.size)
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            npy_format.write_array_header_1_0(file, header)
            for labels in source.label_maps():
                file.write(labels.tobytes())
        for key, values in small.items():
            with archive.open(_member(key), "w") as file:
                npy_format.write_array(file, values, allow_pickle=False)


def _member(key: str) -> zipfile.ZipInfo:
    # its default date is fixed, so that equal results give equal bytes
    member = zipfile.ZipInfo(f"{key}.npy")
    member.compress_type = zipfile.ZIP_DEFLATED
    return member
