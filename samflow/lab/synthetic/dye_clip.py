"""Dye clips with exact truth, frame by frame."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

from samflow.errors import SamflowError
from samflow.lab.synthetic.flow import DyeSimulation
from samflow.lab.synthetic.look import Look, Painter
from samflow.lab.synthetic.scene import Scene, in_circles, shifted
from samflow.masks import labels_to_boxes
from samflow.prompts import FrameReference, Prompts, Region
from samflow.video import VideoWriter

# scores are published on these, training draws from the next range: nothing else may use either
HELD_OUT_SEEDS = range(1_000_000, 1_000_040)
TRAINING_SEEDS = range(10_000_000, 20_000_000)
# for choices made while training, so that the held-out clips stay unseen
VALIDATION_SEEDS = range(20_000_000, 20_000_040)

REGION_NAMES = {1: "upper dye", 2: "lower dye", 3: "bottom surface"}


class DyeClip:
    """A film of two dyes in a turbulent channel, with the true label map of every frame.

    Iterating yields `(image, labels)`: (H, W, 3) uint8 RGB and (H, W) uint8, where 0 is
    background, 1 the upper dye, 2 the lower dye and 3 the bottom surface. One frame is held at a
    time; each iteration starts again at frame 0.

    Parameters
    ----------
    seed : int
        The same seed, size, look and scene give the same bytes.
    size : (int, int)
        (H, W) in pixels, at least 32 each.
    frames : int
        Length. A longer clip begins with the frames of a shorter one.
    look : str or Look
        "demo" (blue above red, gentle, the bottom wall in the lower dye's colour), "random" (drawn
        from the seed), or a look.
    scene : Scene, optional
        What else happens in front of the camera: bubbles, gaps, speed, shake. By default nothing.

    Attributes
    ----------
    fps : float
        Frames per second of the film.
    file_name : str
        Of the film in its folder.

    Examples
    --------
    >>> clip = DyeClip(seed=7, size=(48, 80), frames=2)
    >>> [(image.shape, labels.shape) for image, labels in clip]
    [((48, 80, 3), (48, 80)), ((48, 80, 3), (48, 80))]
    """

    fps = 25.0
    file_name = "clip.mp4"

    def __init__(
        self,
        seed: int,
        size: tuple[int, int] = (270, 480),
        frames: int = 60,
        *,
        look: str | Look = "demo",
        scene: Scene | None = None,
    ) -> None:
        if min(size) < 32 or frames < 1:
            raise SamflowError(
                f"a dye clip needs at least 32x32 px and 1 frame, got {size[1]}x{size[0]} px and "
                f"{frames} frames."
            )
        if isinstance(look, str) and look not in ("demo", "random"):
            raise SamflowError(f"look {look!r} is unknown: expected demo, random or a Look.")
        self.seed = seed
        self.size = size
        self.frames = frames
        self.scene = scene or Scene()
        # each purpose has its own stream, so that the look does not change the flow
        if isinstance(look, Look):
            self.look = look
        elif look == "demo":
            self.look = Look.demo()
        else:
            self.look = Look.random(np.random.default_rng([seed, 1]))

    def __len__(self) -> int:
        return self.frames

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        painter = Painter(self.look, self.size, self.seed)
        before: np.ndarray | None = None
        for index, (labels, concentration) in enumerate(self._states()):
            circles = self.scene.circles(self.size, self.seed, index)
            shift = self.scene.shift(self.size, self.seed, index)
            image = painter.paint(labels, concentration, index, circles, shift)
            shown = image
            if self.look.interlace and before is not None:
                shown = image.copy()
                shown[1::2] = before[1::2]
            before = image
            yield shown, self._seen(labels, index)

    def labels(self) -> Iterator[np.ndarray]:
        """Yield the true label maps alone, (H, W) uint8 each, without painting a frame."""
        for index, (labels, _) in enumerate(self._states()):
            yield self._seen(labels, index)

    def _seen(self, labels: np.ndarray, index: int) -> np.ndarray:
        """Label map as the camera sees it: bubbles in front, the picture shifted."""
        circles = self.scene.circles(self.size, self.seed, index)
        if len(circles):
            labels = np.where(in_circles(circles, self.size), 0, labels).astype(np.uint8)
        return shifted(labels, self.scene.shift(self.size, self.seed, index))

    def _states(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng([self.seed, 0])
        simulation = DyeSimulation(rng, self.size)
        stride = simulation.develop(rng)
        stride = stride if self.scene.steps is None else self.scene.steps
        for index in range(self.frames):
            for _ in range(stride if index else 0):
                simulation.step()
            labels, concentration = simulation.labels(), simulation.fields()[1]
            if self.scene.gaps > 0:
                gap = ~self.scene.dyed(concentration)
                labels[gap & ((labels == 1) | (labels == 2))] = 0
            yield labels, concentration

    def prompts(self) -> Prompts:
        """Prompts for frame 0, from the truth: a box for each region, four background points.

        Returns
        -------
        Prompts
            The tight box of each region that has a pixel; the bottom surface is a background
            region.
        """
        return true_prompts(next(self.labels()))

    def write(self, path: Path) -> Iterator[np.ndarray]:
        """Write the film as H.264; gives the true label map of each frame as it is written."""
        with VideoWriter(path, self.size, self.fps) as writer:
            for image, labels in self:
                writer.write(image)
                yield labels


def true_prompts(labels: np.ndarray) -> Prompts:
    """Prompts for frame 0 from its true label map (H, W) uint8, see `DyeClip.prompts`."""
    regions = [
        Region(id=label, name=REGION_NAMES[label], box=(x0, y0, x1, y1), background=label == 3)
        for label, box in labels_to_boxes(labels, REGION_NAMES).items()
        for x0, y0, x1, y1 in ([box] if box else [])
    ]
    height, width = labels.shape
    return Prompts(
        regions=regions,
        frame=FrameReference(width=width, height=height),
        background_points=background_points(labels, 4),
    )


def background_points(labels: np.ndarray, count: int) -> list[tuple[float, float]]:
    """Points (x, y) deep inside the background, far from each other.

    Parameters
    ----------
    labels : (H, W) uint8 ndarray
        Label map, 0 is background.
    count : int
        Largest number of points.

    Returns
    -------
    list of (float, float)
        Each in a band of rows of its own while there is background in another band, so that they
        mark the gaps between the dyes as well as the clear strip; fewer than `count` when the
        background is too small.

    Examples
    --------
    >>> labels = np.ones((32, 32), np.uint8)
    >>> labels[4:9] = labels[20:25] = 0
    >>> [y for x, y in background_points(labels, 2)]
    [6.0, 22.0]
    """
    free = np.pad(labels == 0, 1)
    height = labels.shape[0]
    points: list[tuple[float, float]] = []
    bands = free.copy()
    for _ in range(count):
        distance = distance_transform_edt(bands)
        if distance.max() < height / 60:  # slivers alone are left there: no place to click
            distance = distance_transform_edt(free)
        y, x = np.unravel_index(int(distance.argmax()), distance.shape)
        if distance[y, x] == 0:
            break
        points.append((float(x - 1), float(y - 1)))
        bands[max(0, y - height // 8) : y + height // 8 + 1] = False
        reach = int(max(4, 2 * distance[y, x]))
        free[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = False
    return points
