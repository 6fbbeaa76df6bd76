"""The clip of a notebook, with its prompts."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from samflow.errors import SamflowError
from samflow.lab.demo_run import DEMO_SEED, write_dye_clip
from samflow.lab.film_choice import FilmChoice, chosen_film
from samflow.lab.lesson.inline_figures import show_figures_inline
from samflow.lab.synthetic import DyeClip
from samflow.maskio import Track
from samflow.masks import without_labels
from samflow.prompts import Prompts
from samflow.runs import RunOptions
from samflow.video import Video
from samflow.weights import demo_note, weights_at_hand


@dataclass(frozen=True)
class Lesson:
    """A film, where its prompts are kept, and what is known about it.

    Parameters
    ----------
    film : Video
        The whole film.
    prompts_path : Path
        The JSON file of the prompts; it may not exist yet.
    frames : int
        Length of the clip that the lesson looks at.
    true_track : Track, optional
        The true label maps of the film's frames, where they are known.
    sam, xmem : str
        Registry names or files of the weights to use; empty for a network that is not used.
    """

    film: Video
    prompts_path: Path
    frames: int
    true_track: Track | None = None
    sam: str = ""
    xmem: str = ""

    @property
    def note(self) -> str:
        """What has to be said over every picture: that demo weights know dye clips only, or ""."""
        return demo_note((self.sam, self.xmem), self.film.path)

    @property
    def prompts(self) -> Prompts:
        """The prompts as they are in the file.

        Raises
        ------
        SamflowError
            When there are none yet, or they don't belong to the film.
        """
        if not self.prompts_path.is_file():
            raise SamflowError(
                f"nothing is drawn on {self.film.name} yet, {self.prompts_path} is not there: drag "
                "a box around each region in notebook 02's widget, then run this cell again."
            )
        prompts = Prompts.load(self.prompts_path)
        if prompts.frame.index >= len(self.film):
            raise SamflowError(
                f"the prompts in {self.prompts_path} belong to frame {prompts.frame.index}, "
                f"{self.film.name} has {len(self.film)} frames: give the prompts of this film."
            )
        prompts.check_frame(self.film[prompts.frame.index])
        return prompts

    @property
    def video(self) -> Video:
        """The clip: it starts at the frame that the prompts belong to."""
        first = self.prompts.frame.index
        return self.film[first : first + self.frames]

    @property
    def end(self) -> float:
        """Where the clip ends in the film, in seconds: half a frame after its last frame."""
        return float(self.video.timestamps[-1]) + 0.5 / self.video.fps

    def run_folder(self, options: RunOptions, folder: str | Path) -> Path:
        """Folder in `folder` for a run of the clip; its name tells film, prompts and options apart.

        Another try gets a folder of its own, so that nothing that took hours is deleted.
        """
        prompts = self.prompts.without_scale().model_dump(mode="json")
        given = [self.film.sha256, prompts, asdict(options)]
        digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:8]
        return Path(folder) / f"run-{self.film.path.stem}-{digest}"

    @property
    def truth(self) -> list[np.ndarray] | None:
        """True label map (H, W) uint8 of each frame of the clip, where they are known."""
        if self.true_track is None:
            return None
        return [self.true_track.label_map_of(index) for index in self.video.indices]

    @property
    def known(self) -> dict[str, list[np.ndarray]]:
        """The truth as one more track of results, titled "truth"; empty where it is not known."""
        return {} if self.truth is None else {"truth": self.results(self.truth)}

    @property
    def dyes(self) -> dict[int, str]:
        """Name by id of the regions that count in results: those that are not background."""
        return {r.id: r.name for r in self.prompts.regions if not r.background}

    @property
    def colors(self) -> dict[int, str]:
        """Colour "#rrggbb" by id of every region."""
        return {region.id: region.color for region in self.prompts.regions}

    def results(self, maps: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The label maps with background regions set to 0."""
        background = self.prompts.background_ids
        return [without_labels(labels, background) for labels in maps]


def open_lesson(
    video: str | Path | None = None,
    prompts: str | Path | None = None,
    weights: tuple[str | None, ...] = (None, None),
    *,
    folder: str | Path = "data",
    frames: int = 30,
    seed: int = DEMO_SEED,
) -> Lesson:
    """Open the film of these notebooks, or make the bundled dye clip.

    In a notebook this also says how figures are shown: as JPEG, and, when demo weights are used on
    a film, with a note that they know dye clips only.

    Parameters
    ----------
    video : str or Path, optional
        A film or a folder of images. By default what `film.json` beside the notebook says (see
        `samflow.lab.lesson.choose_film`); without one the dye clip of 480x270 px, which is made in
        `folder` when it is not there yet.
    prompts : str or Path, optional
        The JSON file of the prompts. By default the dye clip's own file, or
        `<folder>/<name of the film>-prompts.json`.
    weights : tuple of str or None
        Registry names or files for SAM, and for XMem if the notebook uses it. None is what
        `film.json` says, else for a film the official weights in the cache; when there are none,
        and for the dye clip, the demo weights.
    folder : str or Path
        Where clips and prompts lie.
    frames : int
        Length of the clip; of a film, what there is of it from the prompts' frame on.
    seed : int
        Of the dye clip.

    Returns
    -------
    Lesson

    Raises
    ------
    SamflowError
        When the film can't be read.
    """
    if frames < 1:
        raise SamflowError(f"frames must be at least 1, got {frames}.")
    choice = chosen_film() if video is None else FilmChoice(film=str(video))
    if choice is None:
        lesson = _dye_lesson(prompts, Path(folder), frames, seed)
        used = [name or "demo" for name in weights]
    else:
        film = Video(choice.film)
        path = prompts or choice.prompts or Path(folder) / f"{film.path.stem}-prompts.json"
        lesson = Lesson(film, Path(path), frames)
        known = (choice.sam or weights_at_hand("sam"), choice.xmem or weights_at_hand("xmem"))
        used = [name or other for name, other in zip(weights, known, strict=False)]
    sam, xmem = (*used, "", "")[:2]
    lesson = replace(lesson, sam=sam, xmem=xmem)
    show_figures_inline(lesson.note)
    return lesson


def _dye_lesson(prompts: str | Path | None, folder: Path, frames: int, seed: int) -> Lesson:
    """The bundled dye clip, made when it is not there yet."""
    home = folder / f"dye-{seed}-{frames}"
    own = home / "prompts.json"
    if not own.is_file():
        write_dye_clip(home, DyeClip(seed, frames=frames))
    path = own if prompts is None else Path(prompts)
    return Lesson(Video(home / "clip.mp4"), path, frames, Track(home / "truth"))
