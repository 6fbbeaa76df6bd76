"""The film of a folder of notebooks: chosen once, in a small file that each notebook reads."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from samflow.errors import SamflowError
from samflow.files import write_text
from samflow.prompts import Prompts
from samflow.video import Video
from samflow.weights import check_weights

CHOICE_FILE = "film.json"


class FilmChoice(BaseModel):
    """What `film.json` beside the notebooks says.

    Parameters
    ----------
    film : str
        Path of a film or of a folder of images; a relative one is seen from the notebooks.
    prompts : str, optional
        The JSON file of its prompts.
    sam, xmem : str, optional
        Registry names or files of the weights.
    """

    model_config = ConfigDict(extra="forbid")

    film: str
    prompts: str | None = None
    sam: str | None = None
    xmem: str | None = None


def check_choice(choice: FilmChoice) -> None:
    """Make sure that a film can be read, that its prompts fit, and that its weights are known.

    Raises
    ------
    SamflowError
        Otherwise.
    """
    video = Video(choice.film)
    if choice.prompts is not None:
        Prompts.load(choice.prompts).check_size(video.size)
    if choice.sam is not None:
        check_weights(choice.sam, "sam")
    if choice.xmem is not None:
        check_weights(choice.xmem, "xmem")


def choose_film(choice: FilmChoice, folder: str | Path = ".") -> Path:
    """Write which film the notebooks of a folder are about.

    Parameters
    ----------
    choice : FilmChoice
        As `check_choice` takes it.
    folder : str or Path
        Of the notebooks; by default the working folder, which is a notebook's own.

    Returns
    -------
    Path
        `film.json`; without it the notebooks are about the bundled dye clip.

    Raises
    ------
    SamflowError
        As `check_choice` does, and when the file can't be written.
    """
    check_choice(choice)
    path = Path(folder) / CHOICE_FILE
    write_text(path, choice.model_dump_json(indent=1, exclude_none=True) + "\n")
    return path


def chosen_film(folder: str | Path = ".") -> FilmChoice | None:
    """Read which film the notebooks of a folder are about; None for the bundled dye clip.

    Raises
    ------
    SamflowError
        When the file is there and can't be used.
    """
    path = Path(folder) / CHOICE_FILE
    try:
        return FilmChoice.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SamflowError(
            f"{path} does not say which film the notebooks are about ({reason:.120}): choose it "
            "again with samflow notebook --film FILE, or delete the file for the dye clip."
        ) from None
