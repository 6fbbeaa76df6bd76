"""What the notebooks share: a clip to look at with its prompts, its run, and pictures of tracks.

A notebook works on the bundled dye clip until a film is chosen, for all notebooks of a folder by
`choose_film`, or for one by its parameters.
"""

from samflow.lab.film_choice import CHOICE_FILE, FilmChoice, choose_film, chosen_film
from samflow.lab.lesson.lesson_clip import Lesson, open_lesson
from samflow.lab.lesson.shown_tracks import show_mistakes, show_scores, show_sheet, show_tracks
from samflow.lab.lesson.trials import carry, foreground_points_only

__all__ = [
    "CHOICE_FILE",
    "FilmChoice",
    "Lesson",
    "carry",
    "choose_film",
    "chosen_film",
    "foreground_points_only",
    "open_lesson",
    "show_mistakes",
    "show_scores",
    "show_sheet",
    "show_tracks",
]
