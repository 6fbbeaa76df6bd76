"""What the notebooks share: a clip to look at with its prompts, its run, and pictures of tracks.

A notebook works on the bundled dye clip until its parameters name a film.
"""

from samflow.lab.lesson.lesson_clip import Lesson, open_lesson
from samflow.lab.lesson.shown_tracks import show_mistakes, show_scores, show_sheet, show_tracks
from samflow.lab.lesson.trials import carry, foreground_points_only

__all__ = [
    "Lesson",
    "carry",
    "foreground_points_only",
    "open_lesson",
    "show_mistakes",
    "show_scores",
    "show_sheet",
    "show_tracks",
]
