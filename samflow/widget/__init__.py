"""Widgets for notebooks: draw prompts on a frame and see the masks; compare strategies; mend a run.

Python owns what is drawn, its undo steps and the file; the page shows it and sends edits.
Everything that the page needs is in this folder, so that it works without a network.
"""

try:
    from samflow.widget.compare_widget import CompareWidget, TrackViewer, show_track
    from samflow.widget.mend_widget import MendWidget
    from samflow.widget.prompt_widget import PromptWidget
except ModuleNotFoundError as error:
    if error.name not in ("anywidget", "ipywidgets", "traitlets"):
        raise
    raise ModuleNotFoundError(
        f"the widgets need {error.name}: install samflow[notebook].", name=error.name
    ) from None

__all__ = ["CompareWidget", "MendWidget", "PromptWidget", "TrackViewer", "show_track"]
