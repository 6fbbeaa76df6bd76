"""Figures of pictures: that each shows what it was given, where it was given."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from PIL import Image

from samflow.errors import SamflowError
from samflow.prompts import FrameReference, Prompts, Region
from samflow.results.plots.image_plots import (
    draw_prompts,
    logit_grid,
    mistake_grid,
    picture_grid,
    show_picture,
)


def test_pictures_keep_their_titles_pixels_and_order():
    rng = np.random.default_rng(0)
    pictures = {name: rng.integers(0, 256, (9, 16, 3), np.uint8) for name in "abc"}
    figure = picture_grid(pictures, columns=2)
    shown = {axes.get_title(): axes.images[0].get_array() for axes in figure.axes if axes.images}
    assert list(shown) == list("abc")
    for name, picture in pictures.items():
        np.testing.assert_array_equal(shown[name], picture)
    assert not any(axes.axison for axes in figure.axes)


def test_a_figure_is_high_enough_for_its_tallest_picture():
    flat = picture_grid({"a": np.zeros((5, 20)), "b": np.zeros((5, 20))}).get_figheight()
    mixed = picture_grid({"a": np.zeros((5, 20)), "b": np.zeros((20, 20))}).get_figheight()
    # half of 9 inches wide: 3/4 of that higher
    assert mixed - flat == pytest.approx(4.5 * 0.75)
    with pytest.raises(SamflowError, match="nothing to draw"):
        picture_grid({})


def test_logits_share_a_scale_around_the_threshold():
    planes = {"a": np.linspace(-4, 6, 60).reshape(6, 10), "b": np.full((6, 10), -1.0)}
    figure = logit_grid(planes, threshold=1.0)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.images[0].get_clim() for axes in panels] == [(-4.0, 6.0)] * 2
    # only the first plane crosses the threshold
    assert [len(axes.collections) for axes in panels] == [1, 0]
    border = panels[0].collections[0].get_paths()[0].vertices
    # the plane is linear in x and y, and so is its interpolation
    np.testing.assert_allclose(-4 + 10 * (border[:, 0] + 10 * border[:, 1]) / 59, 1.0)


def test_each_kind_of_mistake_has_its_colour():
    truth = np.array([[1, 1, 0, 2, 0]], np.uint8)
    labels = np.array([[1, 0, 1, 1, 0]], np.uint8)
    image = np.full((1, 5, 3), 100, np.uint8)
    figure = mistake_grid({"frame": (image, labels, truth)})
    pixels = [tuple(map(int, pixel)) for pixel in figure.axes[0].images[0].get_array()[0]]
    kinds = [text.get_text() for text in figure.legends[0].get_texts()]
    colors = [
        tuple(round(255 * c) for c in to_rgba(patch.get_facecolor())[:3])
        for patch in figure.legends[0].get_patches()
    ]
    meaning = dict(zip(colors, kinds, strict=True))
    assert pixels[0] == pixels[4], "right pixels stay grey"
    assert len(set(pixels[0])) == 1
    assert [meaning[p] for p in pixels[1:4]] == ["missed", "too much", "wrong region"]
    with pytest.raises(SamflowError, match="one size"):
        mistake_grid({"frame": (image, labels, truth[:, :3])})


def test_prompts_are_drawn_around_the_pixels_that_they_hold():
    regions = [
        Region(id=1, name="dye", box=(2, 1, 6, 4), points=[(3, 2), (9, 8)], point_labels=[1, 0]),
        Region(id=2, name="no box"),
    ]
    prompts = Prompts(
        regions=regions, frame=FrameReference(width=20, height=10), background_points=[(15, 5)]
    )
    figure = picture_grid({"frame": np.zeros((10, 20, 3), np.uint8)}, columns=1)
    axes = figure.axes[0]
    draw_prompts(axes, prompts)
    (box,) = axes.patches
    assert box.get_bbox().extents.tolist() == [1.5, 0.5, 5.5, 3.5]
    assert box.get_edgecolor() == to_rgba("#0000ff")
    places = [tuple(points.get_offsets()[0]) for points in axes.collections]
    assert places == [(3, 2), (9, 8), (15, 5)]
    assert [text.get_text() for text in axes.texts] == ["dye"]
    bare = picture_grid({"frame": np.zeros((10, 20, 3), np.uint8)}, columns=1).axes[0]
    draw_prompts(bare, prompts, points=False)
    assert len(bare.patches) == 1
    assert not bare.collections


def test_a_picture_is_shown_as_jpeg():
    image = np.full((24, 32, 3), (10, 200, 60), np.uint8)
    shown = show_picture(image)
    back = np.asarray(Image.open(io.BytesIO(shown.data)))
    assert shown.data[:2] == b"\xff\xd8"
    np.testing.assert_allclose(back.astype(int), image, atol=4)
