import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage.morphology import reconstruction

from samflow.errors import SamflowError
from samflow.masks import (
    fill_holes,
    labels_to_boxes,
    labels_to_one_hot,
    logits_to_labels,
    mask_to_low_res_logits,
    resize_labels,
    without_labels,
)

planes = arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    elements=st.integers(-4, 4).map(float),
)
label_maps = arrays(
    np.uint8, st.tuples(st.integers(1, 15), st.integers(1, 15)), elements=st.integers(0, 4)
)


@given(planes)
def test_filled_mask_equals_binary_fill_holes(plane):
    filled = fill_holes(plane)
    np.testing.assert_array_equal(filled > 0, ndimage.binary_fill_holes(plane > 0))


def _reconstructed(plane, threshold, max_area):
    """Holes filled by scikit-image: reconstruction by erosion, kept where it reaches a hole."""
    cross = ndimage.generate_binary_structure(2, 1)
    inside = ndimage.binary_fill_holes(plane > threshold) & (plane <= threshold)
    numbers, _ = ndimage.label(inside, cross)
    areas = np.bincount(numbers.ravel())
    holes = inside & (areas <= (plane.size if max_area is None else max_area))[numbers]
    if not holes.any():
        return plane
    way_out = (plane <= threshold) & ~holes
    way_out[[0, -1]] = way_out[:, [0, -1]] = True
    seed = np.where(way_out, plane, plane.max())
    level = reconstruction(seed, plane, method="erosion", footprint=cross).astype(plane.dtype)
    basins, _ = ndimage.label(level > plane, cross)
    return np.where(np.isin(basins, basins[holes]) & (basins > 0), level, plane)


@given(planes, st.integers(-2, 2), st.none() | st.integers(1, 20))
@settings(max_examples=300)
def test_filling_is_the_reconstruction_by_erosion_at_the_holes(plane, threshold, max_area):
    filled = fill_holes(plane, threshold, max_area)
    np.testing.assert_array_equal(filled, _reconstructed(plane, threshold, max_area))


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 5.0), st.sampled_from([None, 6, 40]))
@settings(max_examples=40, deadline=None)
def test_filling_smooth_and_rough_logits_is_the_reconstruction(seed, sigma, max_area):
    rough = np.random.default_rng(seed).normal(size=(60, 90))
    plane = ndimage.gaussian_filter(rough, sigma).astype(np.float32)
    plane += np.float32(0.6 * plane.std())
    filled = fill_holes(plane, 0.0, max_area)
    np.testing.assert_array_equal(filled, _reconstructed(plane, 0.0, max_area))
    assert (filled >= plane).all()
    if max_area is None:
        np.testing.assert_array_equal(fill_holes(filled), filled)


@given(planes, st.integers(0, 20))
def test_max_area_fills_exactly_the_small_holes(plane, max_area):
    filled = fill_holes(plane, max_area=max_area) > 0
    cross = ndimage.generate_binary_structure(2, 1)
    holes, count = ndimage.label(ndimage.binary_fill_holes(plane > 0) & ~(plane > 0), cross)
    expected = plane > 0
    for hole in range(1, count + 1):
        if (holes == hole).sum() <= max_area:
            expected = expected | (holes == hole)
    np.testing.assert_array_equal(filled, expected)


@pytest.mark.parametrize("blur", [2.5, 6, 8, 12])
@pytest.mark.parametrize("max_area", [None, 60])
def test_holes_of_a_large_plane_are_filled_as_in_a_small_one(blur, max_area):
    # few holes are filled one by one near where they are, many together
    noise = np.random.default_rng(int(10 * blur)).normal(size=(240, 320))
    plane = ndimage.gaussian_filter(noise, blur)
    plane = (plane / plane.std() + 0.4).astype(np.float32)
    _, holes = ndimage.label(ndimage.binary_fill_holes(plane > 0) & (plane <= 0))
    assert (holes > 40) == (blur == 2.5)
    assert holes > 1
    expected = _reconstructed(plane, 0.0, max_area)
    np.testing.assert_array_equal(fill_holes(plane, 0.0, max_area), expected)


