"""Mistakes of someone who never read the README: one line that says how to go on, no leftovers."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models import save_models
from samflow.lab.demo_run import write_dye_clip
from samflow.lab.synthetic import DyeClip
from samflow.prompts import Prompts
from terminal import one_line

SAMFLOW = Path(sys.executable).with_name("samflow")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mistakes")
    write_dye_clip(folder / "clip", DyeClip(seed=5, size=(54, 96), frames=4))
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    sam, xmem = save_models(tmp_path_factory.mktemp("models"))
    return ["--sam", sam, "--xmem", xmem, "--device", "cpu"]


@pytest.fixture(scope="module")
def run(home, models):
    command = [SAMFLOW, "run", home / "clip" / "clip.mp4", "--out", home / "run", *models]
    command += ["--prompts", home / "clip" / "prompts.json", "--strategies", "xmem,sam"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return home / "run"


def changed(home, change):
    document = json.loads((home / "clip" / "prompts.json").read_text())
    path = home / "changed.json"
    path.write_text(json.dumps(change(document)))
    return path


def with_region(document, **values):
    document["regions"][0] |= values
    return document


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: [1, 2], "it holds [1, 2], not prompts. Draw prompts with samflow notebook"),
        (lambda d: {"images": [], "annotations": []}, "it has neither frame nor regions"),
        (lambda d: d | {"schema": "samflow.runs/1"}, "its schema is 'samflow.runs/1', prompts"),
        (lambda d: d | {"regions": []}, "have no region: draw a box"),
        (lambda d: d | {"regions": {}}, "regions: expected a list of regions such as"),
        (
            lambda d: {key: value for key, value in d.items() if key != "frame"},
            'frame: this key is missing: add {"index": 0, "width": W, "height": H}',
        ),
        (
            lambda d: with_region(d, box=[1, 2, 3]),
            "regions[0].box: expected [x0, y0, x1, y1] in px, got [1, 2, 3]",
        ),
        (
            lambda d: with_region(d, box="all"),
            "regions[0].box: expected [x0, y0, x1, y1] in px, got 'all'",
        ),
        (
            lambda d: with_region(d, color="blue"),
            "regions[0].color: expected a colour such as \"#0000ff\", got 'blue'",
        ),
        (
            lambda d: with_region(d, points=[[1]], point_labels=[1]),
            "regions[0].points: expected [[x, y], ...] in px, got [1]",
        ),
        (
            lambda d: d | {"regions": [r | {"background": True} for r in d["regions"]]},
            "all regions of the prompts are background",
        ),
        (lambda d: with_region(d, box=None), "region 1 'upper dye' has no prompt"),
    ],
)
def test_prompts_written_by_hand(fails, home, models, tmp_path, change, message):
    path = changed(home, change)
    command = ["run", home / "clip" / "clip.mp4", "--prompts", path, "--out", tmp_path / "run"]
    assert message in fails(*command, *models)
    assert not (tmp_path / "run").exists()


def test_prompts_in_the_encodings_of_windows(fails, home, tmp_path):
    text = (home / "clip" / "prompts.json").read_text()
    (tmp_path / "marked.json").write_text(text, encoding="utf-8-sig")
    assert Prompts.load(tmp_path / "marked.json") == Prompts.load(home / "clip" / "prompts.json")
    (tmp_path / "wide.json").write_text(text, encoding="utf-16")
    (tmp_path / "nothing.json").write_text("")
    for name, message in (("wide.json", "is no text in UTF-8"), ("nothing.json", "it is empty")):
        command = ["segment", home / "clip" / "clip.mp4", "--prompts", tmp_path / name]
        assert message in fails(*command, "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--strategies", "sam,xmen"], "Did you mean 'xmem'?"),
        (["--strategies", "Refined_Box"], "Did you mean 'refined-box'?"),
        (["--strategies", "refine:sam2"], "Did you mean 'refined:sam2'?"),
        (["--sam", "vit_B"], "Did you mean 'vit_b'?"),
        (["--xmem", "xmem"], "Did you mean 'XMem'?"),
        (["--start", "0:02", "--end", "0:01"], "starts at 2 s, which is not before its end at 1 s"),
        (["--start", "9:00"], "clip.mp4 has no frame from 540 s on: it lasts from 0 to 0.16 s"),
    ],
)
def test_options_of_a_run(fails, home, models, tmp_path, options, message):
    command = ["run", home / "clip" / "clip.mp4", "--prompts", home / "clip" / "prompts.json"]
    assert message in fails(*command, "--out", tmp_path / "run", *models, *options)
    assert not (tmp_path / "run").exists()


def test_one_thing_where_another_is_expected(fails, home, run, models, tmp_path):
    prompts = home / "clip" / "prompts.json"
    command = ["run", run, "--prompts", prompts, "--out", tmp_path / "run", *models]
    assert "is a run: expected the film that it was made from" in fails(*command)
    command[1] = "https://www.youtube.com/watch?v=1_oyqLOqwnI"
    assert "is a web address: get the film with samflow fetch first" in fails(*command)
    command[1] = home / "clip" / "clip.mp4"
    assert "several prompts belong to frame 0" in fails(*command, "--prompts", prompts)
    times = ["--start", "0", "--end", "1", "--out", tmp_path / "data"]
    assert "needs no download: samflow cut" in fails("fetch", home / "clip" / "clip.mp4", *times)
    assert "there is nothing to fetch" in fails("weights", "fetch", "demo")
    assert "is a file: choose another folder" in fails(
        "cut", home / "clip" / "clip.mp4", "--start", "0", "--end", "0.1", "--out", prompts
    )
    assert list(tmp_path.iterdir()) == []


def test_a_first_frame_without_masks_leaves_no_run_in_the_way(fails, home, models, tmp_path):
    other = tmp_path / "other"
    write_dye_clip(other, DyeClip(seed=6, size=(54, 96), frames=2))
    command = ["run", other / "clip.mp4", "--prompts", home / "clip" / "prompts.json"]
    line = fails(*command, "--out", tmp_path / "run", *models)
    assert "differs from the frame that the prompts were drawn on" in line
    assert not (tmp_path / "run").exists()


def test_mistakes_with_a_finished_run(fails, home, run, tmp_path):
    assert "expected a file such as comparison.mp4" in fails("compare", run, "--out", tmp_path)
    film = home / "clip" / "clip.mp4"
    before = film.read_bytes()
    assert "is the film itself" in fails("compare", run, "--out", film)
    assert film.read_bytes() == before
    assert "the frames' shorter side 54 px" in fails("measure", run, "--scale-px", "1000")
    assert "Did you mean 'coco'?" in fails("export", run, "--format", "COCO", "--out", tmp_path)
    labels = run / "masks" / "sam" / "00002.png"
    correct = ["correct", run, "--frame", "2", "--labels", labels, "--out", tmp_path / "mended"]
    assert "nofilm.mp4 is not there" in fails(*correct, "--video", "nofilm.mp4")
    assert "is not the sam that" in fails(*correct, "--sam", "demo")
    assert not (tmp_path / "mended").exists()
    assert "holds a run that is no demo" in fails("demo", "--out", run, "--frames", "2")
    assert "Did you mean 'xmem'?" in fails(
        "demo", "--out", tmp_path / "demo", "--strategies", "xmen"
    )
    assert list(tmp_path.iterdir()) == []


def test_notebooks_about_something_else(fails, home, run, tmp_path):
    out = ["--out", tmp_path / "notebooks"]
    film = home / "clip" / "clip.mp4"
    for options, message in [
        ([*out, "--film", run], "is a run: expected the film"),
        ([*out, "--film", film, "--sam", "vit_hh"], "Did you mean 'vit_h'?"),
        ([*out, "--film", film, "--prompts", "nofile.json"], "could not be read"),
        ([film, *out], "for notebooks about a film, samflow notebook --film"),
    ]:
        assert message in fails("notebook", *options)
    assert not (tmp_path / "notebooks").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C can't be sent to one process there")
def test_ctrl_c_is_one_line_and_leaves_nothing_half_written(tmp_path):
    command = [SAMFLOW, "demo", "--out", tmp_path / "demo", "--frames", "500"]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE)
    begun = process.stderr.read(len("\rdye clip:"))  # the bar is there: it has begun
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate()
    assert process.returncode == 130
    assert "nothing half-written is left" in one_line((begun + rest).decode().replace("\r", "\n"))
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_does_not_fit_on_the_disk_is_one_line(fails, run, tmp_path):
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root on Linux")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine does not allow mounting")
    try:
        labels = run / "masks" / "sam" / "00002.png"
        line = fails("correct", run, "--frame", "2", "--labels", labels, "--out", disk / "mended")
        assert "could not be written: No space left on device. Free some space" in line
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
