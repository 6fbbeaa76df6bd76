"""Dye clips as an old film's transfer left them: their truth, and the way to numbers."""

import numpy as np
import pandas as pd
import pytest

from models import save_models
from samflow import RunOptions, Track, compare, cut, export, measure, run, score, segment
from samflow.lab.benchmark import choose_clips
from samflow.lab.demo_run import write_dye_clip
from samflow.lab.synthetic import DyeClip, Transfer, TransferredClip
from samflow.video import Video

SIZE, FRAMES = (90, 160), 8
# which film frame the top and the bottom field of a video frame come from, over five frames
PULLDOWN = [(0, 0), (1, 1), (1, 2), (2, 3), (3, 3)]


def transferred(folder, transfer, seed=5, frames=FRAMES):
    """A written clip: its maker, its video, the true label maps."""
    clip = TransferredClip(transfer, seed, SIZE, frames)
    prompts = write_dye_clip(folder / "clip", clip)
    assert prompts.video.name == "clip.mpg"
    return clip, Video(folder / "clip" / "clip.mpg"), list(Track(folder / "clip" / "truth"))


def woven(frames, index):
    """A video frame out of the film's: top field first, 3:2 pulldown."""
    top, bottom = (4 * (index // 5) + each for each in PULLDOWN[index % 5])
    frame = frames[top].copy()
    frame[1::2] = frames[bottom][1::2]
    return frame


def test_the_truth_is_that_of_the_film_frame_in_the_first_field(tmp_path):
    clip, video, truth = transferred(tmp_path, Transfer(kbit_per_s=8000))
    film = list(DyeClip(5, SIZE, 8))
    assert len(video) == len(truth) == FRAMES
    assert video.fps == pytest.approx(30000 / 1001)
    assert video.damage is None
    for index, (image, labels) in enumerate(zip(video, truth, strict=True)):
        top, _ = PULLDOWN[index % 5]
        np.testing.assert_array_equal(labels, film[4 * (index // 5) + top][1])
        off = [np.abs(image.astype(int) - woven([i for i, _ in film], k)).mean() for k in range(8)]
        assert int(np.argmin(off)) == index
    assert clip.prompts().regions == DyeClip(5, SIZE, 8).prompts().regions


def test_bars_are_black_and_background(tmp_path):
    clip, video, truth = transferred(tmp_path, Transfer(telecine=False, bars=1 / 8))
    film = list(DyeClip(5, (90, 120), FRAMES).labels())
    assert video.size == clip.size == SIZE
    assert video.fps == pytest.approx(24000 / 1001)
    for image, labels, inner in zip(video, truth, film, strict=True):
        np.testing.assert_array_equal(labels, np.pad(inner, ((0, 0), (20, 20))))
        assert image[:, :16].mean() < 8
        assert image[:, -16:].mean() < 8
    boxes = [region.box for region in clip.prompts().regions]
    assert all(20 <= x0 < x1 <= 140 for x0, _, x1, _ in boxes)


def test_a_lost_frame_leaves_a_gap_in_time(tmp_path):
    _, video, truth = transferred(tmp_path, Transfer(dropped=(2, 3)))
    _, _, whole = transferred(tmp_path / "whole", Transfer(), frames=FRAMES + 2)
    steps = np.diff(video.timestamps) * 30000 / 1001
    np.testing.assert_allclose(steps, [1, 3, *[1] * (FRAMES - 3)], atol=0.01)
    for labels, expected in zip(truth, whole[:2] + whole[4:], strict=True):
        np.testing.assert_array_equal(labels, expected)


def test_the_same_clip_gives_the_same_bytes(tmp_path):
    transfer = Transfer(bars=1 / 8, kbit_per_s=400, dropped=(1,))
    first, second = (transferred(tmp_path / name, transfer)[1].path for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_a_rougher_rate_makes_a_smaller_and_worse_film(tmp_path):
    film = [image for image, _ in DyeClip(5, SIZE, FRAMES)]
    errors, sizes = [], []
    for rate in (100, 4000):
        transfer = Transfer(telecine=False, kbit_per_s=rate)
        _, video, _ = transferred(tmp_path / str(rate), transfer)
        errors.append(np.abs(np.subtract(video[-1], film[-1], dtype=int)).mean())
        sizes.append(video.path.stat().st_size)
    assert errors[0] > 1.5 * errors[1]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("name", ["telecine", "bars", "transfer"])
def test_the_whole_way_from_an_old_film_to_numbers(name, tmp_path):
    sam, xmem = save_models(tmp_path / "models")
    (clip,) = choose_clips([name])
    prompts = write_dye_clip(tmp_path / "film", clip.clip(FRAMES, SIZE))
    film, truth = tmp_path / "film" / "clip.mpg", Track(tmp_path / "film" / "truth")
    first = segment(film, prompts, tmp_path / "first", sam=str(sam), device="cpu")
    assert first.labels.shape == SIZE

    options = RunOptions(
        ("xmem", "sam", "refined", "nearest-colour"),
        sam=str(sam),
        xmem=str(xmem),
        device="cpu",
        size=64,
    )
    finished = run(film, prompts, tmp_path / "run", options)
    assert finished.complete
    assert len(finished.track("sam")) == FRAMES
    assert score(finished, truth)["J_mean"].between(0, 1).all()
    measures = measure(finished, 0.5)
    times = measures["sam"].frames.query("region == 1")["time_s"]
    np.testing.assert_allclose(times, Video(film).timestamps, atol=1e-6)
    assert (finished.folder / "report.html").stat().st_size > 10_000
    assert len(Video(compare([finished], tmp_path / "both.mp4"))) == FRAMES
    (table,) = export(finished, "csv", tmp_path / "csv")
    assert len(pd.read_csv(table)) > FRAMES

    # a part of it, cut out as an mp4, has the same frames at the same times
    part = Video(cut(film, 0.0, 0.18, tmp_path / "part.mp4"))
    np.testing.assert_allclose(part.timestamps, Video(film).timestamps[: len(part)], atol=1e-3)
    off = [np.abs(np.subtract(part[1], image, dtype=int)).mean() for image in Video(film)]
    assert int(np.argmin(off)) == 1
