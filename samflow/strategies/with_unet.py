"""The strategy in which a U-Net learns the clip's own look from the label maps that are known."""

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from samflow.errors import SamflowError
from samflow.strategies.base import Frame, Keeps, Strategy, started
from samflow.strategies.registry import FIT_STEPS
from samflow.strategies.unet import UNet, fit_unet, with_places, woven
from samflow.xmem.geometry import Geometry

if TYPE_CHECKING:
    from samflow.strategies.build import Parts


class UNetStrategy(Strategy):
    """Label each pixel by a small network that is fitted to this clip alone.

    Parameters
    ----------
    device : torch.device or str
    steps : int
        Of the fit; see `samflow.strategies.unet.fit_unet`.
    size : int, optional
        Working size: the shorter side of larger frames inside the network, px.

    Notes
    -----
    It learns from every corrected frame; as long as there is none, from the first frame's label
    map. It looks at a frame, at the two beside it and at where a pixel lies, never at another label
    map, so it does not drift. The fit comes before the first result; how long it takes does not
    depend on the clip's length.
    """

    name = "unet"
    keeps: Keeps = "corrections"

    def __init__(
        self, device: torch.device | str = "cpu", steps: int = FIT_STEPS, size: int | None = None
    ) -> None:
        if steps < 1:
            raise SamflowError(f"a fit takes 1 step or more, got {steps}: default {FIT_STEPS}.")
        self.device = torch.device(device)
        self.steps = steps
        self.size = size
        self._taught: list[tuple[Frame, np.ndarray]] = []
        self._learnt_from = ""
        self._ids: list[int] | None = None
        self._network: UNet | None = None

    def keep(self, frame: Frame, labels: np.ndarray) -> None:
        """Learn from a corrected frame at the next start."""
        self._taught.append((frame, labels))

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Fit the network, unless it is fitted to the same; the result is its own."""
        taught, self._taught = self._taught or [(frame, labels)], []
        source = _digest(taught)
        if source != self._learnt_from:
            self._fit(taught)
            self._learnt_from = source
        return self.step(frame)

    def _fit(self, taught: list[tuple[Frame, np.ndarray]]) -> None:
        ids = np.unique(np.concatenate([np.unique(labels) for _, labels in taught]))
        self._ids, self._network = ids.tolist(), None
        if len(ids) == 1:
            return
        images, truths = [], []
        for frame, labels in taught:
            images.append(self._to_grid(frame))
            index = torch.from_numpy(np.searchsorted(ids, labels).astype(np.float32))
            on_grid = self._geometry(labels.shape).masks_to_grid(index[None, None])
            truths.append(on_grid[0, 0].long().to(self.device))
        many = "frames" if len(taught) > 1 else "frame"
        doing = f"U-Net learns from {len(taught)} {many} on {self.device.type}"
        self._network = fit_unet(images, truths, len(ids), self.steps, doing)

    @torch.inference_mode()
    def step(self, frame: Frame) -> np.ndarray:
        """Label map of a frame."""
        ids = np.array(started(self._ids), np.uint8)
        size = frame.image.shape[:2]
        if self._network is None:
            return np.full(size, ids[0], np.uint8)
        seen = self._to_grid(frame)[None].contiguous(memory_format=torch.channels_last)
        logits = self._geometry(size).grid_to_frame(self._network(seen))
        return ids[logits[0].argmax(0).cpu().numpy()]

    def _to_grid(self, frame: Frame) -> Tensor:
        """What the network sees of a frame: (18, H', W') in [-0.5, 0.5]."""
        # woven at full size: a smaller picture has no lines of one field any more
        shown = woven(frame.before, frame.image, frame.after)
        pixels = torch.from_numpy(shown).permute(2, 0, 1)[None].to(self.device).float() / 255 - 0.5
        return with_places(self._geometry(shown.shape[:2]).image_to_grid(pixels)[0])

    def _geometry(self, frame: tuple[int, ...]) -> Geometry:
        larger = self.size is not None and min(frame) > self.size
        return Geometry((frame[0], frame[1]), self.size if larger else None)

    def state_dict(self) -> dict[str, Any]:
        """What was learnt, and from what."""
        network = None if self._network is None else self._network.state_dict()
        return {"ids": self._ids, "learnt_from": self._learnt_from, "network": network}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._ids, self._learnt_from, self._network = state["ids"], state["learnt_from"], None
        if state["network"] is not None:
            network = UNet(len(state["ids"]))
            network.load_state_dict(state["network"])
            network = network.to(self.device).to(memory_format=torch.channels_last)
            self._network = network.eval().requires_grad_(False)


def _digest(taught: list[tuple[Frame, np.ndarray]]) -> str:
    """Hash of frames and their label maps."""
    found = hashlib.sha256()
    for frame, labels in taught:
        for image in (frame.before, frame.image, frame.after):
            found.update(np.ascontiguousarray(image).data)
        found.update(np.ascontiguousarray(labels).data)
    return found.hexdigest()


def build_unet(name: str, parts: "Parts") -> UNetStrategy:
    """A U-Net on the device of the run's SAM."""
    device = "cpu" if parts.given_sam is None else parts.given_sam.device
    return UNetStrategy(device, parts.fit_steps, parts.size)
