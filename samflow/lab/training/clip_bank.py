"""A bank of rendered training clips on disk, rebuilt from seeds and never shipped."""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from samflow.files import write_text
from samflow.lab.synthetic import TRAINING_SEEDS, DyeSimulation, Look, Painter

# steps between two shots of one simulation: the fluid crosses about a fifth of the image
STEPS_BETWEEN_SHOTS = 30


@dataclass(frozen=True)
class BankRecipe:
    """What a bank holds: `shots` moments of each of `simulations` flows, each in `looks` looks.

    Seeds of the flows follow `first_seed`; a clip has `frames` consecutive frames of `size` (H, W).
    """

    simulations: int
    first_seed: int = TRAINING_SEEDS.start
    shots: int = 3
    looks: int = 2
    frames: int = 2
    size: tuple[int, int] = (270, 480)

    @property
    def clips(self) -> int:
        """Number of clips in the bank."""
        return self.simulations * self.shots * self.looks


@dataclass(frozen=True)
class ClipBank:
    """Rendered clips, read from disk as they are used.

    `images` (clips, frames, H, W, 3) uint8 are RGB; `labels` (clips, frames, H, W) uint8 are
    0 background, 1 upper dye, 2 lower dye, 3 bottom surface.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


def render_clips(seed: int, recipe: BankRecipe) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the clips of one flow: images (frames, H, W, 3) and labels (frames, H, W), uint8.

    The seed decides the flow and its looks, a quarter of which are the demo's. The looks of one
    shot share the truth.
    """
    rng = np.random.default_rng([seed, 0])
    simulation = DyeSimulation(rng, recipe.size)
    stride = simulation.develop(rng)
    for shot in range(recipe.shots):
        for _ in range(STEPS_BETWEEN_SHOTS if shot else 0):
            simulation.step()
        states = []
        for frame in range(recipe.frames):
            for _ in range(stride if frame else 0):
                simulation.step()
            states.append((simulation.labels(), simulation.fields()[1]))
        for number in range(recipe.looks):
            look_rng = np.random.default_rng([seed, 1, shot, number])
            look = Look.demo() if look_rng.random() < 0.25 else Look.random(look_rng)
            painter = Painter(look, recipe.size, int(look_rng.integers(2**31)))
            images = [painter.paint(*state, index) for index, state in enumerate(states)]
            yield np.stack(images), np.stack([labels for labels, _ in states])


def _render_into(folder: Path, recipe: BankRecipe, number: int) -> None:
    cv2.setNumThreads(1)  # the processes share the cores already
    images = np.load(folder / "images.npy", mmap_mode="r+")
    labels = np.load(folder / "labels.npy", mmap_mode="r+")
    first = number * recipe.shots * recipe.looks
    for offset, (clip, truth) in enumerate(render_clips(recipe.first_seed + number, recipe)):
        images[first + offset] = clip
        labels[first + offset] = truth


def build_bank(folder: str | Path, recipe: BankRecipe, workers: int = 2) -> ClipBank:
    """Render a bank into a folder, or open the one that is there.

    A bank of another recipe is replaced. The clips are memory-mapped: only those in use take
    memory. The same recipe gives the same bytes for any number of workers, which are processes.
    """
    folder = Path(folder)
    record = folder / "recipe.json"
    text = json.dumps(asdict(recipe), indent=1)
    if not record.exists() or record.read_text() != text:
        folder.mkdir(parents=True, exist_ok=True)
        record.unlink(missing_ok=True)
        shape = (recipe.clips, recipe.frames, *recipe.size)
        make = np.lib.format.open_memmap
        make(folder / "images.npy", mode="w+", dtype=np.uint8, shape=(*shape, 3)).flush()
        make(folder / "labels.npy", mode="w+", dtype=np.uint8, shape=shape).flush()
        # a fresh interpreter for each worker: a forked torch or OpenCV can hang
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            jobs = [pool.submit(_render_into, folder, recipe, i) for i in range(recipe.simulations)]
            for job in tqdm(jobs, desc="rendering flows", disable=None):
                job.result()
        write_text(record, text)  # last: its presence means that the bank is whole
    images = np.load(folder / "images.npy", mmap_mode="r")
    return ClipBank(images, np.load(folder / "labels.npy", mmap_mode="r"))
