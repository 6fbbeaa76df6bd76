"""Figures: that they hold what was measured, are whole files, and leave pyplot alone."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from samflow.errors import SamflowError
from samflow.results.measures import measure_track, spread
from samflow.results.plots import (
    plot_box_counts,
    plot_drift,
    plot_measures,
    plot_profiles,
    plot_scores,
    plot_spread,
    save_figure,
)


def scores(level, regions=(1, 2), frames=8):
    return pd.DataFrame(
        [
            {"frame": frame, "region": region, "J": level, "F": level / 2}
            for frame in range(frames)
            for region in regions
        ]
    )


def rows_of_color(path, color):
    """Picture rows, as shares of the height, with a long run of a colour."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    near = np.abs(pixels - np.round(np.array(to_rgb(color)) * 255)).sum(axis=2) < 12
    return np.flatnonzero(near.sum(axis=1) > 0.3 * pixels.shape[1]) / pixels.shape[0]


def test_scores_are_drawn_at_their_height_in_colors_that_stay_apart(tmp_path):
    path = tmp_path / "plots" / "scores.png"
    save_figure(
        plot_scores({"xmem": scores(1.0), "sam": scores(0.0)}, names={1: "upper", 2: "lower"}), path
    )
    assert Image.open(path).size == (2160, 1620)
    assert [p.name for p in path.parent.iterdir()] == ["scores.png"]
    blue, orange = rows_of_color(path, "#0072b2"), rows_of_color(path, "#d55e00")
    # 1 and 0 lie far apart in the large panel, and again in the small ones
    assert orange.min() - blue.min() > 0.3
    assert blue.max() < orange.max()


def test_equal_scores_give_equal_files(tmp_path):
    for name in ("a.png", "b.png"):
        save_figure(plot_scores({"xmem": scores(0.7)}, score="F"), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_many_strategies_and_regions_fit(tmp_path):
    tables = {f"strategy {i}": scores(i / 10, regions=range(1, 5)) for i in range(10)}
    save_figure(plot_scores(tables), tmp_path / "many.png")
    assert Image.open(tmp_path / "many.png").size == (2160, 1620)


def test_nothing_to_draw_is_refused():
    with pytest.raises(SamflowError, match="nothing to plot"):
        plot_scores({})
    with pytest.raises(SamflowError, match=r"'xmem' has 16 rows and lacks the columns \['G'\]"):
        plot_scores({"xmem": scores(1.0)}, score="G")


def growing_bands(rate):
    """A band of dye at the bottom whose height grows by `rate` px each frame."""
    maps = np.zeros((6, 60, 90), np.uint8)
    for i in range(6):
        maps[i, 40 - rate * i :] = 1
        maps[i, 5:10, 20:40] = 2
    return measure_track(maps, [1, 2], np.arange(6) / 25, mm_per_px=0.5)


def labels_of(figure):
    return [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]


def test_measures_are_drawn_in_their_units(tmp_path):
    measures = {"xmem": growing_bands(1), "sam": growing_bands(3)}
    tables = {name: measure.frames for name, measure in measures.items()}
    chosen = ("area", "interface_density", "holes", "area_rate")
    assert labels_of(plot_measures(tables, quantities=chosen)) == [
        "area $A$ (mm²)",
        "interface\ndensity (1/mm)",
        "holes",
        "dA/dt (mm²/s)",
    ]
    # also from a table that went through a file and lost what pandas keeps beside it
    tables["sam"].to_csv(tmp_path / "measures.csv", index=False)
    read = pd.read_csv(tmp_path / "measures.csv")
    assert labels_of(plot_measures({"sam": read}, quantities=("front_speed",))) == [
        "front speed\n(mm/s)"
    ]


def test_a_large_region_does_not_flatten_a_small_one():
    """Each curve fills its own panel, whatever the other region's values are."""
    table = pd.DataFrame(
        {
            "time_s": [0.0, 1.0, 0.0, 1.0],
            "region": [1, 1, 2, 2],
            "area_mm2": [1000.0, 2000.0, 1.0, 3.0],
        }
    )
    figure = plot_measures({"sam": table}, quantities=("area",))
    (low, high), (small_low, small_high) = (axes.get_ylim() for axes in figure.axes)
    assert low < 1000 < 2000 < high < 2200
    assert 0 < small_low < 1 < 3 < small_high < 4


def test_figures_fit_a_column_of_a_page_and_nothing_is_cut_off(tmp_path):
    measures = {"xmem": growing_bands(1), "sam": growing_bands(3)}
    tables = {name: measure.frames for name, measure in measures.items()}
    names = {1: "upper dye", 2: "lower dye"}
    figures = [
        plot_measures(tables, names=names),
        plot_spread(spread(tables), names=names),
        plot_profiles({n: m.profiles for n, m in measures.items()}, names=names),
        plot_box_counts({n: m.box_counts for n, m in measures.items()}),
    ]
    path = tmp_path / "a.png"
    for figure in figures:
        save_figure(figure, path)
        with Image.open(path) as picture:
            assert picture.width == 1050  # 3.5 inches at 300 dpi
            assert round(picture.info["dpi"][0]) == 300
            pixels = np.asarray(picture.convert("L"))
        edges = (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:])
        assert all((edge > 200).all() for edge in edges), path