def test_the_way_out_of_a_hole_may_be_far_away():
    plane = np.full((300, 300), -5.0)
    plane[20:280, 20:280] = 9.0
    plane[150, 40:270] = 3.0  # a trench that ends before the border
    plane[150, 150] = -1.0
    expected = plane.copy()
    expected[150, 40:270] = 9.0
    np.testing.assert_array_equal(fill_holes(plane), expected)
    plane[150, 270:] = 2.0  # now it leads out
    expected[150, 40:] = plane[150, 40:]
    expected[150, 150] = 3.0
    np.testing.assert_array_equal(fill_holes(plane), expected)


def test_holes_are_filled_in_place_when_asked():
    logits = np.full((2, 1, 9, 9), -5.0, np.float32)
    logits[0, 0, 2:7, 2:7] = 3.0
    logits[0, 0, 4, 4] = -1.0
    expected = fill_holes(logits)
    assert fill_holes(logits, in_place=True) is logits
    np.testing.assert_array_equal(logits, expected)


def test_a_hole_is_raised_to_its_rim_with_the_dent_around_it():
    row = [-5, 4, 1, -3, 1, 6, -5]
    plane = np.array(
        [[-5] * 7, [-5, 4, 5, 5, 5, 6, -5], row, [-5, 4, 5, 5, 5, 6, -5], [-5] * 7], float
    )
    assert fill_holes(plane)[2].tolist() == [-5, 4, 4, 4, 4, 6, -5]


def test_a_region_inside_a_hole_still_wins_it():
    ring = np.full((9, 9), -5.0)
    ring[1:8, 1:8] = 3.0
    ring[3:6, 3:6] = -5.0
    core = np.full((9, 9), -5.0)
    core[4, 4] = 4.0
    labels = logits_to_labels(fill_holes(np.stack([ring, core])[:, None]))
    assert labels[4, 4] == 2
    assert labels[3, 3] == 1


def test_fill_holes_keeps_shape_dtype_and_input():
    logits = np.random.default_rng(0).normal(size=(3, 1, 20, 30)).astype(np.float32)
    before = logits.copy()
    filled = fill_holes(logits, threshold=0.5)
    assert (filled.shape, filled.dtype) == (logits.shape, np.float32)
    np.testing.assert_array_equal(logits, before)
    for got, plane in zip(filled, logits, strict=True):
        np.testing.assert_array_equal(got[0] > 0.5, ndimage.binary_fill_holes(plane[0] > 0.5))


@given(arrays(np.float32, (3, 1, 4, 5), elements=st.integers(-3, 3).map(float)))
def test_merge_takes_the_highest_logit(logits):
    labels = logits_to_labels(logits)
    for y in range(4):
        for x in range(5):
            column = logits[:, 0, y, x]
            expected = 0 if column.max() <= 0 else 1 + int(np.argmax(column))
            assert labels[y, x] == expected
    assert labels.dtype == np.uint8


def test_merge_with_gaps_in_ids_and_background():
    logits = np.array([[[2.0, 1.0, -1.0]], [[1.0, 3.0, -1.0]]])
    assert logits_to_labels(logits, ids=[4, 7]).tolist() == [[4, 7, 0]]
    assert logits_to_labels(logits, ids=[4, 7], background=[7]).tolist() == [[4, 0, 0]]
    assert logits_to_labels(np.zeros((0, 1, 2, 3))).tolist() == [[0, 0, 0], [0, 0, 0]]
    with pytest.raises(SamflowError, match=r"one id for each of 2 regions, got 1"):
        logits_to_labels(logits, ids=[4])
    with pytest.raises(SamflowError, match=r"1\.\.254"):
        logits_to_labels(logits, ids=[0, 1])


