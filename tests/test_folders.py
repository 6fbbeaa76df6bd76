"""XMem over the generic folder layout: names, palette, resuming, bad input."""

import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from samflow.errors import SamflowError
from samflow.maskio import read_label_map
from samflow.runs.folders import find_videos, track_folder
from samflow.xmem import Tracker, XMem, load_xmem

SIZE = (32, 48)
PALETTE = bytes(range(255, -1, -1)) * 3


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.pth"
    torch.save(XMem(key_dim=8, value_dim=16, hidden_dim=4, width=1 / 16).state_dict(), path)
    return str(path)


def label_map(*ids: int) -> np.ndarray:
    labels = np.zeros(SIZE, np.uint8)
    for i, object_id in enumerate(ids):
        labels[4 + 8 * i : 10 + 8 * i, 5:30] = object_id
    return labels


def write_palette(path: Path, labels: np.ndarray, palette: bytes = PALETTE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(labels)
    picture.putpalette(palette)
    picture.save(path)


def make_video(folder: Path, name: str, frames: int = 5, size: tuple[int, int] = SIZE) -> None:
    rng = np.random.default_rng(len(name))
    images = folder / "JPEGImages" / name
    images.mkdir(parents=True)
    for i in range(frames):
        pixels = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(images / f"{i:05d}.jpg", quality=90)
    write_palette(folder / "Annotations" / name / "00000.png", label_map(1, 4))


def all_bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_video_gets_a_png_per_frame_with_its_palette(tmp_path: Path, weights: str) -> None:
    make_video(tmp_path / "in", "a", 4)
    make_video(tmp_path / "in", "bb", 3)
    tracked = track_folder(tmp_path / "in", tmp_path / "out", weights, size=None, device="cpu")
    assert tracked == [tmp_path / "out" / "a", tmp_path / "out" / "bb"]
    names = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.png"))
    assert names == [f"a/{i:05d}.png" for i in range(4)] + [f"bb/{i:05d}.png" for i in range(3)]
    with Image.open(tmp_path / "out" / "a" / "00002.png") as picture:
        assert picture.mode == "P"
        assert bytes(picture.getpalette() or b"") == PALETTE
    first = read_label_map(tmp_path / "out" / "a" / "00000.png")
    np.testing.assert_array_equal(first, label_map(1, 4))


def test_the_result_is_the_tracker_s_with_all_annotations(tmp_path: Path, weights: str) -> None:
    make_video(tmp_path, "a", 6)
    write_palette(tmp_path / "Annotations" / "a" / "00003.png", label_map(0, 0, 7))
    track_folder(tmp_path, tmp_path / "out", weights, size=24, device="cpu")
    tracker = Tracker(load_xmem(weights, "cpu"), size=24, count_long_term_usage=False)
    given = {0: label_map(1, 4), 3: label_map(0, 0, 7)}
    for i in range(6):
        with Image.open(tmp_path / "JPEGImages" / "a" / f"{i:05d}.jpg") as picture:
            image = np.array(picture)
        expected = tracker.step(image, given.get(i), last=i == 5).argmax(0)
        labels = np.array([0, *tracker.ids], np.uint8)[expected]
        np.testing.assert_array_equal(read_label_map(tmp_path / f"out/a/{i:05d}.png"), labels)


def test_the_official_names_and_sparse_numbers_are_kept(tmp_path: Path, weights: str) -> None:
    make_video(tmp_path, "a", 3)
    for kind, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
        for i in (2, 1, 0):
            path = tmp_path / kind / "a" / f"{i:05d}.{suffix}"
            if path.exists():
                path.rename(path.with_name(f"shot7_{5 * i + 10}.{suffix}"))
    track_folder(tmp_path, tmp_path / "out", weights, device="cpu")
    names = sorted(p.name for p in (tmp_path / "out" / "a").iterdir())
    assert names == ["shot7_10.png", "shot7_15.png", "shot7_20.png"]


def _track_slowly(folder: str, out: str, weights: str) -> None:
    torch.set_num_threads(1)
    track_folder(folder, out, weights, device="cpu", save_every=3)


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, weights: str) -> None:
    for name in ("a", "bb"):
        make_video(tmp_path / "in", name, 16)
    # forks of a process that has imported torch but not run it: quick, and safe with its threads;
    # all of one thread, since sums over several round differently
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["samflow.runs.folders"])

    def start(out: Path) -> multiprocessing.process.BaseProcess:
        arguments = (str(tmp_path / "in"), str(out), weights)
        process = context.Process(target=_track_slowly, args=arguments)
        process.start()
        return process

    def finish(out: Path) -> dict[str, bytes]:
        process = start(out)
        process.join()
        assert process.exitcode == 0
        return all_bytes(out)

    whole = finish(tmp_path / "whole")
    out = tmp_path / "killed"
    rng = np.random.default_rng(0)
    kills = 0
    for target in sorted(int(n) for n in rng.choice(np.arange(2, 31), 6, replace=False)):
        process = start(out)
        while process.is_alive() and len(list(out.glob("*/*.png"))) < target:
            time.sleep(0.002)
        if process.is_alive():
            os.kill(process.pid or 0, signal.SIGKILL)
            kills += 1
        process.join()
    assert kills >= 3
    assert finish(out) == whole


