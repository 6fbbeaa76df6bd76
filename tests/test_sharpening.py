"""Sharpening on drawn frames whose edges are known to the pixel."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import samflow
from samflow.errors import SamflowError
from samflow.masks import (
    ColorGuide,
    first_field,
    is_woven,
    labels_to_one_hot,
    resize_labels,
    sharpen_labels,
)

SIZE = (120, 160)
CLEAR, BLUE, RED, GREY = (205, 210, 200), (40, 60, 160), (180, 40, 40), (95, 95, 90)
Y, X = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]


def _paint(truth: np.ndarray, colors: dict[int, tuple[int, int, int]], grain: float = 0.0):
    """A frame of flat colours, with grain on it."""
    palette = np.zeros((256, 3))
    for label, color in colors.items():
        palette[label] = color
    image = palette[truth]
    image += grain * np.random.default_rng(0).standard_normal(image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def _waves() -> np.ndarray:
    """Blue above red, clear fluid above both and between them here and there, a wall below."""
    upper = 60 + 12 * np.sin(X / 9)
    lower = 64 + 12 * np.sin(X / 9 + 0.4)
    truth = np.zeros(SIZE, np.uint8)
    truth[(upper - 30 < Y) & (upper > Y)] = 1
    truth[lower < Y] = 2
    truth[Y > 104] = 3
    return truth


def _coarse(truth: np.ndarray, factor: int = 6) -> np.ndarray:
    """The label map as a network on a coarse grid would draw it."""
    return resize_labels(resize_labels(truth, (SIZE[0] // factor, SIZE[1] // factor)), truth.shape)


@pytest.mark.parametrize("grain", [0.0, 6.0])
def test_coarse_edges_become_the_true_ones(grain):
    truth = _waves()
    image = _paint(truth, {0: CLEAR, 1: BLUE, 2: RED, 3: GREY}, grain)
    coarse = _coarse(truth)
    assert (coarse != truth).mean() > 0.04
    assert (sharpen_labels(coarse, image) != truth).mean() < 0.001


def test_threads_and_gaps_that_the_labels_lost_come_back():
    truth = np.where(X < 80, 1, 0).astype(np.uint8)
    truth[30:33, 20:70] = 0  # a gap in the dye
    truth[70:73, 90:150] = 1  # a thread in clear fluid
    given = np.where(X < 80, 1, 0).astype(np.uint8)
    sharp = sharpen_labels(given, _paint(truth, {0: CLEAR, 1: BLUE}, grain=4.0))
    np.testing.assert_array_equal(sharp, truth)


def test_an_edge_between_regions_of_one_colour_stays():
    """The wall has the lower dye's colour: only the edge to clear fluid can move."""
    truth = np.zeros(SIZE, np.uint8)
    truth[40 + 8 * np.sin(X / 10) < Y] = 2
    truth[Y > 90] = 3
    image = _paint(truth, {0: CLEAR, 2: RED, 3: RED}, grain=4.0)
    given = _coarse(truth)
    given[84:] = 3  # the networks put the wall's edge elsewhere: nobody can know better
    sharp = sharpen_labels(given, image)
    np.testing.assert_array_equal(sharp[75:] == 3, given[75:] == 3)
    assert ((sharp == 0) != (truth == 0)).mean() < 0.001


def test_background_regions_keep_dyes_out():
    """Without the wall's own label its pixels would look like dye that was drawn too small."""
    truth = _waves()
    image = _paint(truth, {0: CLEAR, 1: BLUE, 2: RED, 3: (170, 45, 40)}, grain=4.0)
    coarse = _coarse(truth)
    sharp = sharpen_labels(coarse, image)
    assert (sharp[Y > 110] == 3).all()
    assert ((sharp == 2) != (truth == 2)).mean() < 0.6 * ((coarse == 2) != (truth == 2)).mean()


@given(
    arrays(np.uint8, (30, 40), elements=st.integers(0, 4)),
    st.tuples(*[st.integers(0, 255)] * 3),
)
@settings(max_examples=40)
def test_a_frame_of_one_colour_leaves_labels_alone(labels, color):
    image = np.broadcast_to(np.array(color, np.uint8), (30, 40, 3)).copy()
    np.testing.assert_array_equal(sharpen_labels(labels, image), labels)


