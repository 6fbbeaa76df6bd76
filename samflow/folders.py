"""XMem over the generic folder layout, as the official tool runs it.

`JPEGImages/<video>/00000.jpg` holds the frames, `Annotations/<video>/00000.png` the label map of
the first frame, and of later ones where objects appear or are corrected. The results are
`<out>/<video>/00000.png`, with the palette of the annotation.
"""

import hashlib
import json
import logging
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from samflow.errors import SamflowError
from samflow.files import atomic_path, write_text
from samflow.maskio import DAVIS_PALETTE, read_label_map
from samflow.xmem import Tracker, XMem, load_xmem

logger = logging.getLogger(__name__)

_FRAME_SUFFIXES = {".jpg", ".jpeg", ".png"}
_FRAMES_BETWEEN_STATES = 20
_RECORD = "xmem.json"


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

    def palette(self) -> bytes:
        """Colours of the first annotation, RGB bytes; those of DAVIS when it has none."""
        with Image.open(self.annotations[self.frames[0].stem]) as picture:
            colours = picture.getpalette() if picture.mode == "P" else None
        return DAVIS_PALETTE.tobytes() if colours is None else bytes(colours)


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
    numbered: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in _FRAME_SUFFIXES or path.name.startswith("."):
            continue
        digits = re.search(r"\d+$", path.stem)
        if digits is None:
            raise SamflowError(f"{path} has no frame number: name the frames 00000.jpg and so on.")
        other = numbered.setdefault(int(digits.group()), path)
        if other != path:
            raise SamflowError(f"{other.name} and {path.name} in {folder} are the same frame.")
    if not numbered:
        raise SamflowError(f"{folder} holds no image: expected frames like 00000.jpg.")
    numbers = sorted(numbered)
    spacing = min((b - a for a, b in pairwise(numbers)), default=1)
    for a, b in pairwise(numbers):
        if b - a != spacing:
            raise SamflowError(
                f"{folder} has no frame {a + spacing} between {numbered[a].name} and "
                f"{numbered[b].name}: add the missing frames, or split the video there."
            )
    return [numbered[i] for i in numbers]


def _image_size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as picture:
            return picture.height, picture.width
    except OSError as error:
        raise SamflowError(f"{path} is no readable image: write it again as JPEG.") from error


