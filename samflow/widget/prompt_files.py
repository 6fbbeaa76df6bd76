"""Where a widget keeps prompts: one JSON file, and one per frame when several have prompts."""

import glob
from collections.abc import Sequence
from pathlib import Path

from samflow.prompts import Prompts


class PromptFiles:
    """The JSON file of a widget and its siblings.

    Parameters
    ----------
    path : str or Path, optional
        Holds the prompts that were edited last. Without it nothing is written.
    """

    def __init__(self, path: str | Path | None) -> None:
        self.path = None if path is None else Path(path)
        self.summary = ""
        self._written: dict[Path, Prompts] = {}

    def load(self) -> list[Prompts]:
        """Prompts of the file, then those that were kept for other frames."""
        if self.path is None or not self.path.exists():
            return []
        first = Prompts.load(self.path)
        others = [Prompts.load(path) for path in sorted(self.path.parent.glob(self._siblings))]
        self.summary = f"Loaded from {self.path}"
        return [first, *(each for each in others if each.frame.index != first.frame.index)]

    def save(self, latest: Prompts, of_frames: Sequence[Prompts]) -> None:
        """Write the prompts edited last, and those of each frame when there are several.

        Raises
        ------
        SamflowError
            When a file can't be written; those that were written are complete.
        """
        if self.path is None:
            return
        if len(of_frames) > 1:
            for prompts in of_frames:
                self._write(self.of_frame(self.path, prompts.frame.index), prompts)
        self._write(self.path, latest)
        self.summary = f"Saved to {self.path}"

    @property
    def _siblings(self) -> str:
        assert self.path is not None
        return f"{glob.escape(self.path.stem)}-frame-[0-9]*{glob.escape(self.path.suffix)}"

    @staticmethod
    def of_frame(path: Path, frame: int) -> Path:
        """File of one frame's prompts beside the main one."""
        return path.with_name(f"{path.stem}-frame-{frame:05d}{path.suffix}")

    def _write(self, path: Path, prompts: Prompts) -> None:
        if self._written.get(path) != prompts:
            prompts.save(path)
            self._written[path] = prompts
