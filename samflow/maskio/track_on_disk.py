"""A folder of label maps, one per frame of a clip."""

import operator
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from samflow.errors import SamflowError
from samflow.files import files_by_number
from samflow.maskio.png import png_size, read_label_map


class Track(Sequence[np.ndarray]):
    """One label map per frame of a clip: a folder of palette PNGs, read when asked for.

    Parameters
    ----------
    folder : str or Path
        Holds PNGs whose names end with the frame number (`00012.png`, `frame_12.png`). Other
        kinds of files and hidden files don't matter.

    Attributes
    ----------
    folder : Path
    indices : tuple of int
        Frame numbers of the clip, ascending.
    paths : tuple of Path
        The files, in the order of `indices`.
    size : (H, W)
        Size of the first label map; all others must have it.

    Raises
    ------
    SamflowError
        When the folder is missing or holds no PNG, a PNG's name has no number, or two have the
        same one. Reading a label map raises what `read_label_map` raises.

    Examples
    --------
    >>> import tempfile
    >>> from samflow.maskio import write_label_map
    >>> folder = Path(tempfile.mkdtemp())
    >>> for index in (0, 1, 3):
    ...     write_label_map(folder / f"{index:05d}.png", np.full((2, 4), index))
    >>> track = Track(folder)
    >>> len(track), track.indices, track.gaps, track.size
    (3, (0, 1, 3), (2,), (2, 4))
    >>> int(track[-1].max()), int(track.label_map_of(1).max())
    (3, 1)
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise SamflowError(f"{folder} is not a folder: expected a folder of label PNGs.")
        numbered = files_by_number(
            path
            for path in self.folder.iterdir()
            if path.suffix.lower() == ".png" and not path.name.startswith(".")
        )
        if not numbered:
            raise SamflowError(f"{folder} holds no PNG: expected label maps like 00000.png.")
        self.indices = tuple(numbered)
        self.paths = tuple(numbered.values())
        self.size = png_size(self.paths[0])

    @property
    def gaps(self) -> tuple[int, ...]:
        """Frame numbers between the first and the last that have no label map."""
        present = set(self.indices)
        return tuple(i for i in range(self.indices[0], self.indices[-1]) if i not in present)

    def label_map_of(self, index: int) -> np.ndarray:
        """Label map (H, W) uint8 of frame number `index`."""
        try:
            position = self.indices.index(index)
        except ValueError:
            raise SamflowError(
                f"{self.folder} has no label map for frame {index}: it holds {len(self)} of the "
                f"frames {self.indices[0]} to {self.indices[-1]}."
            ) from None
        return self[position]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, position: int) -> np.ndarray:  # type: ignore[override] # no slices
        return read_label_map(self.paths[operator.index(position)], self.size)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (read_label_map(path, self.size) for path in self.paths)

    def __repr__(self) -> str:
        height, width = self.size
        gaps = f", {len(self.gaps)} missing" if self.gaps else ""
        return f"Track({str(self.folder)!r}, {len(self)} label maps of {width}x{height}{gaps})"
