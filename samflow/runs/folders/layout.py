"""The generic folder layout: its videos found and checked."""

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from PIL import Image

from samflow.errors import SamflowError
from samflow.files import files_by_number
from samflow.maskio import read_label_map

_FRAME_SUFFIXES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class FolderVideo:
    """One video of the layout, checked.

    Parameters
    ----------
    name : str
        Of its folders.
    frames : tuple of Path
        Images, in the order of their numbers.
    annotations : dict of str to Path
        Label maps by the stem of their frame; the first frame has one.
    size : (int, int)
        (H, W) of all of them.
    """

    name: str
    frames: tuple[Path, ...]
    annotations: dict[str, Path]
    size: tuple[int, int]

    def fingerprint(self) -> str:
        """SHA-256 of all frames and annotations: names and bytes."""
        digest = hashlib.sha256()
        for path in (*self.frames, *self.annotations.values()):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.name} {content}\n".encode())
        return digest.hexdigest()


def find_videos(folder: str | Path) -> list[FolderVideo]:
    """Find and check every video of the generic layout.

    Parameters
    ----------
    folder : str or Path
        Holds `JPEGImages` and `Annotations`.

    Returns
    -------
    list of FolderVideo
        In the order of their names.

    Raises
    ------
    SamflowError
        When folders are missing, frames have gaps in their numbers or differ in size, and when an
        annotation is missing on the first frame, empty there, of another size, without a frame, or
        no label map (RGB, label 255).
    """
    folder = Path(folder)
    images = folder / "JPEGImages"
    if not images.is_dir():
        raise SamflowError(
            f"{images} is not there: expected JPEGImages/<video>/00000.jpg and "
            "Annotations/<video>/00000.png."
        )
    names = sorted(p.name for p in images.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not names:
        raise SamflowError(f"{images} holds no folder: put the frames into JPEGImages/<video>/.")
    return [_check_video(folder, name) for name in names]


def _check_video(folder: Path, name: str) -> FolderVideo:
    frames = _numbered_frames(folder / "JPEGImages" / name)
    sizes = [_image_size(path) for path in frames]
    for path, size in zip(frames, sizes, strict=True):
        if size != sizes[0]:
            raise SamflowError(
                f"{path} is {size[1]}x{size[0]} pixels, the frames before it are "
                f"{sizes[0][1]}x{sizes[0][0]}: bring all frames of a video to one size."
            )
    given = folder / "Annotations" / name
    first = given / f"{frames[0].stem}.png"
    if not first.is_file():
        raise SamflowError(f"{first} is not there: the first frame needs a label map.")
    stems = {path.stem for path in frames}
    annotations = {}
    for path in sorted(given.glob("*.png")):
        if path.stem not in stems:
            raise SamflowError(f"{path} belongs to no frame: rename it like its frame.")
        labels = read_label_map(path, sizes[0])
        if path == first and not labels.any():
            raise SamflowError(f"{path} is empty: mark at least one region on the first frame.")
        annotations[path.stem] = path
    return FolderVideo(name, tuple(frames), annotations, sizes[0])


def _numbered_frames(folder: Path) -> list[Path]:
    """Frames in the order of their numbers, which must be evenly spaced."""
    numbered = files_by_number(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in _FRAME_SUFFIXES and not path.name.startswith(".")
    )
    if not numbered:
        raise SamflowError(f"{folder} holds no image: expected frames like 00000.jpg.")
    spacing = min((b - a for a, b in pairwise(numbered)), default=1)
    for a, b in pairwise(numbered):
        if b - a != spacing:
            raise SamflowError(
                f"{folder} has no frame {a + spacing} between {numbered[a].name} and "
                f"{numbered[b].name}: add the missing frames, or split the video there."
            )
    return list(numbered.values())


def _image_size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as picture:
            return picture.height, picture.width
    except OSError as error:
        raise SamflowError(f"{path} is no readable image: write it again as JPEG.") from error