@given(
    arrays(np.uint8, (24, 31), elements=st.sampled_from([0, 2, 7, 254])),
    arrays(np.uint8, (24, 31, 3)),
)
@settings(max_examples=40)
def test_no_label_appears_and_nothing_given_is_changed(labels, image):
    before = labels.copy(), image.copy()
    sharp = sharpen_labels(labels, image)
    assert sharp.dtype == np.uint8
    assert set(np.unique(sharp)) <= set(np.unique(labels))
    np.testing.assert_array_equal(labels, before[0])
    np.testing.assert_array_equal(image, before[1])


def test_true_shares_fit_themselves():
    truth = _waves()
    shares = labels_to_one_hot(truth, [0, 1, 2, 3]).astype(np.float32)
    fitted = ColorGuide(_paint(truth, {0: CLEAR, 1: BLUE, 2: RED, 3: GREY})).fit(shares)
    assert fitted.dtype == np.float32
    assert np.abs(fitted - shares).mean() < 0.05
    np.testing.assert_array_equal(fitted.argmax(axis=0), truth)


def test_one_guide_serves_several_label_maps():
    truth = _waves()
    image = _paint(truth, {0: CLEAR, 1: BLUE, 2: RED, 3: GREY}, grain=4.0)
    guide = ColorGuide(image)
    for labels in (_coarse(truth), _coarse(truth, 8)):
        np.testing.assert_array_equal(
            sharpen_labels(labels, image, guide), sharpen_labels(labels, image)
        )


def test_the_result_depends_on_the_frame_s_size_as_a_share():
    """Twice as many pixels show the same edges."""
    truth = _waves()
    image = _paint(truth, {0: CLEAR, 1: BLUE, 2: RED, 3: GREY})
    small = sharpen_labels(_coarse(truth), image)
    twice = [np.repeat(np.repeat(a, 2, axis=0), 2, axis=1) for a in (_coarse(truth), image)]
    assert (sharpen_labels(*twice)[::2, ::2] != small).mean() < 0.01


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 2), (700, 3)])
def test_frames_of_any_shape(size):
    labels = np.zeros(size, np.uint8)
    labels[:, : (size[1] + 1) // 2] = 1
    image = np.where(labels[..., None] == 1, 255, 0) * np.ones(3)
    np.testing.assert_array_equal(sharpen_labels(labels, image.astype(np.uint8)), labels)


def test_a_label_map_of_another_size_is_refused():
    with pytest.raises(SamflowError, match=r"\(3, 4\) does not fit a frame of \(5, 4\)"):
        samflow.sharpen_labels(np.zeros((3, 4), np.uint8), np.zeros((5, 4, 3), np.uint8))


def test_of_woven_frames_the_lines_of_one_moment_draw_the_edges():
    """A dye that moved 6 px between the two fields: edges are those of the even lines."""
    image = np.zeros((60, 90, 3), np.uint8)
    y, x = np.mgrid[:60, :90]
    truth = ((x - 45) ** 2 + (y - 30) ** 2 < 400).astype(np.uint8)
    image[...] = np.where(truth[..., None] == 1, (180, 40, 60), (90, 95, 90))
    image = np.clip(image + np.random.default_rng(0).normal(0, 3, image.shape), 0, 255)
    image = cv2.GaussianBlur(image.astype(np.uint8), (0, 0), 0.7)
    woven = image.copy()
    woven[1::2] = np.roll(image, 6, axis=1)[1::2]
    assert is_woven(woven)
    assert not is_woven(image)
    assert not is_woven(woven.transpose(1, 0, 2))  # combs lie along lines
    assert first_field(image) is image
    single = first_field(woven)
    np.testing.assert_array_equal(single[::2], woven[::2])
    assert np.abs(single.astype(int) - image).max() < 60  # a pixel of the outline at most
    sharp = sharpen_labels(truth, woven)
    wrong = sharp != truth
    assert not wrong[cv2.distanceTransform(1 - truth, cv2.DIST_L2, 5) > 1.5].any()
    assert wrong.mean() < 0.01


@pytest.mark.parametrize("size", [(1, 8), (2, 2), (3, 5), (4, 4)])
def test_grain_and_tiny_frames_are_not_taken_for_woven(size):
    noise = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert first_field(noise).shape == noise.shape
    grain = np.random.default_rng(2).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    assert not is_woven(grain)
