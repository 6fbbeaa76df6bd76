"""What a run says about itself: `run.json`, and the run folder read back."""

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from samflow.errors import SamflowError
from samflow.files import files_by_number, sha256_of_file, write_text
from samflow.maskio import Track
from samflow.prompts import Prompts, Region
from samflow.strategies import folder_name
from samflow.video import Video
from samflow.weights import demo_note

_PACKAGES = ("samflow", "torch", "torchvision", "segment-anything", "numpy", "opencv-python", "av")


class VideoRecord(BaseModel):
    """The clip that a run looked at.

    `first` is the index in the file of the clip's first frame, `frames` how many there are,
    `fps` the mean rate; `width` and `height` in px.
    """

    name: str
    path: str
    sha256: str
    fps: float
    width: int
    height: int
    first: int
    frames: int
    damage: str | None = None


class ModelRecord(BaseModel):
    """Weights that a run used: registry name or file name, hash of the file, its path if given."""

    name: str
    sha256: str
    path: str | None = None

    @property
    def source(self) -> str:
        """What to load them from: registry name or file."""
        return self.path or self.name


class RunRecord(BaseModel):
    """Contents of `run.json`.

    `seconds` holds the time spent in each stage. `corrections` are the hashes of the label maps, by
    frame, that the masks were made with; `made_from`, for each strategy and stretch of frames, the
    hash of what it was made from (empty for a run straight from its prompts).
    """

    model_config = ConfigDict(populate_by_name=True)

    schema_: Literal["samflow.runs/1"] = Field(default="samflow.runs/1", alias="schema")
    versions: dict[str, str]
    video: VideoRecord
    prompts: Prompts
    models: dict[str, ModelRecord]
    strategies: list[str]
    options: dict[str, Any]
    seconds: dict[str, float] = {}
    frames_done: int = 0
    corrections: dict[int, str] = {}
    made_from: dict[str, dict[str, str]] = {}

    def save(self, folder: Path) -> None:
        """Write `run.json` in `folder`, complete or not at all."""
        write_text(folder / "run.json", self.model_dump_json(by_alias=True, indent=1) + "\n")

    @property
    def note(self) -> str:
        """What has to be said over every picture of the run, see `samflow.weights.demo_note`."""
        return demo_note([model.name for model in self.models.values()], self.video.path)

    def difference(self, other: "RunRecord") -> str | None:
        """Say the first thing in which another record would give other results, or None."""
        for key in ("video", "prompts", "strategies", "models", "options"):
            here, there = self._compared(key), other._compared(key)
            if here == there:
                continue
            if isinstance(here, dict):
                inner = next(k for k in {**here, **there} if here.get(k) != there.get(k))
                key, here, there = f"{key}.{inner}", here.get(inner), there.get(inner)
            return f"{key} was {here!r:.90}, is {there!r:.90}"
        return None

    def _compared(self, key: str) -> Any:
        """A part of the record without the places where files lie, and the scale of lengths."""
        if key == "prompts":
            return self.prompts.without_scale().model_dump()
        value = self.model_dump()[key]
        if key == "video":
            return {**value, "path": ""}
        if key == "models":
            return {name: {**model, "path": None} for name, model in value.items()}
        return value


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    # what the models of an extra come from, when one is in use
    loaded = [name for name in ("transformers",) if name in sys.modules]
    names = (*_PACKAGES, *loaded)
    return {"python": platform.python_version()} | {name: version(name) for name in names}


class Run:
    """A run folder, read back.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    SamflowError
        When the folder holds no run.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / "run.json"
        try:
            self.record = RunRecord.model_validate(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise SamflowError(
                f"{self.folder} is not a run: it has no run.json. Make one with samflow run."
            ) from None
        except NotADirectoryError:
            raise SamflowError(f"{self.folder} is a file, expected the folder of a run.") from None
        except (ValidationError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise SamflowError(f"{path} is not a samflow run record: {reason}.") from None

    @property
    def complete(self) -> bool:
        """Whether every frame is done, with all corrections, and the comparison video is there."""
        done = self.record.frames_done == self.record.video.frames and self.mended
        return done and (self.folder / "comparison.mp4").is_file()

    @property
    def correction_files(self) -> dict[int, Path]:
        """Label maps given on frames of the clip, `corrections/00040.png`, by frame."""
        return files_by_number((self.folder / "corrections").glob("[0-9]*.png"))

    @property
    def mended(self) -> bool:
        """Whether the masks were made with the corrections that are in the folder."""
        hashes = {frame: sha256_of_file(path) for frame, path in self.correction_files.items()}
        return hashes == self.record.corrections

    @property
    def strategies(self) -> list[str]:
        """Names of the strategies in the run."""
        return self.record.strategies

    @property
    def result_regions(self) -> list[Region]:
        """The regions that occur in the results: those that are not background."""
        return [region for region in self.record.prompts.regions if not region.background]

    def mask_folder(self, strategy: str) -> Path:
        """Folder of a strategy's palette PNGs."""
        return self.folder / "masks" / folder_name(strategy)

    def track(self, strategy: str) -> Track:
        """A strategy's label maps."""
        if strategy not in self.strategies:
            raise SamflowError(
                f"run {self.folder} has no strategy {strategy!r}: it has "
                f"{', '.join(self.strategies)}."
            )
        return Track(self.mask_folder(strategy))

    def check_finished(self) -> None:
        """Raise SamflowError when the run lacks frames or an interrupted correction."""
        done, frames = self.record.frames_done, self.record.video.frames
        if done != frames:
            raise SamflowError(
                f"{self.folder} has {done} of {frames} frames: finish it with samflow run --resume."
            )
        if not self.mended:
            raise SamflowError(
                f"a correction of {self.folder} was interrupted: finish it with the same samflow "
                "correct."
            )

    def finished_track(self, strategy: str) -> Track:
        """A strategy's label maps, after checking that there is one of its size for every frame."""
        self.check_finished()
        track, video = self.track(strategy), self.record.video
        frames, size = video.frames, (video.height, video.width)
        if track.indices != tuple(range(frames)):
            raise SamflowError(
                f"{track.folder} holds {len(track)} label maps, expected those of frames 0 to "
                f"{frames - 1}: make the run again."
            )
        if track.size != size:
            raise SamflowError(
                f"{track.folder} holds label maps of {track.size[1]}x{track.size[0]} px, the run's "
                f"frames have {size[1]}x{size[0]} px: make the run again."
            )
        return track

    def clip(self, video_path: str | Path | None = None) -> Video:
        """The frames that the run looked at.

        Parameters
        ----------
        video_path : str or Path, optional
            The video, when it is no longer where the run found it.

        Returns
        -------
        Video

        Raises
        ------
        SamflowError
            When the video is not there, or is another one.
        """
        record = self.record.video
        path = Path(video_path or record.path)
        if not path.exists():
            raise SamflowError(
                f"the run's video {path} is not there: say where it is with --video (in Python: "
                "video)."
            )
        video = Video(path)
        if video.sha256 != record.sha256:
            raise SamflowError(
                f"{path} is not the video of the run {self.folder} (SHA-256): give the one that it "
                f"was made with, {record.name}."
            )
        return video[record.first : record.first + record.frames]
