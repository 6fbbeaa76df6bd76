"""Quantities of a run: right numbers at the film's own times, whole files, clear refusals."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from runs import change_record, write_run
from samflow.cli import main
from samflow.errors import SamflowError
from samflow.results.measures import spread
from samflow.results.run_measures import measure
from samflow.runs import Run
from samflow.video import Video

# frames do not come at a steady rate, and the run starts at the third
TIMES = [0.0, 0.04, 0.12, 0.16, 0.2, 0.32, 0.4, 0.44]
FIRST = 2
SPEED = 100.0  # px/s
PLOTS = {"measures.png", "spread.png", "profiles.png", "lengths.png", "box_counts.png", "drift.png"}


def moving(offset, height):
    """Upper dye whose front moves at a constant speed, over a lower dye that stays."""
    maps = []
    for time in TIMES[FIRST:]:
        labels = np.zeros((48, 80), np.uint8)
        labels[10 : 10 + height, : round(SPEED * time) + offset] = 1
        labels[30:40] = 2
        maps.append(labels)
    return maps


MASKS = {"xmem": moving(10, 10), "sam": moving(14, 12), "refined": moving(12, 11)}


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path, MASKS, TIMES, FIRST)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A run and its tables, measured once because the figures take seconds; lengths in mm."""
    run = write_run(tmp_path_factory.mktemp("measured"), MASKS, TIMES, FIRST)
    scaled = run.record.prompts.model_copy(update={"mm_per_px": 0.5, "ruler": ((0, 0), (4, 3))})
    run = change_record(run, prompts=scaled)
    return run, measure(run)


def test_areas_fronts_and_rates_at_the_films_times(measured):
    run, measures = measured
    table = pd.read_csv(run.folder / "measures.csv")
    assert list(table.columns[:4]) == ["strategy", "frame", "time_s", "region"]
    assert len(table) == 3 * 6 * 2
    assert list(dict.fromkeys(table["strategy"])) == ["xmem", "sam", "refined"]
    upper = table[(table["strategy"] == "sam") & (table["region"] == 1)]
    assert upper["frame"].tolist() == list(range(6))
    np.testing.assert_allclose(upper["time_s"], np.array(TIMES[FIRST:]) - TIMES[FIRST], atol=1e-3)
    front = SPEED * np.array(TIMES[FIRST:]) + 14
    np.testing.assert_allclose(upper["front_mm"], 0.5 * front, atol=0.01)
    np.testing.assert_allclose(upper["front_speed_mm_per_s"], 0.5 * SPEED, rtol=0.01)
    np.testing.assert_allclose(upper["area_mm2"], 0.25 * 12 * front, atol=0.01)
    np.testing.assert_allclose(upper["area_rate_mm2_per_s"], 0.25 * 12 * SPEED, rtol=0.01)
    lower = table[(table["strategy"] == "sam") & (table["region"] == 2)]
    np.testing.assert_allclose(lower["area_fraction"], 10 / 48)
    np.testing.assert_allclose(lower["area_rate_mm2_per_s"], 0, atol=1e-6)
    for name, tables in measures.items():
        rows = table[table["strategy"] == name].drop(columns="strategy").reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, tables.frames, check_dtype=False, rtol=1e-7)


def test_the_band_spans_the_strategies(measured):
    band = spread({name: tables.frames for name, tables in measured[1].items()})
    area = band[(band["quantity"] == "area_mm2") & (band["region"] == 1)]
    front = SPEED * np.array(TIMES[FIRST:])
    np.testing.assert_allclose(area["low"], 0.25 * 10 * (front + 10))
    np.testing.assert_allclose(area["median"], 0.25 * 11 * (front + 12))
    np.testing.assert_allclose(area["high"], 0.25 * 12 * (front + 14))


def test_plots_are_written_with_every_strategy(measured):
    plots = measured[0].folder / "plots"
    assert {path.name for path in plots.iterdir()} == PLOTS
    for path in plots.iterdir():
        pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
        colors = [(0, 114, 178)]
        if path.name == "measures.png":
            colors += [(213, 94, 0), (0, 158, 115)]
        for color in colors:
            assert (np.abs(pixels - color).sum(axis=2) < 12).sum() > 100, (path, color)


