"""The installed `samflow` command, as a user types it."""

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from segment_anything import SamPredictor

from media import ffmpeg, write_film
from models import save_models, small_sam
from samflow.lab.demo_run import write_dye_clip
from samflow.lab.synthetic import DyeClip
from samflow.maskio import read_label_map
from samflow.prompts import Prompts
from samflow.video import Video
from terminal import one_line

SAMFLOW = Path(sys.executable).with_name("samflow")
FRAMES = 6


def samflow(*arguments, cwd=None, code=0, **environment):
    """Run the command; returns (stdout, stderr) after checking its exit status."""
    done = subprocess.run(
        [SAMFLOW, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        timeout=300,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def test_the_installed_command_reports_a_mistake_inone_line(given, bad, tmp_path):
    _, stderr = samflow(*_run(bad / "text.mp4", given[2], tmp_path / "run"), code=1)
    assert "text.mp4" in one_line(stderr)
    _, stderr = samflow(*_run(given[0], bad / "typo.json", tmp_path / "run"), code=1)
    assert "regions[0].colour: unknown key" in one_line(stderr)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "clip"
    write_dye_clip(folder, DyeClip(seed=5, size=(54, 96), frames=FRAMES))
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    sam, xmem = save_models(tmp_path_factory.mktemp("models"))
    return ["--sam", sam, "--xmem", xmem, "--device", "cpu"]


@pytest.fixture(scope="module")
def given(clip):
    return [clip / "clip.mp4", "--prompts", clip / "prompts.json"]


COMMANDS = [
    "",
    "benchmark",
    "demo",
    "fetch",
    "cut",
    "segment",
    "run",
    "compare",
    "score",
    "measure",
    "export",
]


@pytest.mark.parametrize(
    "command", [*COMMANDS, "weights", "weights list", "weights fetch", "weights verify"]
)
def test_every_command_has_help(command):
    stdout, _ = samflow(*command.split(), "--help")
    assert "Usage: samflow" in stdout


def test_without_arguments_it_says_how_to_begin():
    stdout, _ = samflow()
    for command in ("samflow demo", "samflow notebook --film FILE", "samflow run FILE --prompts"):
        assert command in stdout
    assert "samflow --help" in stdout


def test_the_help_of_a_run_shows_prompts_that_can_be_read(tmp_path):
    stdout, _ = samflow("run", "--help")
    text = stdout[stdout.index('{"schema"') :]
    assert "samflow notebook --film" in stdout
    filled = text.replace("[x0, y0, x1, y1]", "[1, 2, 30, 40]")
    (tmp_path / "prompts.json").write_text(filled)
    assert Prompts.load(tmp_path / "prompts.json").background_ids == (2,)


def test_wrong_arguments_exit_with_2():
    assert "--prompts" in samflow("run", "film.mp4", code=2)[1]
    assert "No such command" in samflow("runn", code=2)[1]
    assert "--frames" in samflow("demo", "--frames", "0", code=2)[1]


def test_run_compare_and_score(fails, given, models, clip, tmp_path):
    stdout, stderr = samflow("run", *given, "--out", "run", *models, cwd=tmp_path)
    assert "comparison video: run/comparison.mp4" in stdout.replace("\\", "/")
    assert "frame/s" in stderr
    assert len(Video(tmp_path / "run" / "comparison.mp4")) == FRAMES
    stdout, _ = samflow("compare", "run", "--out", "both.mp4", cwd=tmp_path)
    assert len(Video(tmp_path / "both.mp4")) == FRAMES
    stdout, _ = samflow("score", "run", "--truth", clip / "truth", cwd=tmp_path)
    assert "refined-box" in stdout
    table = (tmp_path / "run" / "scores.csv").read_text().splitlines()
    assert table[0] == "strategy,frame,region,J,F"
    assert len(table) == 1 + 4 * FRAMES * 2
    assert (tmp_path / "run" / "plots" / "scores.png").stat().st_size > 1000
    line = fails("run", *given, "--out", tmp_path / "run", *models)
    assert "already holds a run: continue it with --resume" in line
    samflow("run", *given, "--out", "run", *models, "--resume", cwd=tmp_path)


def test_segment_equals_the_official_predictor(given, models, clip, tmp_path):
    samflow("segment", *given, "--out", tmp_path, *models[:2], "--keep-background")
    labels = read_label_map(tmp_path / "00000.png")
    predictor = SamPredictor(small_sam())
    predictor.set_image(Video(given[0])[0])
    regions = json.loads((clip / "prompts.json").read_text())["regions"]
    planes = [
        predictor.predict(box=np.array(region["box"]), multimask_output=False, return_logits=True)[
            0
        ][0]
        for region in regions
    ]
    stacked = np.stack([np.zeros_like(planes[0]), *planes])
    expected = np.array([0, *(region["id"] for region in regions)])[stacked.argmax(0)]
    assert len(np.unique(expected)) > 2
    assert (labels == expected).mean() > 0.9999
    assert (tmp_path / "00000_overlay.png").is_file()
    samflow("segment", *given, "--out", tmp_path / "results", *models[:2])
    results = read_label_map(tmp_path / "results" / "00000.png")
    np.testing.assert_array_equal(results, np.where(labels == 3, 0, labels))
    samflow("segment", *given, "--out", tmp_path / "points", *models[:2], "--points")
    assert (read_label_map(tmp_path / "points" / "00000.png") != results).any()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("h264_25.mp4", ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-r", "25"]),
        ("h264_2997.mp4", ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-r", "30000/1001"]),
        ("vp9_2997.webm", ["-c:v", "libvpx-vp9", "-r", "30000/1001", "-cpu-used", "8"]),
        ("vp9_25.mkv", ["-c:v", "libvpx-vp9", "-r", "25", "-cpu-used", "8"]),
        (
            "variable.mkv",
            ["-vf", "setpts='if(lt(N,3),N,3*N)/25/TB'", "-fps_mode", "vfr", "-c:v", "libx264"],
        ),
    ],
)
def test_films_of_another_tool_run(clip, models, tmp_path, name, arguments):
    film = tmp_path / name
    ffmpeg("-i", clip / "clip.mp4", "-frames:v", FRAMES, *arguments, film)
    _run_other_film(film, clip, models, tmp_path)


def _run_other_film(film, clip, models, tmp_path):
    arguments = ["--out", tmp_path / "run", *models, "--strategies", "sam", "--accept-frame"]
    samflow("run", film, "--prompts", clip / "prompts.json", *arguments)
    video = Video(film)
    comparison = Video(tmp_path / "run" / "comparison.mp4")
    assert len(list((tmp_path / "run" / "masks" / "sam").iterdir())) == len(video)
    np.testing.assert_allclose(comparison.timestamps, video.timestamps, atol=2e-3)


def test_a_rotated_film_runs_upright(clip, models, tmp_path):
    turned, film = tmp_path / "turned.mp4", tmp_path / "rotated.mp4"
    ffmpeg("-i", clip / "clip.mp4", "-vf", "transpose=1", "-c:v", "libx264", turned)
    ffmpeg("-display_rotation", "90", "-i", turned, "-c", "copy", film)
    assert Video(film).size == (54, 96)
    _run_other_film(film, clip, models, tmp_path)


@pytest.fixture(scope="module")
def bad(tmp_path_factory, clip, models):
    """Files that a user may give by mistake."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "text.mp4").write_text("not a film\n" * 100)
    whole = (clip / "clip.mp4").read_bytes()
    ffmpeg("-i", clip / "clip.mp4", "-c", "copy", folder / "moov_last.mp4")
    (folder / "truncated.mp4").write_bytes((folder / "moov_last.mp4").read_bytes()[:-1500])
    (folder / "cut_off.mp4").write_bytes(whole[: int(len(whole) * 0.7)])
    (folder / "empty").mkdir()
    prompts = json.loads((clip / "prompts.json").read_text())
    outside = json.loads(json.dumps(prompts))
    outside["regions"][0]["box"] = [0, 0, 97, 20]
    (folder / "outside.json").write_text(json.dumps(outside))
    typo = json.loads(json.dumps(prompts))
    typo["regions"][0]["colour"] = "#00ff00"
    (folder / "typo.json").write_text(json.dumps(typo))
    unknown = json.loads(json.dumps(prompts))
    unknown["regions"][0]["point_labels"], unknown["regions"][0]["points"] = [3], [[4, 4]]
    (folder / "unknown_label.json").write_text(json.dumps(unknown))
    other = json.loads(json.dumps(prompts))
    other["frame"].update(width=1280, height=720)
    (folder / "other_size.json").write_text(json.dumps(other))
    sam = Path(models[1]).read_bytes()
    (folder / "damaged.pth").write_bytes(sam[: len(sam) // 2])
    (folder / "bomb.pth").write_bytes(pickle.dumps(_Bomb(folder / "exploded")))
    torch.save({"weight": torch.zeros(3)}, folder / "tensors.pth")
    return folder


class _Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def _run(film, prompts, out, *options):
    return ["run", film, "--prompts", prompts, "--out", out, *options]


@pytest.mark.parametrize(
    ("film", "message"),
    [
        ("absent.mp4", "absent.mp4"),
        ("text.mp4", "text.mp4"),
        ("truncated.mp4", "truncated.mp4"),
        ("empty", "empty"),
    ],
)
def test_films_that_cannot_be_read(fails, bad, clip, models, tmp_path, film, message):
    line = fails(*_run(bad / film, clip / "prompts.json", tmp_path / "run", *models))
    assert message in line
    assert not (tmp_path / "run").exists()


def test_a_cut_off_film_is_used_up_to_the_damage(bad, clip, models, tmp_path):
    options = [*models, "--accept-frame", "--strategies", "sam"]
    samflow(*_run(bad / "cut_off.mp4", clip / "prompts.json", tmp_path / "run", *options))
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert 1 <= record["video"]["frames"] < FRAMES
    assert record["video"]["damage"]


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ("absent.json", "could not be read"),
        ("outside.json", "outside the frame of 96x54 px"),
        ("typo.json", "regions[0].colour: unknown key"),
        ("unknown_label.json", "point_labels[0]"),
        ("other_size.json", "drawn on a frame of 1280x720 px, the video's frames have 96x54 px"),
    ],
)
def test_prompts_that_do_not_fit(fails, bad, given, models, tmp_path, prompts, message):
    assert message in fails(*_run(given[0], bad / prompts, tmp_path / "run", *models))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("absent.pth", "absent.pth"),
        ("damaged.pth", "damaged.pth"),
        ("bomb.pth", "bomb.pth"),
        ("tensors.pth", "tensors.pth"),
        ("text.mp4", "text.mp4"),
    ],
)
def test_weights_that_cannot_be_loaded(fails, bad, given, models, tmp_path, weights, message):
    for kind in ("--sam", "--xmem"):
        line = fails(*_run(*given[::2], tmp_path / "run", *models, kind, bad / weights))
        assert message in line
    assert not (bad / "exploded").exists()
    assert not (tmp_path / "run").exists()


def test_weights_of_the_wrong_kind(fails, given, models, tmp_path):
    sam, xmem = models[1], models[3]
    line = fails(*_run(*given[::2], tmp_path / "run", "--sam", xmem))
    assert "XMem" in line
    line = fails(*_run(*given[::2], tmp_path / "run", "--sam", sam, "--xmem", sam))
    assert "SAM" in line


def test_output_folders_that_are_not_ours(fails, given, models, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert "is not a run" in fails(*_run(*given[::2], tmp_path, *models))
    assert "is not a run" in fails(*_run(*given[::2], tmp_path / "notes.txt", *models))
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_other_mistakes(fails, given, models, tmp_path):
    line = fails(*_run(*given[::2], tmp_path / "r", *models, "--strategies", "sam,xmen"))
    assert "'xmen' is unknown: choose from" in line
    line = fails(*_run(*given[::2], tmp_path / "r", *models, "--device", "abacus"))
    assert "device 'abacus' is unknown" in line
    line = fails(*_run(*given[::2], tmp_path / "r", *models, "--start", "9:00"))
    assert "clip.mp4 has no frame" in line
    line = fails(*_run(*given[::2], tmp_path / "r", *models, "--start", "soon"))
    assert "soon" in line
    assert "is not a run" in fails("compare", tmp_path)
    assert "is not a run" in fails("score", tmp_path, "--truth", tmp_path)


def test_an_interrupted_run_says_how_to_go_on(clip, models, tmp_path):
    frames = [np.full((54, 96, 3), 40 + index % 150, np.uint8) for index in range(400)]
    write_film(tmp_path / "film.mp4", frames)
    options = ["--out", tmp_path / "run", *models, "--accept-frame", "--strategies", "sam"]
    command = [SAMFLOW, "run", tmp_path / "film.mp4", "--prompts", clip / "prompts.json", *options]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "run" / "masks" / "sam" / "00001.png").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 1
    assert "interrupted: continue with --resume" in one_line(stderr)


def test_debug_shows_the_traceback(tmp_path):
    _, stderr = samflow("compare", tmp_path, "--debug", code=1)
    assert "Traceback" in stderr
    assert stderr.rstrip().splitlines()[-1].startswith("samflow: ")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root on Linux")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine does not allow mounting")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk(fails, given, models, small_disk):
    (small_disk / "ballast").write_bytes(bytes(3_000_000))
    line = fails(*_run(*given[::2], small_disk / "run", *models))
    assert "could not be written: No space left on device. Free some space" in line
    half_written = [path for path in small_disk.rglob(".*") if path.is_file()]
    assert half_written == []
    for path in small_disk.glob("run/masks/*/*.png"):
        read_label_map(path)
    (small_disk / "ballast").unlink()
    samflow(*_run(*given[::2], small_disk / "run", *models, "--resume"))
    assert len(Video(small_disk / "run" / "comparison.mp4")) == FRAMES


def test_cut_names_the_clip_like_the_film(tmp_path):
    write_film(tmp_path / "film.mp4", [np.full((48, 64, 3), 9 * i, np.uint8) for i in range(25)])
    stdout, _ = samflow(
        "cut", "film.mp4", "--start", "0.2", "--end", "0.6", "--out", "data", cwd=tmp_path
    )
    clips = list((tmp_path / "data").iterdir())
    assert len(clips) == 1
    assert clips[0].name in stdout
    assert len(Video(clips[0])) == 10


def test_weights_list_names_every_checkpoint(fails, tmp_path):
    stdout, _ = samflow("weights", "list", SAMFLOW_CACHE=str(tmp_path))
    for name in ("vit_b", "vit_l", "vit_h", "XMem", "XMem-s012"):
        assert name in stdout
    (tmp_path / "sam_vit_b_01ec64.pth").write_bytes(b"other")
    assert "differs from its hash" in fails("weights", "verify", SAMFLOW_CACHE=str(tmp_path))
    assert "unknown" in fails("weights", "fetch", "vit_x", SAMFLOW_CACHE=str(tmp_path))


def test_fetch_refuses_what_is_no_web_address(fails, tmp_path):
    line = fails(
        "fetch", "file:///etc/hosts", "--start", "0", "--end", "1", "--out", tmp_path / "data"
    )
    assert "http" in line


@pytest.mark.slow
def test_demo_from_end_to_end(tmp_path):
    stdout, _ = samflow("demo", "--out", "demo", "--frames", "8", cwd=tmp_path)
    assert "J mean" in stdout
    assert (tmp_path / "demo" / "comparison.mp4").is_file()
    assert (tmp_path / "demo" / "scores.csv").is_file()
    assert len(list((tmp_path / "demo_clip" / "truth").iterdir())) == 8
    shutil.rmtree(tmp_path / "demo" / "plots")
    samflow("demo", "--out", "demo", "--frames", "8", cwd=tmp_path)
    assert (tmp_path / "demo" / "plots" / "scores.png").is_file()


def test_benchmark_goes_on_and_names_the_winner(fails, models, tmp_path):
    arguments = ["benchmark", "--out", tmp_path / "bench", "--frames", "3", *models]
    names = ["--strategies", "xmem,flow"]
    stdout, _ = samflow(*arguments, *names, "--clips", "gentle")
    table = pd.read_csv(tmp_path / "bench" / "benchmark.csv").set_index("strategy")
    winner = table["J"].idxmax()
    assert f"{winner}{' (a baseline)' if table.loc[winner, 'baseline'] else ''}" in stdout
    assert f"{table['J'].max():.3f}" in stdout
    assert "rank correlation of drift score" in stdout
    assert re.search(r"band of area_px2, [a-z ]+, all: holds the truth on", stdout)
    assert (tmp_path / "bench" / "plots" / "clips.png").is_file()
    line = fails(*arguments, "--clips", "gentle")
    assert "holds a benchmark with strategies ['xmem', 'flow']" in line
    assert "clip 'mild' is unknown" in fails(*arguments, *names, "--clips", "mild")
    (tmp_path / "bench" / "runs" / "gentle" / "run.json").write_text("{}")
    line = fails(*arguments, *names, "--clips", "gentle")
    assert "no clip could be done; gentle: " in line
