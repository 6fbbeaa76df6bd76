"""Track with a network of the SAM 2 kind, one frame at a time, in memory that does not grow."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from samflow.errors import SamflowError, check_image
from samflow.masks import labels_to_one_hot
from samflow.models.label_probabilities import logits_to_probabilities, put_given
from samflow.models.session_network import SessionNetwork

# What memory attention reads of a frame's output; the pointer longer than the rest
_POINTER = "object_pointer"
_MEMORY = ("maskmem_features", "maskmem_pos_enc")
# Frames that are kept in mind lie farther on the way than any that is stepped. Attention asks of
# them no more than that: their memories have no place in time, and pointers of later frames are
# not read.
_LATER = 1 << 30
# Labels of a box's corners among the prompts
_CORNERS = (2, 3)


class SessionTracker:
    """Carry label maps through a clip; what is said of a tracker in `samflow.models.roles`.

    Parameters
    ----------
    model : SessionNetwork

    Notes
    -----
    Each region has a session of the library to itself: in one session, regions depend on each
    other a little, since their memories are encoded in one batch. A frame is encoded once for all.
    A way backwards is one forwards in the tracker's own count of frames, which is what the
    library's `reverse` amounts to.

    After each frame, all is dropped that memory attention will not read again: pixels, masks,
    memories older than `num_maskmem` frames and pointers older than
    `max_object_pointers_in_encoder`. What remains of a region does not depend on how long the way
    was. On frames where they are given, label maps are the result; a region that one of them lacks
    is remembered as absent there.
    """

    def __init__(self, model: SessionNetwork) -> None:
        self.model = model
        self._sessions: dict[int, Any] = {}
        self._frame = -1
        self._image_size: tuple[int, int] | None = None
        self._awaited: list[tuple[np.ndarray, np.ndarray]] = []

    @property
    def ids(self) -> list[int]:
        """Label ids of the channels after background, in their order of appearance."""
        return list(self._sessions)

    @property
    def kept_bytes(self) -> int:
        """Size of all tensors that are remembered."""
        return sum(
            tensor.nbytes
            for session in self._sessions.values()
            for tensor in _tensors(vars(session))
        )

    def step(self, image: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Segment the next frame, or take what is given for it.

        Parameters
        ----------
        image : (H, W, 3) uint8
            RGB, the same size on every frame.
        labels : (H, W) integers, optional
            A label map given on this frame, needed on the first one. Ids not seen before are new
            regions; the others keep their prediction outside of it, unless it holds every id.

        Returns
        -------
        (1 + N, H, W) float32
            Probabilities, background first, then `ids`; they sum to 1.

        Raises
        ------
        SamflowError
            For an image or label map of another size, or when the first frame has no label.
        """
        logits = self.step_logits(image, labels)
        probabilities = logits_to_probabilities(logits)
        if labels is not None:
            put_given(probabilities, labels, self.ids)
        return probabilities

    def step_boxes(self, image: np.ndarray, boxes: Mapping[int, Sequence[float]]) -> np.ndarray:
        """Segment the next frame, usually the first, prompted with boxes.

        Parameters
        ----------
        image : (H, W, 3) uint8
        boxes : mapping of int to (x0, y0, x1, y1)
            By region id, in px of the frame.

        Returns
        -------
        (1 + N, H, W) float32
            As of `step`.
        """
        return logits_to_probabilities(self.step_logits(image, boxes=boxes))

    @torch.inference_mode()
    def step_logits(
        self,
        image: np.ndarray,
        labels: np.ndarray | None = None,
        boxes: Mapping[int, Sequence[float]] | None = None,
    ) -> np.ndarray:
        """The network's own logits on the next frame, (N, H, W) float32 in the order of `ids`.

        On frames with a given label map they are the prompt, as the network remembers it.
        """
        self._check(image, labels)
        given = self._masks(labels) if labels is not None else {}
        points = self._corners(boxes or {})
        first = self._frame < 0
        if first and not given and not points:
            raise SamflowError(
                "the label map of the first frame is empty: mark at least one region."
            )
        self._image_size = image.shape[:2]
        self._frame += 1
        for region in (*given, *points):
            if region not in self._sessions:
                self._sessions[region] = self.model.new_session(self._image_size)
        if first:
            for region in self._absent_now():
                self._sessions[region] = self.model.new_session(self._image_size)
                given[region] = self._empty
        found = self._run(image, self._frame, given, points)
        if first:
            self._condition_on_awaited()
        return found

    def keep(self, image: np.ndarray, labels: np.ndarray) -> None:
        """Remember a frame farther on the way whose whole label map is known; before all steps."""
        self._check(image, labels)
        if self._frame >= 0:
            raise SamflowError("frames are kept in mind before the first step.")
        self._awaited.append((image.copy(), labels.copy()))

    def state_dict(self) -> dict[str, Any]:
        """Everything the next step depends on, but the network."""
        return {
            "image_size": None if self._image_size is None else list(self._image_size),
            "frame": self._frame,
            "outputs": {
                region: session.output_dict_per_obj[0] for region, session in self._sessions.items()
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken; the next steps give the same bits."""
        size = state["image_size"]
        self._image_size = None if size is None else (size[0], size[1])
        self._frame = state["frame"]
        self._sessions = {}
        for region, outputs in state["outputs"].items():
            assert self._image_size is not None
            session = self.model.new_session(self._image_size)
            session.output_dict_per_obj[0] = {
                kind: {
                    frame: {name: tensor.to(self.model.device) for name, tensor in output.items()}
                    for frame, output in frames.items()
                }
                for kind, frames in outputs.items()
            }
            self._sessions[region] = session

    def _check(self, image: np.ndarray, labels: np.ndarray | None) -> None:
        check_image(image)
        size = image.shape[:2]
        if self._image_size not in (None, size):
            raise SamflowError(
                f"frame {self._frame + 1} is {size[0]} x {size[1]} pixels (H x W), the frames "
                "before it {} x {}: bring all frames of a clip to one size.".format(
                    *self._image_size
                )
            )
        if labels is not None and labels.shape != size:
            raise SamflowError(
                f"expected a label map {size}, the size of its frame, got {labels.shape}."
            )

    def _absent_now(self) -> list[int]:
        """Regions that are only on frames which are kept in mind."""
        later = {int(i) for _, labels in self._awaited for i in np.unique(labels)}
        return sorted(later - {0} - set(self._sessions))

    @property
    def _empty(self) -> Tensor:
        side = self.model.image_size
        return torch.zeros(1, 1, side, side, device=self.model.device)

    def _masks(self, labels: np.ndarray) -> dict[int, Tensor]:
        """Mask prompts (1, 1, S, S) of a label map's regions at the network's input size."""
        ids = [int(i) for i in np.unique(labels) if i != 0]
        masks = torch.from_numpy(labels_to_one_hot(labels, ids)).float()[:, None]
        size = (self.model.image_size,) * 2
        if masks.shape[-2:] != size and ids:
            masks = F.interpolate(masks, size, mode="bilinear", align_corners=False, antialias=True)
        masks = (masks >= 0.5).float().to(self.model.device)
        return {region: mask[None] for region, mask in zip(ids, masks, strict=True)}

    def _corners(self, boxes: Mapping[int, Sequence[float]]) -> dict[int, dict[str, Tensor]]:
        """Point prompts of boxes, in pixels of the network's input."""
        prompts = {}
        for region, box in boxes.items():
            prompts[region] = {
                "point_coords": torch.tensor(box, dtype=torch.float32).reshape(1, 1, 2, 2),
                "point_labels": torch.tensor(_CORNERS, dtype=torch.int32).reshape(1, 1, 2),
            }
        return prompts

    def _run(
        self,
        image: np.ndarray,
        index: int,
        masks: Mapping[int, Tensor],
        points: Mapping[int, dict[str, Tensor]],
    ) -> np.ndarray:
        """Lead every session over a frame; logits (N, H, W)."""
        pixels, features = self.model.encode(image)
        scale = self.model.image_size / torch.tensor(image.shape[1::-1], dtype=torch.float32)
        found = []
        for region, session in self._sessions.items():
            session.cache.cache_vision_features(index, features)
            if region in masks:
                session.add_mask_inputs(0, index, masks[region])
            elif region in points:
                corners = points[region]["point_coords"] * scale
                session.add_point_inputs(0, index, {**points[region], "point_coords": corners})
            session.obj_with_new_inputs = [1] if region in masks or region in points else []
            output = self.model.network(session, frame=pixels, frame_idx=index)
            found.append(output.pred_masks.float())  # (1, 1, h, w)
            self._forget(session)
        size = image.shape[:2]
        logits = F.interpolate(torch.cat(found), size, mode="bilinear", align_corners=False)
        return logits[:, 0].cpu().numpy()

    def _forget(self, session: Any) -> None:
        """Drop all of a session that no later frame reads."""
        session.processed_frames.clear()
        session.cache.clear_all()
        for inputs in (session.mask_inputs_per_obj, session.point_inputs_per_obj):
            inputs[0].clear()
        session.frames_tracked_per_obj[0].clear()
        memories, pointers = self.model.reach
        outputs = session.output_dict_per_obj[0]
        for kind, frames in outputs.items():
            for frame in list(frames):
                # the next frame looks this far back, if a user gave nothing on the frame
                age = 1 if kind == "cond_frame_outputs" else self._frame + 1 - frame
                wanted = [_POINTER] if age <= pointers else []
                wanted += _MEMORY if age <= memories else []
                if not wanted:
                    del frames[frame]
                elif set(frames[frame]) != set(wanted):
                    # copies, for these may be views of something larger
                    frames[frame] = {name: frames[frame][name].clone() for name in wanted}

    def _condition_on_awaited(self) -> None:
        for number, (image, labels) in enumerate(self._awaited):
            masks = self._masks(labels)
            whole = {region: masks.get(region, self._empty) for region in self._sessions}
            self._run(image, _LATER + number, whole, {})
        self._awaited = []


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors inside of dicts and lists."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each)
