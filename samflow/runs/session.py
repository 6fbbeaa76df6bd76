"""What several runs of one process share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from tqdm.auto import tqdm

from samflow.models import TrackingModel, load_model, load_segmenter, split_source
from samflow.runs.locking import Hold
from samflow.sam import Segmenter
from samflow.xmem import XMem, load_xmem

_Model = TypeVar("_Model", Segmenter, XMem, TrackingModel)


class RunSession:
    """What several runs of one process share: networks, loaded once, and who hears of frames.

    Parameters
    ----------
    on_frame : callable, optional
        Called with the number of frames done and the number of frames in all, before the first
        frame and after each; no progress bar is shown then. What it raises ends the run, which
        can be resumed.

    Notes
    -----
    Networks stay in memory as long as the session. A file that was replaced is loaded again.
    """

    def __init__(self, on_frame: Callable[[int, int], None] | None = None) -> None:
        self.on_frame = on_frame
        self.hold: Hold | None = None  # on the folder of the run under way
        self._loaded: dict[tuple[object, ...], Segmenter | XMem | TrackingModel] = {}

    def check(self) -> None:
        """Raise SamflowError when another host has taken the folder."""
        if self.hold is not None:
            self.hold.check()

    def tell(self, done: int, total: int) -> None:
        """Say how many frames are done; raises when the folder was lost, or nobody waits."""
        self.check()
        if self.on_frame is not None:
            self.on_frame(done, total)

    @contextmanager
    def counting(self, total: int, doing: str, done: int = 0) -> Iterator[Callable[[int], None]]:
        """Tell of frames, or show a bar when nobody hears of them.

        Parameters
        ----------
        total, done : int
            Frames in all, and those done already.
        doing : str
            What the bar says.

        Yields
        ------
        callable
            To be called with the number of frames that are done besides; raises as `tell` does.
        """
        hidden = self.on_frame is not None
        with tqdm(total=total, initial=done, unit="frame", desc=doing, disable=hidden) as bar:

            def advance(frames: int) -> None:
                nonlocal done
                done += frames
                bar.update(frames)
                self.tell(done, total)

            self.tell(done, total)
            yield advance

    def sam(self, name: str, device: str, precision: str = "float32") -> Segmenter:
        """Give a segmenter by name or file, as `samflow.models.load_segmenter` does."""
        return self._load(load_segmenter, name, device, precision)

    def xmem(self, name: str, device: str, precision: str = "float32") -> XMem:
        """Give an XMem by registry name or file, as `load_xmem` does."""
        return self._load(load_xmem, name, device, precision)

    def model(self, name: str, source: str, device: str, precision: str) -> TrackingModel:
        """Give a model of `samflow.models` by its name and that of its weights."""
        return self._load(partial(load_model, name), source, device, precision, kind=name)

    def _load(
        self, load: Callable[..., _Model], name: str, *how: str, kind: object = None
    ) -> _Model:
        key = (kind or load, name, *how, *_stamp(Path(split_source(name)[1])))
        if key not in self._loaded:
            self._loaded[key] = load(name, *how)
        return self._loaded[key]  # type: ignore[return-value]  # one kind for each `load`


def _stamp(path: Path) -> tuple[int, ...]:
    """Sizes and times of a file or a folder's files, which change with their content.

    Nothing for a registry name.
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path] * path.is_file()
    return tuple(
        value for each in files for value in (each.stat().st_size, each.stat().st_mtime_ns)
    )