def _read_image(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            return np.array(picture.convert("RGB"))
    except OSError as error:
        raise SamflowError(f"{path} is damaged ({error}): write it again as JPEG.") from error


def track_folder(
    folder: str | Path,
    out: str | Path,
    xmem: str = "XMem",
    size: int | None = 480,
    device: str = "auto",
    resume: bool = True,
) -> list[Path]:
    """Track every video of the generic layout.

    Parameters
    ----------
    folder : str or Path
        Holds `JPEGImages` and `Annotations`.
    out : str or Path
        One folder of palette PNGs for each video appears here, and `xmem.json`, which names the
        weights and the videos that are complete.
    xmem : str
        "XMem", "XMem-s012", "demo", or a checkpoint file.
    size : int or None
        Working size of the shorter side, px, as the official tool's `--size`; None keeps frames as
        they are.
    device : str
        "auto" (cuda, mps, cpu) or a torch device.
    resume : bool
        Keep what an interrupted call with the same input, weights and size has done; else, and
        where any of them differ, start the video again.

    Returns
    -------
    list of Path
        The folder of each video's label maps.

    Raises
    ------
    SamflowError
        For input that can't be tracked, before anything is written.
    """
    videos = find_videos(folder)
    network = load_xmem(xmem, device)
    job = _Job(Path(out), network, size, resume)
    with tqdm(total=sum(len(v.frames) for v in videos), unit="frame", disable=None) as progress:
        for video in videos:
            progress.set_description(video.name)
            job.track(video, progress)
    return [job.out / video.name for video in videos]


class _Job:
    """One call of `track_folder`: where it writes, and with what."""

    def __init__(self, out: Path, network: XMem, size: int | None, resume: bool) -> None:
        self.out, self.network, self.size, self.resume = out, network, size, resume
        self.settings: dict[str, Any] = {
            "schema": "samflow.xmem/1",
            "weights": {"name": network.name, "sha256": network.sha256},
            "size": size,
        }
        self.complete: dict[str, str] = self._read_record() if resume else {}

    def _read_record(self) -> dict[str, str]:
        """Fingerprints of the videos that an earlier call has completed."""
        path = self.out / _RECORD
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            complete = record.pop("complete")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, AttributeError):
            logger.warning("%s is damaged: starting again", path)
            return {}
        return complete if record == self.settings else {}

    def track(self, video: FolderVideo, progress: tqdm) -> None:
        """Track one video, or what is left of it."""
        folder = self.out / video.name
        fingerprint = video.fingerprint()
        targets = [folder / f"{path.stem}.png" for path in video.frames]
        if self.complete.get(video.name) == fingerprint and all(p.is_file() for p in targets):
            progress.update(len(targets))
            return
        key = {**self.settings, "fingerprint": fingerprint, "device": self.network.device.type}
        state_path = self.out / f".{video.name}.state"
        tracker = Tracker(
            self.network, size=self.size, count_long_term_usage=counts_usage(len(targets))
        )
        self._sweep(video.name)
        done = self._restore(tracker, state_path, key, targets)
        progress.update(done)
        palette = video.palette()
        for index in range(done, len(targets)):
            _write_png(targets[index], self._step(tracker, video, index), palette)
            if (index + 1) % _FRAMES_BETWEEN_STATES == 0 and index + 1 < len(targets):
                state = {"key": key, "done": index + 1, "tracker": tracker.state_dict()}
                with atomic_path(state_path) as part:
                    torch.save(state, part)
            progress.update()
        self.complete[video.name] = fingerprint
        record = {**self.settings, "complete": dict(sorted(self.complete.items()))}
        write_text(self.out / _RECORD, json.dumps(record, indent=1) + "\n")
        state_path.unlink(missing_ok=True)

    def _restore(
        self, tracker: Tracker, path: Path, key: dict[str, Any], targets: list[Path]
    ) -> int:
        """Bring the tracker to the last saved state; the number of frames that are done then."""
        if not self.resume or not path.is_file():
            return 0
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            if state["key"] != key or not all(p.is_file() for p in targets[: state["done"]]):
                return 0
            tracker.load_state_dict(state["tracker"])
        except Exception as error:  # a damaged pickle raises anything
            logger.warning("%s can't be used (%s): starting this video again", path, error)
            return 0
        return int(state["done"])

    def _sweep(self, name: str) -> None:
        """Remove the halves of files that a killed call was writing."""
        halves = (f"{name}/.*-*.png", f"..{name}-*.state", f".{Path(_RECORD).stem}-*.json")
        for pattern in halves:
            for path in self.out.glob(pattern):
                path.unlink()

    def _step(self, tracker: Tracker, video: FolderVideo, index: int) -> np.ndarray:
        path = video.frames[index]
        given = video.annotations.get(path.stem)
        probabilities = tracker.step(
            _read_image(path),
            None if given is None else read_label_map(given, video.size),
            last=index == len(video.frames) - 1,
        )
        return np.array([0, *tracker.ids], np.uint8)[probabilities.argmax(0)]


def counts_usage(frames: int) -> bool:
    """Whether the official command line counts long-term usage for a video of this length.

    It does when the prototypes of the whole video, frames / (10 - 5) * 128, would reach the 10000
    elements that long-term memory holds.

    Examples
    --------
    >>> counts_usage(390), counts_usage(391)
    (False, True)
    """
    return frames / (10 - 5) * 128 >= 10000


def _write_png(path: Path, labels: np.ndarray, palette: bytes) -> None:
    picture = Image.fromarray(labels)
    picture.putpalette(palette)
    with atomic_path(path) as part:
        picture.save(part, format="PNG", compress_level=4)