def test_figures_for_papers_are_vector_files(tmp_path):
    table = {"sam": growing_bands(1).profiles}
    names = {1: "price $5", 2: "a < b & c"}
    for suffix in (".pdf", ".svg"):
        files = [tmp_path / f"{name}{suffix}" for name in "ab"]
        for path in files:
            save_figure(plot_profiles(table, names=names), path)
        assert files[0].read_bytes()[:5] == {".pdf": b"%PDF-", ".svg": b"<?xml"}[suffix]
        assert files[0].read_bytes() == files[1].read_bytes()
    with pytest.raises(SamflowError, match=r"ends with '\.bmp', expected \.png, \.pdf, \.svg"):
        save_figure(plot_profiles(table), tmp_path / "a.bmp")


def test_other_figures_of_measures_are_written(tmp_path):
    measures = {"xmem": growing_bands(1), "sam": growing_bands(3)}
    tables = {name: measure.frames for name, measure in measures.items()}
    figures = [
        plot_spread(spread(tables), truth=tables["sam"]),
        plot_profiles({n: m.profiles for n, m in measures.items()}),
        plot_box_counts({n: m.box_counts for n, m in measures.items()}),
    ]
    path = tmp_path / "plots" / "a.png"
    for figure in figures:
        save_figure(figure, path)
        pixels = np.asarray(Image.open(path).convert("RGB"))
        near_blue = np.abs(pixels.astype(int) - [0, 114, 178]).sum(axis=2) < 12
        assert near_blue.sum() > 100, path


def test_drift_is_drawn_at_its_height_with_its_start(tmp_path):
    rows = [
        {"frame": frame, "strategy": name, "region": 1, "drift": level}
        for name, level in (("xmem", 0.1), ("sam", 0.9))
        for frame in range(10)
    ]
    starts = pd.DataFrame(
        {"strategy": ["xmem", "sam"], "region": 1, "start": pd.array([None, 4], dtype="Int64")}
    )
    drawn = plot_drift(pd.DataFrame(rows), starts=starts, threshold=0.35)
    save_figure(drawn, tmp_path / "drift.png")
    blue = rows_of_color(tmp_path / "drift.png", "#0072b2")
    orange = rows_of_color(tmp_path / "drift.png", "#d55e00")
    assert blue.mean() - orange.mean() > 0.4
    plain = tmp_path / "plain.png"
    save_figure(plot_drift(pd.DataFrame(rows)), plain)
    counts = [
        np.sum(np.abs(np.asarray(Image.open(p).convert("RGB"), int) - [213, 94, 0]).sum(2) < 12)
        for p in (tmp_path / "drift.png", plain)
    ]
    assert counts[0] > counts[1] + 50  # the dot where drift starts


def test_an_unknown_quantity_is_refused():
    with pytest.raises(SamflowError, match="no quantity 'areas' in the table"):
        plot_measures({"a": growing_bands(1).frames}, quantities=("areas",))


def test_pyplot_is_never_imported():
    code = "import sys, samflow.results.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_name_keeps_its_colour_whatever_else_is_drawn():
    def color(figure, name):
        return next(
            line.get_color() for line in figure.axes[0].lines if line.get_label().startswith(name)
        )

    both = plot_scores({"xmem": scores(1.0), "sam": scores(0.5)})
    alone = plot_scores({"sam": scores(0.5)}, order=("xmem", "sam"))
    assert color(both, "sam") == color(alone, "sam") != color(both, "xmem")
