"""Undo and redo of a drawing."""

from collections.abc import Mapping
from typing import Any

from samflow.widget.drawing import Drawing


class History:
    """A drawing with its undo and redo steps.

    Parameters
    ----------
    drawing : Drawing
    """

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing
        self._undo: list[tuple[Drawing, int]] = []
        self._redo: list[tuple[Drawing, int]] = []

    def edit(self, edit: Mapping[str, Any], frame: int) -> bool:
        """Apply an edit made on a frame; True when it changed anything."""
        after = self.drawing.edited(edit)
        if after == self.drawing:
            return False
        self._undo.append((self.drawing, frame))
        self._redo.clear()
        self.drawing = after
        return True

    def undo(self) -> int | None:
        """Take the latest step back; returns the frame it was made on, None without a step."""
        return self._step(self._undo, self._redo)

    def redo(self) -> int | None:
        """Make the latest undone step again; returns its frame, None without a step."""
        return self._step(self._redo, self._undo)

    def _step(
        self, source: list[tuple[Drawing, int]], target: list[tuple[Drawing, int]]
    ) -> int | None:
        if not source:
            return None
        drawing, frame = source.pop()
        target.append((self.drawing, frame))
        self.drawing = drawing
        return frame

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone step."""
        return bool(self._redo)
