"""Track the videos of the generic layout with XMem; go on where a call was killed."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from samflow.errors import SamflowError
from samflow.files import write_text
from samflow.maskio import read_label_map, read_palette, write_label_map
from samflow.runs.folders.layout import FolderVideo, find_videos
from samflow.runs.locking import locked
from samflow.runs.resuming import load_point, remove_halves, save_point
from samflow.xmem import Tracker, XMem, load_xmem

logger = logging.getLogger(__name__)

_RECORD = "xmem.json"


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
    save_every: int = 20,
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
    save_every : int
        Frames between two saved states of the tracker.

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
    with locked(Path(out)) as hold:
        job = _Job(Path(out), network, size, resume, save_every)
        total = sum(len(video.frames) for video in videos)
        with tqdm(total=total, unit="frame", disable=None) as progress:
            for video in videos:
                progress.set_description(video.name)
                hold.check()
                job.track(video, progress)
        shutil.rmtree(job.state_folder)
    return [job.out / video.name for video in videos]


class _Job:
    """One call of `track_folder`: where it writes, and with what."""

    def __init__(
        self, out: Path, network: XMem, size: int | None, resume: bool, save_every: int
    ) -> None:
        self.out, self.network, self.size = out, network, size
        self.resume, self.save_every = resume, save_every
        self.settings: dict[str, Any] = {
            "schema": "samflow.xmem/1",
            "weights": {"name": network.name, "sha256": network.sha256},
            "size": size,
        }
        self.complete: dict[str, str] = self._read_record() if resume else {}
        self.state_folder = out / ".state"
        self.state_folder.mkdir(exist_ok=True)
        remove_halves(out)

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
        state_path = self.state_folder / f"{video.name}.pt"
        tracker = Tracker(
            self.network, size=self.size, count_long_term_usage=counts_usage(len(targets))
        )
        done = self._restore(tracker, state_path, key, targets)
        progress.update(done)
        palette = read_palette(video.annotations[video.frames[0].stem])
        for index in range(done, len(targets)):
            write_label_map(targets[index], self._step(tracker, video, index), palette)
            if (index + 1) % self.save_every == 0 and index + 1 < len(targets):
                state = {"key": key, "done": index + 1, "tracker": tracker.state_dict()}
                save_point(state_path, state)
            progress.update()
        self.complete[video.name] = fingerprint
        record = {**self.settings, "complete": dict(sorted(self.complete.items()))}
        write_text(self.out / _RECORD, json.dumps(record, indent=1) + "\n")
        state_path.unlink(missing_ok=True)

    def _restore(
        self, tracker: Tracker, path: Path, key: dict[str, Any], targets: list[Path]
    ) -> int:
        """Bring the tracker to the last saved state; the number of frames that are done then."""
        state = load_point(path) if self.resume else None
        if state is None or state["key"] != key:
            return 0
        if not all(target.is_file() for target in targets[: state["done"]]):
            return 0
        tracker.load_state_dict(state["tracker"])
        return int(state["done"])

    def _step(self, tracker: Tracker, video: FolderVideo, index: int) -> np.ndarray:
        path = video.frames[index]
        given = video.annotations.get(path.stem)
        return tracker.step_labels(
            _read_image(path),
            None if given is None else read_label_map(given, video.size),
            last=index == len(video.frames) - 1,
        )


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
