"""What a run does beside its video and prompts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from samflow.strategies import STRATEGY_NAMES, PromptOptions

# Share of the frame's area up to which holes are filled by default: specks, not swirls' gaps
SMALL_HOLE = 5e-4


@dataclass(frozen=True)
class RunOptions:
    """What a run does beside its video and prompts.

    Parameters
    ----------
    strategies : sequence of str
        Of `samflow.strategies.STRATEGY_NAMES` and `BASELINE_NAMES`.
    sam, xmem : str
        Registry name or file of the weights.
    device : str
        "auto", "cpu", "cuda", "mps".
    start, end : float, optional
        Part of the video, in seconds. By default it starts at the prompts' frame.
    use_points : bool
        Prompt the first frame with points beside boxes.
    accept_frame : bool
        Go on when the first frame's pixels differ from those the prompts were drawn on.
    size : int
        XMem's working size: the shorter side of larger frames inside XMem, px.
    max_hole_area : int, optional
        Largest hole that is filled in a region, px; by default 0.05 % of the frame.
    mask_value, coverage : float
        Mask prompts, see `samflow.masks.mask_to_low_res_logits`.
    save_every : int
        Frames between two points from which a killed run can go on.
    """

    strategies: Sequence[str] = STRATEGY_NAMES
    sam: str = "vit_h"
    xmem: str = "XMem"
    device: str = "auto"
    start: float | None = None
    end: float | None = None
    use_points: bool = False
    accept_frame: bool = False
    size: int = 480
    max_hole_area: int | None = None
    mask_value: float = 18.0
    coverage: float = 0.0
    save_every: int = 50

    def recorded(self) -> dict[str, Any]:
        """The options that results depend on, beside those recorded elsewhere."""
        elsewhere = {"strategies", "sam", "xmem", "start", "end", "accept_frame"}
        return {key: value for key, value in asdict(self).items() if key not in elsewhere}

    def prompting(self, size: tuple[int, int]) -> PromptOptions:
        """How masks become prompts and logits masks, for frames of size (H, W)."""
        area = self.max_hole_area
        if area is None:
            area = round(SMALL_HOLE * size[0] * size[1])
        return PromptOptions(self.mask_value, self.coverage, area)
