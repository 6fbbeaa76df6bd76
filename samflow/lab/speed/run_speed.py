"""All four strategies of a run beside the plain way of doing the method."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from samflow.lab.demo_run import write_dye_clip
from samflow.lab.speed.sam_speed import ARCHITECTURES, random_sam
from samflow.lab.speed.xmem_speed import PlainXMem
from samflow.lab.synthetic import DyeClip
from samflow.overlay import Comparison
from samflow.prompts import Prompts, Region
from samflow.runs import Run, RunOptions, run
from samflow.runs.session import RunSession
from samflow.sam import Embedding, Sam, load_sam
from samflow.strategies import DEFAULT_NAMES, Frame, refine_labels, segment_first_frame
from samflow.video import Video
from samflow.weights import load_checkpoint
from samflow.xmem.xmem_checkpoint import xmem_from_state_dict

# stages of a run that go on beside the models
_AROUND = ("decode", "overlay", "write")


class OfficialSam(Sam):
    """A Sam that encodes with the official class."""

    @torch.inference_mode()
    def embed(self, image: np.ndarray) -> Embedding:
        """Encode one frame as `segment_anything.SamPredictor.set_image` does."""
        pixels, input_size = self.to_pixels(image)
        features = self.model.image_encoder(self.model.preprocess(pixels))
        return Embedding(features, input_size, image.shape[:2])


def run_row(
    frames: int, size: tuple[int, int], device: str, architecture: str | None = None
) -> dict[str, Any]:
    """Time `samflow run` with all four strategies and the method done the plain way.

    Parameters
    ----------
    frames : int
        Of a dye clip.
    size : (int, int)
        (H, W) of the clip, px.
    device : str
    architecture : str, optional
        Of a SAM whose encoder has random weights, one of
        `samflow.lab.speed.sam_speed.ARCHITECTURES`; by default the demo SAM. XMem has the demo
        weights, everything is in float32.

    Returns
    -------
    dict
        `seconds`, `reference_seconds`; `around`: the share of the run's time in which no model is
        at work;
        `error`: the largest share of pixels in which a strategy's label map differs.

    Notes
    -----
    The plain way: XMem over the clip, then each of the three strategies that use SAM, one after the
    other, each encoding its own frames with the official class. It writes and draws nothing. Models
    are loaded before.
    """
    with TemporaryDirectory() as folder:
        clip_folder, run_folder = Path(folder) / "clip", Path(folder) / "run"
        prompts = write_dye_clip(clip_folder, DyeClip(3, size, frames))
        video = Video(clip_folder / "clip.mp4")
        sam = "demo" if architecture is None else _save_random_sam(architecture, Path(folder))
        options = RunOptions(sam=sam, xmem="demo", device=device)
        session, plain = RunSession(), PlainMethod(sam, device)
        session.sam(sam, device), session.xmem("demo", device)
        begin = time.perf_counter()
        finished = run(clip_folder / "clip.mp4", prompts, run_folder, options, session=session)
        seconds = time.perf_counter() - begin
        begin = time.perf_counter()
        results = plain(video, prompts)
        reference = time.perf_counter() - begin
        spent = finished.record.seconds
        models = sum(spent[stage] for stage in spent if stage not in _AROUND)
        return {
            "what": f"all four strategies, {architecture or 'demo SAM'}",
            "precision": "float32",
            "seconds": seconds / frames,
            "reference_seconds": reference / frames,
            "around": 1 - models / seconds,
            "error": _largest_difference(finished, results, prompts),
        }


def _save_random_sam(architecture: str, folder: Path) -> str:
    """Write a checkpoint as the official ones are, its decoder that of the demo SAM, by path.

    A decoder with random weights too has logits near 0 everywhere: rounding would decide.
    """
    state = random_sam(ARCHITECTURES[architecture], "cpu", "float32").model.state_dict()
    trained = load_checkpoint("demo", kind="sam").state_dict
    state |= {name: trained[name] for name in state if not name.startswith("image_encoder")}
    path = folder / "random_sam.pth"
    torch.save(state, path)
    return str(path)


def comparison_rate(frames: int = 24, size: tuple[int, int] = (1080, 1920)) -> float:
    """Frames of a comparison video of four panels that one core draws and writes in a second.

    Parameters
    ----------
    frames : int
        Drawn and written.
    size : (int, int)
        (H, W) of the frames, px.
    """
    film = list(DyeClip(3, size, 3))
    names = [f"strategy {number}" for number in range(4)]
    regions = [Region(id=1, name="upper dye"), Region(id=2, name="lower dye")]
    layout = Comparison(size, names, regions, film=False)
    with TemporaryDirectory() as folder:
        begin = time.process_time()
        path = Path(folder) / "comparison.mp4"
        with layout.writer(path, 25) as writer:
            for index in range(frames):
                image, labels = film[index % len(film)]
                writer.write(layout.frame(image, dict.fromkeys(names, labels), index / 25, index))
        return frames / (time.process_time() - begin)


class PlainMethod:
    """The four strategies, each by itself from the video's frames, with the demo XMem."""

    def __init__(self, sam: str, device: str) -> None:
        self._sam = OfficialSam(load_sam(sam, device).model, device)
        checkpoint = load_checkpoint("demo", kind="xmem")
        self._network = xmem_from_state_dict(checkpoint.state_dict).to(self._sam.device)

    def __call__(self, video: Video, prompts: Prompts) -> dict[str, list[np.ndarray]]:
        """Label maps of each strategy, one for each frame."""
        sam = self._sam
        first = segment_first_frame(sam, Frame(video[0]), prompts)
        tracker, ids = PlainXMem(self._network), np.array([0, *prompts.ids], np.uint8)
        ids = ids[np.isin(ids, [0, *np.unique(first)])]
        results: dict[str, list[np.ndarray]] = {name: [] for name in DEFAULT_NAMES}
        for index, image in enumerate(video):
            likeliest = tracker.step(image, None if index else first).argmax(0)
            results["xmem"].append(ids[likeliest])
        latest = first
        for image in video:
            latest = refine_labels(sam, Frame(image), latest)
            results["sam"].append(latest)
        for name in ("refined", "refined-box"):
            for image, labels in zip(video, results["xmem"], strict=True):
                results[name].append(refine_labels(sam, Frame(image), labels, name == "refined"))
        return results


def _largest_difference(
    finished: Run, plain: dict[str, list[np.ndarray]], prompts: Prompts
) -> float:
    """Largest share of pixels that differ, over strategies and frames."""
    background = prompts.background_ids
    return max(
        float((np.where(np.isin(labels, background), 0, labels) != finished.track(name)[i]).mean())
        for name, tracked in plain.items()
        for i, labels in enumerate(tracked)
    )
