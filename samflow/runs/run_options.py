"""What a run does, besides its video and prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from samflow.strategies import DEFAULT_NAMES, FIT_STEPS, PromptOptions


@dataclass(frozen=True)
class RunOptions:
    """What a run does, besides its video and prompts.

    Parameters
    ----------
    strategies : sequence of str
        Of `samflow.strategies.REGISTRY`, or about a tracker of `samflow.models`, as "sam2" and
        "refined:sam2".
    sam, xmem : str
        Registry name or file of the weights.
    device : str
        "auto", "cpu", "cuda", "mps".
    precision : str
        What the networks compute with: "float32", "bfloat16", or "auto" (bfloat16 where the device
        multiplies it faster). `run.json` has the one that was taken.
    start, end : float, optional
        Part of the video, in seconds. By default it starts at the prompts' frame.
    accept_frame : bool
        Go on when the first frame's pixels differ from those the prompts were drawn on.
    size : int
        Working size: the shorter side of larger frames inside XMem and "unet", px.
    prompting : PromptOptions
        How masks become prompts and logits masks.
    sharpen : bool
        Draw the edges of what networks segment again, along the frame's colours, see
        `samflow.masks.sharpen_labels`. Baselines are left as they are.
    save_every : int
        Frames between two points from which an interrupted run can go on.
    weights : mapping of str to str
        Registry name or path of the weights of models of `samflow.models`, by the models' names;
        some have weights that are taken when none are named.
    fit_steps : int
        Steps of the fit of "unet".
    """

    strategies: Sequence[str] = DEFAULT_NAMES
    sam: str = "vit_h"
    xmem: str = "XMem"
    device: str = "auto"
    precision: str = "float32"
    start: float | None = None
    end: float | None = None
    accept_frame: bool = False
    size: int = 480
    prompting: PromptOptions = field(default_factory=PromptOptions)
    sharpen: bool = False
    save_every: int = 50
    weights: Mapping[str, str] = field(default_factory=dict)
    fit_steps: int = FIT_STEPS

    def recorded(self) -> dict[str, Any]:
        """The options that results depend on and that `run.json` has nowhere else."""
        elsewhere = {
            "strategies",
            "sam",
            "xmem",
            "weights",
            "start",
            "end",
            "accept_frame",
            "prompting",
        }
        own = {key: value for key, value in asdict(self).items() if key not in elsewhere}
        # runs recorded before there was a choice can be resumed
        if not self.sharpen:
            del own["sharpen"]
        if self.fit_steps == FIT_STEPS:
            del own["fit_steps"]
        return own | asdict(self.prompting)
