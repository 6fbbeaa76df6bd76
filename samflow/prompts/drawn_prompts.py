"""What the user says about one frame: regions with boxes and points, as JSON."""

import hashlib
import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from samflow.errors import SamflowError
from samflow.files import write_text
from samflow.prompts.prompt_mistakes import HOW_TO_MAKE, describe_mistake

# Blue and red for the two dyes, then Okabe and Ito's colour-blind-safe palette ("Color Universal
# Design", 2008) without the hues that blue and red already take.
_COLORS = ("#0000ff", "#ff0000", "#e69f00", "#009e73", "#f0e442", "#56b4e9", "#cc79a7")

Coordinate = tuple[float, float]
# what prompts say about lengths, not about masks
_SCALE = ("mm_per_px", "ruler")


def region_color(region_id: int) -> str:
    """Display colour of a region.

    Parameters
    ----------
    region_id : int
        1 or more; the palette repeats after its last colour.

    Returns
    -------
    str
        "#rrggbb".

    Examples
    --------
    >>> region_color(1), region_color(2)
    ('#0000ff', '#ff0000')
    """
    return _COLORS[(region_id - 1) % len(_COLORS)]


def ruler_to_scale(ends: tuple[Coordinate, Coordinate], length_mm: float) -> float:
    """Scale of a frame from a known length on it.

    Parameters
    ----------
    ends : ((x, y), (x, y))
        In pixels.
    length_mm : float
        Between the ends, mm.

    Returns
    -------
    float
        Millimetres per pixel.

    Raises
    ------
    SamflowError
        When the ends are the same, or the length is not a number above 0.

    Examples
    --------
    >>> ruler_to_scale(((10, 20), (310, 420)), 125.0)
    0.25
    """
    if not (math.isfinite(length_mm) and length_mm > 0):
        raise SamflowError(f"the ruler's length is {length_mm:g} mm: expected a number above 0.")
    distance = math.dist(*ends)
    if distance == 0:
        raise SamflowError("the ruler's ends are the same: click two different places.")
    return length_mm / distance


def frame_sha256(image: np.ndarray) -> str:
    """Hash of a frame's pixels.

    Parameters
    ----------
    image : ndarray
        (H, W, 3) uint8.

    Returns
    -------
    str
        SHA-256 of the bytes in row order, 64 hex digits.
    """
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True, populate_by_name=True)


class Region(_Strict):
    """One region to segment.

    Parameters
    ----------
    id : int
        1 to 254: the region's value in a label map.
    name : str
    color : str
        "#rrggbb"; by default `region_color(id)`.
    box : tuple of float, optional
        XYXY in pixels, x1 and y1 exclusive.
    points : list of (x, y)
        In pixels.
    point_labels : list of int
        One a point: 1 foreground, 0 background.
    background : bool
        Segmented so that it isn't merged into another region, but 0 in the results.
    """

    id: Annotated[int, Field(ge=1, le=254)]
    name: Annotated[str, Field(min_length=1)]
    color: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = ""
    box: tuple[float, float, float, float] | None = None
    points: list[Coordinate] = []
    point_labels: list[Literal[0, 1]] = []
    background: bool = False

    @model_validator(mode="before")
    @classmethod
    def _default_color(cls, values: object) -> object:
        if isinstance(values, dict) and "color" not in values and isinstance(values.get("id"), int):
            return {**values, "color": region_color(values["id"])}
        return values

    @model_validator(mode="after")
    def _check(self) -> "Region":
        if len(self.points) != len(self.point_labels):
            raise ValueError(
                f"{len(self.points)} points but {len(self.point_labels)} point_labels: give each "
                "point one label, 1 foreground or 0 background"
            )
        if self.box is not None:
            x0, y0, x1, y1 = self.box
            if not (x0 < x1 and y0 < y1):
                raise ValueError(
                    f"box {list(self.box)} is empty: expected [x0, y0, x1, y1] with x0 < x1 and "
                    "y0 < y1"
                )
        return self


class FrameReference(_Strict):
    """The frame that prompts belong to: index in the video, size in px, hash of its pixels."""

    index: Annotated[int, Field(ge=0)] = 0
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    sha256: str | None = None


class VideoReference(_Strict):
    """The video that prompts belong to: file name and hash of the file."""

    name: str
    sha256: str | None = None


