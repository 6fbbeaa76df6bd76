"""Run XMem over a clip, one frame at a time."""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samflow.errors import SamflowError, check_image
from samflow.xmem.geometry import Geometry
from samflow.xmem.memory import Memory, MemoryOptions
from samflow.xmem.network import ImageFeatures, XMem, soft_aggregate


class Tracker:
    """Carry label maps through a clip.

    Parameters
    ----------
    network : XMem
        From `load_xmem`. Its device is the tracker's.
    mem_every : int
        Frames between memory frames.
    top_k : int
        Elements of memory that answer a query.
    long_term : bool
        Consolidate working memory, so that its size does not grow with the clip.
    count_long_term_usage : bool
        Count reads of long-term elements, so that the least used ones expire; without it they
        never do.
    max_mid_term_frames, min_mid_term_frames : int
        Memory frames at which working memory is consolidated, and how many it keeps then.
    num_prototypes, max_long_term_elements : int
        Elements that one consolidation leaves, and the most that long-term memory holds.
    deep_update_every : int
        Frames between deep updates of the sensory memory; -1: on each memory frame.
    size : int or None
        Working size of the shorter side in pixels; None works at the frame's own size.

    Raises
    ------
    SamflowError
        For options that can't work.

    Examples
    --------
    >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
    <torch._C.Generator ...>
    >>> tracker = Tracker(XMem(key_dim=8, value_dim=16, hidden_dim=4, width=1 / 16).eval())
    >>> frame = np.zeros((32, 48, 3), np.uint8)
    >>> labels = np.zeros((32, 48), np.uint8)
    >>> labels[:16], labels[16:, :20] = 1, 4
    >>> tracker.step(frame, labels).shape, tracker.ids
    ((3, 32, 48), [1, 4])
    >>> tracker.step(frame).dtype, tracker.memory_sizes
    (dtype('float32'), (6, 0))
    """

    def __init__(
        self,
        network: XMem,
        *,
        mem_every: int = 5,
        top_k: int = 30,
        long_term: bool = True,
        count_long_term_usage: bool = True,
        max_mid_term_frames: int = 10,
        min_mid_term_frames: int = 5,
        num_prototypes: int = 128,
        max_long_term_elements: int = 10000,
        deep_update_every: int = -1,
        size: int | None = None,
    ) -> None:
        if mem_every < 1:
            raise SamflowError(f"mem_every must be at least 1, got {mem_every}.")
        if size is not None and size < 1:
            raise SamflowError(f"size must be at least 1 pixel, or None, got {size}.")
        self.network = network
        self.mem_every, self.deep_update_every, self.size = mem_every, deep_update_every, size
        self.options = MemoryOptions(
            top_k=top_k,
            long_term=long_term,
            count_long_term_usage=count_long_term_usage,
            max_mid_term_frames=max_mid_term_frames,
            min_mid_term_frames=min_mid_term_frames,
            num_prototypes=num_prototypes,
            max_long_term_elements=max_long_term_elements,
        )
        self._memory = Memory(self.options)
        self._hidden: Tensor | None = None
        self._frame = -1
        self._last_memory = 0
        self._last_deep_update = 0
        self._image_size: tuple[int, int] | None = None
        self._ids: list[int] = []
        self._awaited: list[tuple[NDArray[np.uint8], NDArray[np.integer]]] = []

    @property
    def ids(self) -> list[int]:
        """Label ids of the channels after background, in their order of appearance."""
        return list(self._ids)

    @property
    def memory_sizes(self) -> tuple[int, int]:
        """Elements in working memory and in long-term memory."""
        return self._memory.sizes

    @torch.inference_mode()
    def step(
        self,
        image: NDArray[np.uint8],
        labels: NDArray[np.integer] | None = None,
        last: bool = False,
    ) -> NDArray[np.float32]:
        """Segment the next frame, or take what is given for it, and remember it when it is due.

        Parameters
        ----------
        image : (H, W, 3) uint8
            RGB, the same size on every frame.
        labels : (H, W) integers, optional
            A label map given on this frame, needed on the first one. Ids not seen before are new
            objects. If it holds every known id, it replaces the prediction; else the ids it holds
            replace theirs, and the other objects keep their prediction outside of it.
        last : bool
            Whether no frame follows; nothing is remembered then.

        Returns
        -------
        (1 + N, H, W) float32
            Probabilities, background first, then `ids`; they sum to 1. `step_labels` gives the
            label map instead.

        Raises
        ------
        SamflowError
            For an image or label map of the wrong type or size, a label id above 254, and when the
            first frame has no label. The tracker is unchanged then.
        """
        given = self._check(image, labels)
        self._image_size = image.shape[:2]
        self._frame += 1
        self._ids += [i for i in given if i not in self._ids]
        for _, awaited in self._awaited:
            self._ids += [int(i) for i in np.unique(awaited) if i not in (0, *self._ids)]
        due = self._frame - self._last_memory >= self.mem_every
        remember = (due or labels is not None) and not last
        deep = remember
        if self.deep_update_every >= 0:
            deep = self._frame - self._last_deep_update >= self.deep_update_every and not last
            deep = deep or self._frame == 0
        pixels = self._prepare(image)
        features = self.network.encode_key(pixels)
        prediction = None
        if self._frame > 0 and (labels is None or set(given) != set(self._ids)):
            prediction = self._segment(features, update_hidden=not deep and not last)
        if labels is not None:
            prediction = self._merge(prediction, labels, given)
        assert prediction is not None
        if remember:
            self._remember(pixels, features, prediction, deep)
            while self._awaited:
                self._keep(*self._awaited.pop(0))
        if deep:
            self._last_deep_update = self._frame
        frame = self._geometry.grid_to_frame(prediction[None])[0]
        return np.ascontiguousarray(frame.cpu().numpy())

    @torch.inference_mode()
    def keep(self, image: NDArray[np.uint8], labels: NDArray[np.integer]) -> None:
        """Remember a frame for good whose label map is known, wherever it lies in the clip.

        Its elements answer every query like the first frame's and are never consolidated: the
        permanent memory of XMem++ (Bekuzarov et al., ICCV 2023, arXiv 2307.15958).

        Parameters
        ----------
        image : (H, W, 3) uint8
        labels : (H, W) integers
            Its whole label map: a known id that it lacks is not on that frame.

        Raises
        ------
        SamflowError
            For an image or label map of the wrong type or size, or a label id above 254.

        Notes
        -----
        Called before the first step, it is encoded at that step, so that every object that either
        frame shows is known on both.
        """
        given = self._check(image, labels, first=False)
        if self._frame < 0:
            self._awaited.append((image.copy(), labels.copy()))
            return
        self._ids += [i for i in given if i not in self._ids]
        self._keep(image, labels)

    def step_labels(
        self,
        image: NDArray[np.uint8],
        labels: NDArray[np.integer] | None = None,
        last: bool = False,
    ) -> NDArray[np.uint8]:
        """Label map (H, W) of the next frame: at each pixel the likeliest of `step`'s channels."""
        likeliest = self.step(image, labels, last).argmax(axis=0)
        return np.array([0, *self._ids], np.uint8)[likeliest]

    def _check(self, image: NDArray, labels: NDArray | None, first: bool = True) -> list[int]:
        """Find the label ids given on this frame, sorted; refuse what can't be tracked."""
        check_image(image)
        height, width = image.shape[:2]
        if self._image_size not in (None, (height, width)):
            raise SamflowError(
                f"frame {self._frame + 1} is {height} x {width} pixels (H x W), the frames before "
                "it {} x {}: bring all frames of a clip to one size.".format(*self._image_size)
            )
        if labels is None:
            if not self._ids:
                raise SamflowError(
                    "the first frame has no labels: give a label map with at least one region."
                )
            return []
        if not np.issubdtype(labels.dtype, np.integer) or labels.shape != (height, width):
            raise SamflowError(
                f"expected a label map ({height}, {width}) of integers, the size of its frame, got "
                f"{labels.shape} of {labels.dtype}."
            )
        ids = [int(i) for i in np.unique(labels) if i != 0]
        if ids and (ids[0] < 0 or ids[-1] > 254):
            raise SamflowError(
                f"label id {ids[0] if ids[0] < 0 else ids[-1]} is outside 0..254 (255 usually "
                "marks pixels to ignore): renumber the labels."
            )
        if first and not ids and not self._ids:
            raise SamflowError(
                "the label map of the first frame is empty: mark at least one region."
            )
        return ids

    @property
    def _geometry(self) -> Geometry:
        assert self._image_size is not None
        return Geometry(self._image_size, self.size)

    def _prepare(self, image: NDArray[np.uint8]) -> Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(image)).to(self.network.device)
        pixels = self.network.normalise(pixels.permute(2, 0, 1).float() / 255)
        return self._geometry.image_to_grid(pixels[None])

    def _one_hot(self, labels: NDArray[np.integer]) -> Tensor:
        ids = torch.tensor(self._ids, device=self.network.device)
        grid = torch.from_numpy(labels.astype(np.int64)).to(self.network.device)
        masks = (grid == ids[:, None, None]).float()
        return self._geometry.masks_to_grid(masks[None])[0]

    def _segment(self, features: ImageFeatures, update_hidden: bool) -> Tensor:
        """Predict the known objects: probabilities (1 + N, H', W')."""
        assert self._hidden is not None
        readout = self._memory.read(features.key, features.selection)
        logits, hidden = self.network.segment(features, readout, self._hidden, update_hidden)
        if update_hidden:
            self._hidden = hidden
        return logits.softmax(1)[0]

    def _merge(
        self,
        prediction: Tensor | None,
        labels: NDArray[np.integer],
        given: list[int],
    ) -> Tensor:
        """Put given masks over a prediction; objects seen for the first time get their state."""
        masks = self._one_hot(labels)
        if prediction is not None:
            covered = masks.sum(0) > 0.5
            for channel, object_id in enumerate(self._ids):
                if object_id not in given:
                    masks[channel] = prediction[1 + channel].masked_fill(covered, 0)
        self._admit()
        return soft_aggregate(masks[None]).softmax(1)[0]

    def _no_hidden(self, objects: int) -> Tensor:
        """Sensory memory of objects that were not seen yet."""
        cells = (self.network.hidden_dim, *self._geometry.cells)
        return torch.zeros(1, objects, *cells, device=self.network.device)

    def _admit(self) -> None:
        """Give objects seen for the first time their sensory memory."""
        known = 0 if self._hidden is None else self._hidden.shape[1]
        fresh = self._no_hidden(len(self._ids) - known)
        self._hidden = fresh if self._hidden is None else torch.cat([self._hidden, fresh], 1)

    def _keep(self, image: NDArray[np.uint8], labels: NDArray[np.integer]) -> None:
        """Put a frame into permanent memory; the sensory memory is left as it is."""
        self._admit()
        pixels = self._prepare(image)
        features = self.network.encode_key(pixels)
        masks = soft_aggregate(self._one_hot(labels)[None]).softmax(1)[:, 1:]
        value, _ = self.network.encode_value(
            pixels, features.f16, masks, self._no_hidden(len(self._ids)), False
        )
        self._memory.add(
            features.key, features.shrinkage, features.selection, value, permanent=True
        )

    def _remember(
        self, pixels: Tensor, features: ImageFeatures, prediction: Tensor, deep: bool
    ) -> None:
        assert self._hidden is not None
        value, hidden = self.network.encode_value(
            pixels, features.f16, prediction[None, 1:], self._hidden, deep
        )
        if deep:
            self._hidden = hidden
        self._memory.add(features.key, features.shrinkage, features.selection, value)
        self._last_memory = self._frame

    def _settings(self) -> dict[str, Any]:
        network = self.network
        return asdict(self.options) | {
            "mem_every": self.mem_every,
            "deep_update_every": self.deep_update_every,
            "size": self.size,
            "network": [network.key_dim, network.value_dim, network.hidden_dim, network.width],
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything the next step depends on, but the network.

        Returns
        -------
        dict
            Tensors, numbers, strings, lists and dicts only: `torch.save` writes it, and
            `torch.load(..., weights_only=True)` reads it.
        """
        return {
            "settings": self._settings(),
            "memory": self._memory.state_dict(),
            "hidden": self._hidden,
            "frame": self._frame,
            "last_memory": self._last_memory,
            "last_deep_update": self._last_deep_update,
            "image_size": None if self._image_size is None else list(self._image_size),
            "ids": list(self._ids),
        }

    @torch.inference_mode()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken; the next steps give the same bits.

        Raises
        ------
        SamflowError
            When the state belongs to other options or another network.
        """
        if state["settings"] != self._settings():
            raise SamflowError(
                f"the saved state belongs to {state['settings']}, this tracker has "
                f"{self._settings()}: start again, or use the same options and network."
            )
        self._memory.load_state_dict(state["memory"], self.network.device)
        hidden = state["hidden"]
        self._hidden = None if hidden is None else hidden.to(self.network.device, copy=True)
        self._frame = state["frame"]
        self._last_memory = state["last_memory"]
        self._last_deep_update = state["last_deep_update"]
        size = state["image_size"]
        self._image_size = None if size is None else (size[0], size[1])
        self._ids = list(state["ids"])
