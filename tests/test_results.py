"""The commands on finished runs: what can't be used ends in one clear line and changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from runs import change_record, write_run
from samflow.cli import main
from samflow.maskio import write_label_map
from samflow.results.side_by_side import compare
from samflow.video import Video

SAMFLOW = Path(sys.executable).with_name("samflow")
SIZE, FRAMES = (40, 64), 4
TIMES = np.arange(FRAMES) / 25


def maps(frames=FRAMES, size=SIZE, offset=0):
    labels = np.zeros((frames, *size), np.uint8)
    labels[:, 6:14, : 20 + offset] = 1
    labels[:, 24:34] = 2
    return labels


def write_maps(folder, labels, first=0):
    for index, one in enumerate(labels, start=first):
        write_label_map(folder / f"{index:05d}.png", one)
    return folder


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path, {"xmem": maps(), "sam": maps(offset=4)}, TIMES)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def fails(monkeypatch, capfd, run, tmp_path):
    """Call a command in this process: it must say one line, exit with 1, and write nothing."""

    def call(*arguments):
        before = files(tmp_path)
        monkeypatch.setattr(sys, "argv", ["samflow", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 1
        assert files(tmp_path) == before
        stderr = capfd.readouterr().err
        lines = [line for line in stderr.splitlines() if line.startswith("samflow:")]
        assert len(lines) == 1
        assert stderr.rstrip().endswith(lines[0])
        assert "Traceback" not in stderr
        return lines[0]

    return call


@pytest.mark.parametrize("scale", ["0", "-0.5", "nan", "inf"])
def test_measure_refuses_a_scale_that_is_none(fails, run, scale):
    line = fails("measure", run.folder, "--mm-per-px", scale)
    assert f"the scale is {float(scale)} mm per pixel, expected a number above 0" in line


def test_installed_commands_refuse_in_one_line(run, tmp_path):
    other = write_maps(tmp_path / "other", maps(3))
    commands = {
        "the scale is nan mm per pixel": ["measure", run.folder, "--mm-per-px", "nan"],
        "track 'truth' has 3 frames, track 'predicted' has 4": [
            "score",
            run.folder,
            "--truth",
            other,
        ],
        "format 'gif' is unknown": ["export", run.folder, "--format", "gif", "--out", "x"],
    }
    before = files(tmp_path)
    for message, arguments in commands.items():
        done = subprocess.run(
            [SAMFLOW, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 1, done.stderr
        assert done.stderr.splitlines()[-1].startswith("samflow: ")
        assert message in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
    assert files(tmp_path) == before


def _one_frame(run):
    for path in run.folder.glob("masks/*/0000[1-9].png"):
        path.unlink()
    video = run.record.video.model_copy(update={"frames": 1})
    change_record(run, video=video, frames_done=1)


def _no_masks(run):
    for path in run.mask_folder("sam").iterdir():
        path.unlink()


def _no_folder(run):
    _no_masks(run)
    run.mask_folder("sam").rmdir()


def _shorter(run):
    (run.mask_folder("sam") / "00003.png").unlink()


def _another_size(run):
    write_maps(run.mask_folder("sam"), maps(size=(40, 60)))


def _one_frame_of_another_size(run):
    write_label_map(run.mask_folder("sam") / "00002.png", np.zeros((40, 60), np.uint8))


def _more_frames_than_times(run):
    """The record and the masks have frames that the film has no timestamps for."""
    for name in run.strategies:
        write_maps(run.mask_folder(name), maps(2), first=FRAMES)
    video = run.record.video.model_copy(update={"frames": FRAMES + 2})
    change_record(run, video=video, frames_done=FRAMES + 2)


def _no_film(run):
    Path(run.record.video.path).unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_one_frame, "the track has one frame, expected at least two"),
        (_no_masks, "holds no PNG: expected label maps like 00000.png"),
        (_no_folder, "is not a folder: expected a folder of label PNGs"),
        (_shorter, "holds 3 label maps, expected those of frames 0 to 3"),
        (_another_size, "holds label maps of 60x40 px, the run's frames have 64x40 px"),
        (_one_frame_of_another_size, "00002.png is 60x40 pixels, expected 64x40"),
        (_more_frames_than_times, "4 timestamps came with 6 frames, expected one for each frame"),
        (_no_film, "is not there: say where it is with --video"),
    ],
)
def test_measure_refuses(fails, run, spoil, message):
    spoil(run)
    assert message in fails("measure", run.folder)


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (maps(3), "track 'truth' has 3 frames, track 'predicted' has 4"),
        (maps(1), "track 'truth' has 1 frames, track 'predicted' has 4"),
        (maps(size=(40, 60)), "track 'truth' is 40 x 60 px (height x width), expected 40 x 64"),
    ],
)
def test_score_refuses_a_truth_that_does_not_fit(fails, run, tmp_path, truth, message):
    line = fails("score", run.folder, "--truth", write_maps(tmp_path / "truth", truth))
    assert message in line


def test_score_refuses_other_frames_and_folders_without_masks(fails, run, tmp_path):
    later = write_maps(tmp_path / "later", maps(), first=5)
    assert "frame" in fails("score", run.folder, "--truth", later)
    (tmp_path / "empty").mkdir()
    assert "holds no PNG" in fails("score", run.folder, "--truth", tmp_path / "empty")
    assert "is not a folder" in fails("score", run.folder, "--truth", tmp_path / "absent")
    film = run.record.video.path
    assert "is not a folder" in fails("score", run.folder, "--truth", film)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_no_masks, "holds no PNG"),
        (_shorter, "holds 3 label maps, expected those of frames 0 to 3"),
        (_one_frame_of_another_size, "00002.png is 60x40 pixels, expected 64x40"),
    ],
)
def test_score_and_export_refuse_masks_that_are_not_whole(fails, run, tmp_path, spoil, message):
    truth = write_maps(tmp_path / "truth", maps())
    spoil(run)
    assert message in fails("score", run.folder, "--truth", truth)
    for name in ("coco", "coco-video", "cvat", "davis", "tiff", "npz"):
        assert message in fails("export", run.folder, "--format", name, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_frame_can_be_scored_and_exported(run, tmp_path, monkeypatch, capfd):
    _one_frame(run)
    truth = write_maps(tmp_path / "truth", maps(1))
    for words in (
        ["score", run.folder, "--truth", truth],
        ["export", run.folder, "--format", "cvat", "--out", tmp_path / "out"],
    ):
        monkeypatch.setattr(sys, "argv", ["samflow", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 0, capfd.readouterr().err
    assert (run.folder / "scores.csv").is_file()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["sam.xml", "xmem.xml"]


def test_some_strategies_of_a_run_are_compared_without_torch(run, fails, tmp_path):
    arguments = ["compare", str(run.folder), "--out", "sam.mp4", "--strategies", "sam"]
    code = (
        "import sys\nfrom samflow.cli import main\n"
        f"sys.argv = {['samflow', *arguments]}\n"
        "try:\n    main()\nexcept SystemExit as end:\n    print(end.code, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "0 False", done.stderr
    whole = tmp_path / "all.mp4"
    compare([run], whole)
    one, both = Video(tmp_path / "sam.mp4"), Video(whole)
    assert len(one) == len(both) == FRAMES
    assert one.size[0] * one.size[1] < both.size[0] * both.size[1]
    assert "'flow' is in none of the runs" in fails("compare", run.folder, "--strategies", "flow")