@given(label_maps)
def test_boxes_are_tight_and_half_open(labels):
    for region_id, box in labels_to_boxes(labels, range(1, 5)).items():
        mask = labels == region_id
        if box is None:
            assert not mask.any()
            continue
        x0, y0, x1, y1 = box
        inside = mask[y0:y1, x0:x1]
        assert inside.sum() == mask.sum()
        assert inside[0].any()
        assert inside[-1].any()
        assert inside[:, 0].any()
        assert inside[:, -1].any()


@given(label_maps)
def test_one_hot_round_trip(labels):
    one_hot = labels_to_one_hot(labels, [1, 2, 3, 4])
    assert one_hot.shape == (4, *labels.shape)
    logits = np.where(one_hot, 1.0, -1.0)
    np.testing.assert_array_equal(logits_to_labels(logits), labels)


@given(label_maps, st.sets(st.integers(1, 4)))
def test_without_labels(labels, ids):
    expected = np.where(np.isin(labels, list(ids)), 0, labels)
    np.testing.assert_array_equal(without_labels(labels, ids), expected)


def _upsampled(low_res, size, image_size=1024):
    """SAM's post-processing of low-resolution logits, written with torch."""
    scale = image_size / max(size)
    inner = [int(length * scale + 0.5) for length in size]
    full = F.interpolate(torch.as_tensor(low_res)[None], (image_size, image_size), mode="bilinear")
    return F.interpolate(full[..., : inner[0], : inner[1]], size, mode="bilinear")[0, 0].numpy()


@pytest.mark.parametrize("size", [(270, 480), (480, 270), (1080, 1920), (40, 40)])
def test_mask_prompt_is_the_inverse_of_the_post_processing(size):
    y, x = np.mgrid[: size[0], : size[1]]
    radius = 0.3 * min(size)
    mask = np.hypot(y - 0.45 * size[0], x - 0.55 * size[1]) < radius
    for coverage, least in ((0.0, 0.9), (0.5, 0.97)):
        low_res = mask_to_low_res_logits(mask, coverage=coverage)
        assert low_res.shape == (1, 256, 256)
        assert low_res.dtype == np.float32
        assert set(np.unique(low_res)) == {-18.0, 18.0}
        back = _upsampled(low_res, size) > 0
        assert (back & mask).sum() / (back | mask).sum() > least


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.9))
def test_cells_are_foreground_by_their_exact_share(seed, coverage):
    # 4 px a cell and no scaling, so that shares can be counted
    mask = np.random.default_rng(seed).random((24, 32)) < 0.3
    low_res = mask_to_low_res_logits(mask, image_size=32, mask_size=8, value=5, coverage=coverage)
    padded = np.zeros((32, 32))
    padded[:24] = mask
    share = padded.reshape(8, 4, 8, 4).mean(axis=(1, 3))
    np.testing.assert_array_equal(low_res[0], np.where(share > coverage, 5.0, -5.0))


def test_mask_prompt_refuses_what_it_cannot_use():
    with pytest.raises(SamflowError, match=r"\(H, W\), got shape \(1, 4, 4\)"):
        mask_to_low_res_logits(np.ones((1, 4, 4)))
    with pytest.raises(SamflowError, match="coverage is a share"):
        mask_to_low_res_logits(np.ones((4, 4)), coverage=1.0)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_resized_labels_are_those_at_the_same_place(height, width, seed):
    """Pixel centres, exactly: NumPy with fractions of integers is the oracle."""
    labels = np.random.default_rng(seed).integers(0, 255, (13, 29), np.uint8)
    rows = (2 * np.arange(height) + 1) * 13 // (2 * height)
    columns = (2 * np.arange(width) + 1) * 29 // (2 * width)
    got = resize_labels(labels, (height, width))
    np.testing.assert_array_equal(got, labels[rows][:, columns])


def test_resized_masks_do_not_wander():
    labels = np.zeros((90, 90), np.uint8)
    labels[30:60, 30:60] = 1
    np.testing.assert_array_equal(resize_labels(labels, (30, 30)), labels[1::3, 1::3])
    y, x = np.nonzero(resize_labels(labels, (22, 22)))
    assert (y.mean(), x.mean()) == (10.5, 10.5)
