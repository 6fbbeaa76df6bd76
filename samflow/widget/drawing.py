"""What the user has drawn, and the edits that change it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from samflow.errors import SamflowError
from samflow.prompts import (
    FrameReference,
    Prompts,
    Region,
    VideoReference,
    region_color,
    ruler_to_scale,
)

SHARED = 0
"""Stands for the shared background points where an edit names a region."""

Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Marks:
    """Box and points of one region on one frame."""

    box: Box | None = None
    points: tuple[Point, ...] = ()
    point_labels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Drawing:
    """All regions, and their marks on each frame; never changed in place.

    Parameters
    ----------
    size : (H, W)
        Of the frames, px.
    regions : tuple of Region
        Without marks: id, name, colour, background. They are the same on all frames.
    marks : mapping of (frame, region id) to Marks
        Region id `SHARED` holds the background points that all regions share.
    mm_per_px : float, optional
        The scale of lengths, the same on all frames.
    ruler : ((x, y), (x, y)), optional
        Ends of the known length that it was read off, px.
    """

    size: tuple[int, int]
    regions: tuple[Region, ...]
    marks: Mapping[tuple[int, int], Marks] = field(default_factory=dict)
    mm_per_px: float | None = None
    ruler: tuple[Point, Point] | None = None

    @classmethod
    def from_prompts(cls, size: tuple[int, int], prompts: Sequence[Prompts]) -> "Drawing":
        """Start from the prompts of some frames, or from one region without marks.

        A region is what the first prompts that hold its id say.
        """
        if not prompts:
            return cls(size, (Region(id=1, name="region 1"),))
        regions: dict[int, Region] = {}
        marks: dict[tuple[int, int], Marks] = {}
        for each in prompts:
            frame, shared = each.frame.index, each.background_points
            marks[frame, SHARED] = Marks(None, tuple(shared), (0,) * len(shared))
            for region in each.regions:
                marks[frame, region.id] = Marks(
                    region.box, tuple(region.points), tuple(region.point_labels)
                )
                plain: dict[str, Any] = {"box": None, "points": [], "point_labels": []}
                regions.setdefault(region.id, region.model_copy(update=plain))
        used = {key: mark for key, mark in marks.items() if mark != Marks()}
        scaled = next((each for each in prompts if each.mm_per_px is not None), prompts[0])
        return cls(size, tuple(regions.values()), used, scaled.mm_per_px, scaled.ruler)

    def to_prompts(self, frame: FrameReference, video: VideoReference | None) -> Prompts:
        """Prompts of one frame: every region, also those without marks."""
        regions = []
        for region in self.regions:
            mark = self.of(frame.index, region.id)
            update = {
                "box": mark.box,
                "points": list(mark.points),
                "point_labels": list(mark.point_labels),
            }
            regions.append(region.model_copy(update=update))
        shared = list(self.of(frame.index, SHARED).points)
        return Prompts(
            regions=regions,
            frame=frame,
            background_points=shared,
            video=video,
            mm_per_px=self.mm_per_px,
            ruler=self.ruler,
        )

    def of(self, frame: int, region: int) -> Marks:
        """Marks of a region on a frame."""
        return self.marks.get((frame, region), Marks())

    def marks_on(self, frame: int) -> dict[int, Marks]:
        """Marks of all regions on a frame, by region id."""
        return {region: mark for (number, region), mark in self.marks.items() if number == frame}

    @property
    def frames(self) -> tuple[int, ...]:
        """Numbers of the frames that have marks, ascending."""
        return tuple(sorted({frame for frame, _ in self.marks}))

    def edited(self, edit: Mapping[str, Any]) -> "Drawing":
        """Drawing after one edit.

        Parameters
        ----------
        edit : mapping
            `op` names it, see `_EDITS`; the other keys are its arguments.

        Raises
        ------
        SamflowError
            For an edit that is unknown, lacks something, or can't be applied.
        """
        name = edit.get("op")
        if name not in _EDITS:
            raise SamflowError(f"unknown edit {name!r}: reload the page.")
        try:
            return _EDITS[name](self, edit)
        except SamflowError:
            raise
        except (KeyError, TypeError, IndexError) as error:
            raise SamflowError(
                f"edit {name!r} is malformed ({error!r}): reload the page."
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise SamflowError(f"{place}: {first['msg']}, got {first['input']!r:.80}.") from None
        except ValueError as error:  # such as too few numbers for a box
            raise SamflowError(f"edit {name!r}: {error}.") from None

    def _with_marks(self, frame: int, region: int, marks: Marks) -> "Drawing":
        if region != SHARED:
            self._position(region)
        rest = {key: mark for key, mark in self.marks.items() if key != (frame, region)}
        return replace(self, marks=rest if marks == Marks() else {**rest, (frame, region): marks})

    def _position(self, region: int) -> int:
        for position, known in enumerate(self.regions):
            if known.id == region:
                return position
        raise SamflowError(f"region {region} is not there any more.")

    def _with_region(self, region: int, **update: Any) -> "Drawing":
        position = self._position(region)
        changed = Region.model_validate({**self.regions[position].model_dump(), **update})
        regions = (*self.regions[:position], changed, *self.regions[position + 1 :])
        return replace(self, regions=regions)

    def _inside(self, point: Any) -> Point:
        height, width = self.size
        x, y = (float(value) for value in point)
        return min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)


def _set_box(drawing: Drawing, edit: Mapping[str, Any]) -> Drawing:
    marks = drawing.of(edit["frame"], edit["region"])
    box = edit["box"]
    if box is not None:
        height, width = drawing.size
        x0, y0, x1, y1 = (float(value) for value in box)
        box = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
        if not (box[0] < box[2] and box[1] < box[3]):
            raise SamflowError("the box is empty: drag from one corner to the opposite one.")
    return drawing._with_marks(edit["frame"], edit["region"], replace(marks, box=box))


def _add_point(drawing: Drawing, edit: Mapping[str, Any]) -> Drawing:
    frame, region = edit["frame"], edit["region"]
    marks = drawing.of(frame, region)
    label = 0 if region == SHARED else int(bool(edit["label"]))
    marks = replace(
        marks,
        points=(*marks.points, drawing._inside(edit["point"])),
        point_labels=(*marks.point_labels, label),
    )
    return drawing._with_marks(frame, region, marks)


def _find_point(marks: Marks, edit: Mapping[str, Any]) -> int:
    """Position of the point that an edit means; the page may not know of the latest undo yet."""
    x, y = edit["old"]
    index = edit["index"]
    if 0 <= index < len(marks.points) and marks.points[index] == (x, y):
        return index
    if (x, y) in marks.points:
        return marks.points.index((x, y))
    raise SamflowError("that point is not there any more.")


def _move_point(drawing: Drawing, edit: Mapping[str, Any]) -> Drawing:
    marks = drawing.of(edit["frame"], edit["region"])
    points = list(marks.points)
    points[_find_point(marks, edit)] = drawing._inside(edit["point"])
    return drawing._with_marks(edit["frame"], edit["region"], replace(marks, points=tuple(points)))


def _delete_point(drawing: Drawing, edit: Mapping[str, Any]) -> Drawing:
    marks = drawing.of(edit["frame"], edit["region"])
    index = _find_point(marks, edit)
    points, labels = list(marks.points), list(marks.point_labels)
    del points[index], labels[index]
    marks = replace(marks, points=tuple(points), point_labels=tuple(labels))
    return drawing._with_marks(edit["frame"], edit["region"], marks)


def _add_region(drawing: Drawing, edit: Mapping[str, Any]) -> Drawing:
    taken = {region.id for region in drawing.regions}
    free = [number for number in range(1, 255) if number not in taken]
    if not free:
        raise SamflowError("there are 254 regions already: a label map holds no more.")
    number = edit["region"] if edit["region"] in free else free[0]
    region = Region(id=number, name=f"region {number}", color=region_color(number))
    return replace(drawing, regions=(*drawing.regions, region))


def _remove_region(drawing: Drawing, edit: Mapping[str, Any]) -> Drawing:
    position = drawing._position(edit["region"])
    regions = drawing.regions[:position] + drawing.regions[position + 1 :]
    marks = {key: mark for key, mark in drawing.marks.items() if key[1] != edit["region"]}
    return replace(drawing, regions=regions, marks=marks)


def _move_region(drawing: Drawing, edit: Mapping[str, Any]) -> Drawing:
    regions = list(drawing.regions)
    region = regions.pop(drawing._position(edit["region"]))
    regions.insert(max(0, int(edit["position"])), region)
    return replace(drawing, regions=tuple(regions))


def _rename_region(drawing: Drawing, edit: Mapping[str, Any]) -> Drawing:
    name = str(edit["name"]).strip()
    if not name:
        raise SamflowError("a region needs a name.")
    return drawing._with_region(edit["region"], name=name)


def _clear(drawing: Drawing, edit: Mapping[str, Any]) -> Drawing:
    marks = {key: mark for key, mark in drawing.marks.items() if key[0] != edit["frame"]}
    return replace(drawing, marks=marks)


def _set_ruler(drawing: Drawing, edit: Mapping[str, Any]) -> Drawing:
    """Two ends and the length between them, mm; no ends take the scale away."""
    if edit["ends"] is None:
        return replace(drawing, mm_per_px=None, ruler=None)
    one, other = (drawing._inside(point) for point in edit["ends"])
    scale = ruler_to_scale((one, other), float(edit["length_mm"]))
    return replace(drawing, mm_per_px=scale, ruler=(one, other))


_EDITS: dict[str, Callable[[Drawing, Mapping[str, Any]], Drawing]] = {
    "set_box": _set_box,
    "add_point": _add_point,
    "move_point": _move_point,
    "delete_point": _delete_point,
    "add_region": _add_region,
    "remove_region": _remove_region,
    "move_region": _move_region,
    "rename_region": _rename_region,
    "recolor_region": lambda drawing, edit: drawing._with_region(
        edit["region"], color=str(edit["color"])
    ),
    "set_background": lambda drawing, edit: drawing._with_region(
        edit["region"], background=bool(edit["value"])
    ),
    "clear": _clear,
    "set_ruler": _set_ruler,
}