def test_resuming_starts_from_the_saved_state(tmp_path: Path, weights: str) -> None:
    make_video(tmp_path / "in", "a", 10)
    track_folder(tmp_path / "in", tmp_path / "whole", weights, device="cpu")
    out = tmp_path / "out"
    in_the_way = out / "a" / "00006.png" / "folder"
    in_the_way.mkdir(parents=True)
    with pytest.raises(SamflowError, match=r"00006\.png could not be written"):
        track_folder(tmp_path / "in", out, weights, device="cpu", save_every=4)
    assert len(list(out.glob("a/0000?.png"))) == 7
    shutil.rmtree(in_the_way.parent)
    written = {p: p.stat().st_mtime_ns for p in out.glob("a/*.png")}
    track_folder(tmp_path / "in", out, weights, device="cpu", save_every=4)
    kept = [p.stem for p, stamp in sorted(written.items()) if p.stat().st_mtime_ns == stamp]
    assert kept == [f"{i:05d}" for i in range(4)]
    assert all_bytes(out) == all_bytes(tmp_path / "whole")


def test_a_finished_video_is_kept_until_its_input_changes(tmp_path: Path, weights: str) -> None:
    make_video(tmp_path / "in", "a", 3)
    out = tmp_path / "out"
    track_folder(tmp_path / "in", out, weights, device="cpu")
    before = all_bytes(out)
    stamps = {p: p.stat().st_mtime_ns for p in out.rglob("*.png")}
    track_folder(tmp_path / "in", out, weights, device="cpu")
    assert stamps == {p: p.stat().st_mtime_ns for p in out.rglob("*.png")}
    write_palette(tmp_path / "in" / "Annotations" / "a" / "00000.png", label_map(9))
    track_folder(tmp_path / "in", out, weights, device="cpu")
    assert read_label_map(out / "a" / "00000.png").max() == 9
    assert all_bytes(out) != before


def test_a_damaged_state_starts_the_video_again(tmp_path: Path, weights: str) -> None:
    make_video(tmp_path / "in", "a", 3)
    track_folder(tmp_path / "in", tmp_path / "whole", weights, device="cpu")
    out = tmp_path / "out"
    (out / ".state").mkdir(parents=True)
    (out / ".state" / "a.pt").write_bytes(b"no state")
    (out / "xmem.json").write_text("{")
    track_folder(tmp_path / "in", out, weights, device="cpu")
    assert all_bytes(out) == all_bytes(tmp_path / "whole")


def remove_annotation(folder: Path) -> None:
    (folder / "Annotations" / "a" / "00000.png").unlink()


def remove_all_annotations(folder: Path) -> None:
    shutil.rmtree(folder / "Annotations")


def empty_annotation(folder: Path) -> None:
    write_palette(folder / "Annotations" / "a" / "00000.png", label_map())


def small_annotation(folder: Path) -> None:
    write_palette(folder / "Annotations" / "a" / "00000.png", label_map(1)[:-1])


def rgb_annotation(folder: Path) -> None:
    Image.new("RGB", SIZE[::-1], (255, 0, 0)).save(folder / "Annotations" / "a" / "00000.png")


def ignore_label(folder: Path) -> None:
    write_palette(folder / "Annotations" / "a" / "00000.png", label_map(1, 255))


def other_size(folder: Path) -> None:
    Image.new("RGB", (48, 30)).save(folder / "JPEGImages" / "a" / "00003.jpg")


def gap(folder: Path) -> None:
    (folder / "JPEGImages" / "a" / "00002.jpg").unlink()


def stray_annotation(folder: Path) -> None:
    write_palette(folder / "Annotations" / "a" / "00009.png", label_map(1))


def no_number(folder: Path) -> None:
    path = folder / "JPEGImages" / "a" / "00004.jpg"
    path.rename(path.with_name("last.jpg"))


def no_image(folder: Path) -> None:
    (folder / "JPEGImages" / "a" / "00003.jpg").write_bytes(b"no image")


def no_video(folder: Path) -> None:
    shutil.rmtree(folder / "JPEGImages" / "a")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove_annotation, "the first frame needs a label map"),
        (remove_all_annotations, "the first frame needs a label map"),
        (empty_annotation, "is empty"),
        (small_annotation, "48x31 pixels, expected 48x32"),
        (rgb_annotation, "RGB PNG"),
        (ignore_label, "255"),
        (other_size, "48x30 pixels, the frames before it are 48x32"),
        (gap, "no frame 2 between 00001.jpg and 00003.jpg"),
        (stray_annotation, "belongs to no frame"),
        (no_number, "no frame number"),
        (no_image, "no readable image"),
        (no_video, "holds no folder"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    tmp_path: Path, weights: str, spoil, message: str
) -> None:
    make_video(tmp_path / "in", "a", 5)
    spoil(tmp_path / "in")
    with pytest.raises(SamflowError, match=message) as caught:
        track_folder(tmp_path / "in", tmp_path / "out", weights, device="cpu")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_the_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SamflowError, match="JPEGImages/<video>"):
        find_videos(tmp_path)
