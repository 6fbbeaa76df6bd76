"""What several runs of one process share."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from samflow.runs.locking import Hold
from samflow.sam import Sam, load_sam
from samflow.xmem import XMem, load_xmem

_Model = TypeVar("_Model", Sam, XMem)


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
        self._loaded: dict[tuple[object, ...], Sam | XMem] = {}

    def tell(self, done: int, total: int) -> None:
        """Say how many frames are done; raises when the folder was lost, or nobody waits."""
        if self.hold is not None:
            self.hold.check()
        if self.on_frame is not None:
            self.on_frame(done, total)

    def sam(self, name: str, device: str, precision: str = "float32") -> Sam:
        """Give a SAM by registry name or file, as `load_sam` does."""
        return self._load(load_sam, name, device, precision)

    def xmem(self, name: str, device: str, precision: str = "float32") -> XMem:
        """Give an XMem by registry name or file, as `load_xmem` does."""
        return self._load(load_xmem, name, device, precision)

    def _load(self, load: Callable[..., _Model], name: str, *how: str) -> _Model:
        key = (load, name, *how, *_stamp(Path(name)))
        if key not in self._loaded:
            self._loaded[key] = load(name, *how)
        return self._loaded[key]  # type: ignore[return-value]  # one kind for each `load`


def _stamp(path: Path) -> tuple[int, ...]:
    """Size and time of a file, which change with its content; nothing for a registry name."""
    if not path.is_file():
        return ()
    status = path.stat()
    return status.st_size, status.st_mtime_ns
