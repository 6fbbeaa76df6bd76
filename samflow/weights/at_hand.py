"""Which weights there are without a download, and what the demo weights are good for."""

from collections.abc import Iterable
from pathlib import Path

from samflow.weights.known_checkpoints import REGISTRY, Kind, cache_folder

DEMO_NOTE = "demo weights: they know dye clips only"


def weights_at_hand(kind: Kind) -> str:
    """Name of the largest official weights of a kind in the cache; "demo" when there are none.

    Only whether the file is there is looked at: its hash is checked when it is loaded.
    """
    entries = [entry for entry in REGISTRY.values() if entry.kind == kind]
    here = [entry for entry in entries if (cache_folder() / entry.file).is_file()]
    return max(here, key=lambda entry: entry.size or 0).name if here else "demo"


def demo_note(weights: Iterable[str], video: str | Path) -> str:
    """What to say about results of some weights on a film: `DEMO_NOTE`, or nothing.

    Parameters
    ----------
    weights : iterable of str
        Names of the weights that were used.
    video : str or Path
        The film. Samflow's own dye clips, which the demo weights were made for, have their true
        label maps in `truth` beside them.
    """
    own = (Path(video).resolve().parent / "truth").is_dir()
    return "" if own or "demo" not in weights else DEMO_NOTE
