"""How masks become prompts for SAM and logits become masks again."""

from dataclasses import dataclass

from samflow.errors import SamflowError


@dataclass(frozen=True)
class PromptOptions:
    """How prompts are used, masks become prompts for SAM, and logits become masks again.

    Parameters
    ----------
    use_points : bool
        Prompt the first frame with points besides boxes.
    mask_value : float
        Magnitude of the mask prompt's logits.
    coverage : float
        Share of a low-resolution cell above which it is foreground, in [0, 1).
    max_hole_area : float
        Largest hole that is filled in a region, as a share of the frame's area: 0 fills none, 1
        any. By default specks are filled, gaps in swirls are not.

    Raises
    ------
    SamflowError
        For a share outside of its range, or a negative magnitude.
    """

    use_points: bool = False
    mask_value: float = 18.0
    coverage: float = 0.0
    max_hole_area: float = 5e-4

    def __post_init__(self) -> None:
        if not 0 <= self.max_hole_area <= 1:
            raise SamflowError(
                f"max_hole_area is a share of the frame's area from 0 to 1, got "
                f"{self.max_hole_area:g}: give 0.0005 for specks, 0 for none, 1 for any hole."
            )
        if not 0 <= self.coverage < 1:
            raise SamflowError(
                f"coverage is a share of a cell, at least 0 and below 1, got {self.coverage:g}."
            )
        if self.mask_value < 0:
            raise SamflowError(f"mask_value must be at least 0, got {self.mask_value:g}.")

    def hole_area(self, size: tuple[int, int]) -> int:
        """Largest hole that is filled in frames of size (H, W), px.

        Examples
        --------
        >>> PromptOptions().hole_area((270, 480)), PromptOptions(max_hole_area=0).hole_area((9, 9))
        (65, 0)
        """
        return round(self.max_hole_area * size[0] * size[1])