class Prompts(_Strict):
    """Regions, shared background points, and the frame they belong to.

    Parameters
    ----------
    regions : list of Region
        With different ids.
    frame : FrameReference
    background_points : list of (x, y)
        Background for every region, in pixels.
    video : VideoReference, optional
    mm_per_px : float, optional
        The scale of lengths, the same across the frame; `samflow.measure` takes it by default.
    ruler : ((x, y), (x, y)), optional
        Ends of the known length that the scale was read off, in pixels.

    Raises
    ------
    pydantic.ValidationError
        A `ValueError`: unknown key, duplicate id, box or point outside the frame.

    Examples
    --------
    >>> region = Region(id=1, name="upper dye", box=(10, 20, 90, 60))
    >>> prompts = Prompts(regions=[region], frame=FrameReference(width=100, height=80))
    >>> prompts.regions[0].color
    '#0000ff'
    """

    schema_: Literal["samflow.prompts/1"] = Field(default="samflow.prompts/1", alias="schema")
    video: VideoReference | None = None
    frame: FrameReference
    background_points: list[Coordinate] = []
    regions: list[Region]
    mm_per_px: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    ruler: tuple[Coordinate, Coordinate] | None = None

    @model_validator(mode="after")
    def _check(self) -> "Prompts":
        ids = [region.id for region in self.regions]
        repeated = sorted({i for i in ids if ids.count(i) > 1})
        if repeated:
            raise ValueError(f"region id {repeated[0]} occurs twice: give each region its own id")
        width, height = self.frame.width, self.frame.height
        for region in self.regions:
            place = f"region {region.id} {region.name!r}"
            if region.box is not None:
                x0, y0, x1, y1 = region.box
                if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
                    raise ValueError(
                        f"{place}: box {list(region.box)} reaches outside the frame of "
                        f"{width}x{height} px: clip it to the frame"
                    )
            self._check_points(region.points, place)
        self._check_points(self.background_points, "background_points")
        if self.ruler is not None:
            self._check_points(list(self.ruler), "ruler")
            if self.mm_per_px is None:
                raise ValueError("a ruler without mm_per_px has no length: give both or neither")
        return self

    def _check_points(self, points: list[Coordinate], place: str) -> None:
        for x, y in points:
            if not (0 <= x < self.frame.width and 0 <= y < self.frame.height):
                raise ValueError(
                    f"{place}: point {[x, y]} lies outside the frame of {self.frame.width}x"
                    f"{self.frame.height} px: move or delete it"
                )

    @model_serializer(mode="wrap")
    def _leave_out_no_scale(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Files of prompts without a scale have no keys for it."""
        found: dict[str, Any] = write(self)
        return {key: v for key, v in found.items() if key not in _SCALE or v is not None}

    def without_scale(self) -> "Prompts":
        """The prompts as far as masks depend on them."""
        return self.model_copy(update=dict.fromkeys(_SCALE))

    @property
    def ids(self) -> list[int]:
        """Region ids in the order of the regions."""
        return [region.id for region in self.regions]

    @property
    def background_ids(self) -> tuple[int, ...]:
        """Ids of the regions that become 0 in results."""
        return tuple(region.id for region in self.regions if region.background)

    @classmethod
    def load(cls, path: str | Path) -> "Prompts":
        """Read prompts from a JSON file.

        Raises
        ------
        SamflowError
            When the file is missing, is not JSON, or breaks a rule; the message says where.
        """
        path = Path(path)
        try:
            # some editors begin UTF-8 with a byte order mark
            text = path.read_text(encoding="utf-8-sig")
            return cls.model_validate(json.loads(text))
        except OSError as error:
            raise SamflowError(
                f"prompts file {path} could not be read: {error.strerror or error}. {HOW_TO_MAKE}"
            ) from None
        except ValidationError as error:
            raise SamflowError(f"prompts file {path}: {describe_mistake(error)}") from None
        except UnicodeDecodeError:
            raise SamflowError(
                f"prompts file {path} is no text in UTF-8, so it holds no prompts. {HOW_TO_MAKE}"
            ) from None
        except json.JSONDecodeError as error:
            reason = (
                f"{error}: correct it there." if text.strip() else f"it is empty. {HOW_TO_MAKE}"
            )
            raise SamflowError(f"prompts file {path} is not JSON: {reason}") from None

    def to_json(self) -> str:
        """Text of the JSON file, the same for equal prompts."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"

    def save(self, path: str | Path) -> None:
        """Write the JSON file, complete or not at all."""
        write_text(path, self.to_json())

    def check_drawn(self, use_points: bool = True) -> None:
        """Make sure that something is drawn, and on every region.

        Parameters
        ----------
        use_points : bool
            Whether points count; background points alone never do.

        Raises
        ------
        SamflowError
            When there is no region, or one with neither a box nor a point that counts.
        """
        if not self.regions:
            raise SamflowError("the prompts have no region: draw a box around each one to segment.")
        for region in self.regions:
            if region.box is None and not (use_points and region.points):
                wanted = "a box or a point" if use_points else "a box (points are switched off)"
                raise SamflowError(
                    f"region {region.id} {region.name!r} has no prompt that can be used: give it "
                    f"{wanted}."
                )

    def check_size(self, size: tuple[int, int]) -> None:
        """Make sure that frames of size (H, W) are of the size that the prompts were drawn on."""
        height, width = size
        if (width, height) != (self.frame.width, self.frame.height):
            raise SamflowError(
                f"the prompts were drawn on a frame of {self.frame.width}x{self.frame.height} px, "
                f"the video's frames have {width}x{height} px: draw the prompts on this video."
            )

    def check_frame(self, image: np.ndarray, accept_other: bool = False) -> None:
        """Make sure that `image` is the frame that the prompts were drawn on.

        Parameters
        ----------
        image : ndarray
            (H, W, 3) uint8.
        accept_other : bool
            Accept a frame of the right size whose pixels differ.

        Raises
        ------
        SamflowError
            For another size, or other pixels unless accepted.
        """
        self.check_size(image.shape[:2])
        known = self.frame.sha256
        if known is not None and not accept_other and frame_sha256(image) != known:
            raise SamflowError(
                f"frame {self.frame.index} of the video differs from the frame that the prompts "
                "were drawn on (SHA-256): choose the right video, or accept it with --accept-frame."
            )