def test_the_command_gives_the_same_bytes_again(measured, monkeypatch, capsys):
    folder = measured[0].folder
    files = [folder / name for name in ("measures.csv", "drift.csv", "report.html")]
    files += sorted((folder / "plots").iterdir())
    before = [path.read_bytes() for path in files]
    arguments = ["samflow", "measure", str(folder), "--mm-per-px", "0.5"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert [path.read_bytes() for path in files] == before
    printed = capsys.readouterr().out
    assert "refined" in printed
    assert "lower dye" in printed
    assert "length, mm" in printed
    assert "Interfaces are measured at a scale of" in printed
    for name in ("measures.csv", "drift.csv", "report.html"):
        assert str(folder / name) in printed

    monkeypatch.setattr(sys, "argv", [*arguments[:-1], "0"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("samflow: the scale is 0.0 mm per pixel")
    assert [path.read_bytes() for path in files] == before


def test_one_strategy_has_no_band_and_the_video_may_have_moved(run, tmp_path):
    (run.folder / "plots").mkdir()
    (run.folder / "plots" / "spread.png").write_text("of an earlier measurement")
    (tmp_path / "clip.mp4").rename(tmp_path / "moved.mp4")
    alone = change_record(run, strategies=["sam"])
    with pytest.raises(SamflowError, match=r"is not there: say where it is with --video"):
        measure(alone)
    measure(alone, video_path=tmp_path / "moved.mp4")
    assert {path.name for path in (run.folder / "plots").iterdir()} == PLOTS - {"spread.png"}
    assert set(pd.read_csv(run.folder / "measures.csv")["strategy"]) == {"sam"}


def test_a_dye_that_is_never_seen_is_measured_as_none(tmp_path):
    empty = [np.zeros((48, 80), np.uint8)] * 3
    run = write_run(tmp_path, {"xmem": empty, "sam": empty}, [0.0, 0.04, 0.08])
    measure(run)
    table = pd.read_csv(run.folder / "measures.csv")  # no ruler was drawn: pixels
    assert (table["area_px2"] == 0).all()
    assert table["front_px"].isna().all()
    assert {path.name for path in (run.folder / "plots").iterdir()} == PLOTS


def _unfinished(run):
    return change_record(run, frames_done=4)


def _without_a_mask(run):
    (run.mask_folder("sam") / "00003.png").unlink()
    return run


def _all_background(run):
    regions = [r.model_copy(update={"background": True}) for r in run.record.prompts.regions]
    prompts = run.record.prompts.model_copy(update={"regions": regions})
    return change_record(run, prompts=prompts)


def _other_video(run):
    video = run.record.video.model_copy(update={"sha256": "0" * 64})
    return change_record(run, video=video)


def _damaged_mask(run):
    path = run.mask_folder("sam") / "00003.png"
    path.write_bytes(path.read_bytes()[:90])
    return run


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_unfinished, "has 4 of 6 frames: finish it with samflow run --resume"),
        (_without_a_mask, "holds 5 label maps, expected those of frames 0 to 5"),
        (_all_background, "nothing to measure"),
        (_other_video, "is not the video of the run"),
        (_damaged_mask, "00003.png is a damaged PNG"),
    ],
)
def test_runs_that_cannot_be_measured(run, spoil, message):
    with pytest.raises(SamflowError, match=message):
        measure(spoil(run))
    assert {path.name for path in run.folder.iterdir()} == {"run.json", "masks"}


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_none(run, scale):
    with pytest.raises(SamflowError, match="mm per pixel, expected a number above 0"):
        measure(run, scale)
    assert not (run.folder / "measures.csv").exists()


def test_one_frame_is_no_clip(tmp_path):
    run = write_run(tmp_path, {"sam": moving(10, 10)[:1]}, [0.0])
    with pytest.raises(SamflowError, match="one frame, expected at least two"):
        measure(run)


def test_the_clip_of_a_run_is_the_part_that_it_looked_at(run):
    clip = Run(run.folder).clip()
    assert (len(clip), clip.first) == (6, FIRST)
    np.testing.assert_array_equal(clip[0], Video(run.record.video.path)[FIRST])
    assert json.loads((run.folder / "run.json").read_text())["video"]["first"] == FIRST
