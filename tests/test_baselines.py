"""The baselines against plain definitions, scikit-learn, and motions that are known."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from samflow.results.metrics import region_similarity
from samflow.strategies import BASELINE_NAMES, Frame, build_strategies, models_needed
from samflow.strategies.by_color import (
    apply_mixture,
    apply_nearest,
    apply_thresholds,
    learn_kmeans,
    learn_means,
    learn_mixture,
    learn_thresholds,
)
from samflow.strategies.with_grabcut import settle_claims

SIZE = (72, 112)
PAPER, BLUE, RED = (205, 208, 200), (40, 60, 160), (180, 40, 40)


def drawn(left: int = 30, noise: float = 6.0, seed: int = 0):
    """A noisy picture of a blue block above a red one, with its label map."""
    labels = np.zeros(SIZE, np.uint8)
    labels[12:34, left : left + 50] = 1
    labels[34:60, left + 8 : left + 60] = 2
    picture = np.array([PAPER, BLUE, RED], float)[labels]
    picture += np.random.default_rng(seed).normal(0, noise, picture.shape)
    return picture.clip(0, 255).astype(np.uint8), labels


def baseline(name):
    return build_strategies([name], None)[name]


def j(labels, truth):
    return [region_similarity(labels == i, truth == i) for i in (1, 2)]


@pytest.fixture(scope="module")
def cloud():
    """Colours of three labels, two of them near each other, in CIELAB."""
    rng = np.random.default_rng(3)
    centres = np.array([[80, 0, 0], [40, 20, -45], [45, 55, 35]], np.float32)
    labels = rng.integers(0, 3, 3000).astype(np.uint8)
    colors = centres[labels] + rng.normal(0, 6, (3000, 3)).astype(np.float32)
    return colors, labels * np.uint8(2)  # 0, 2, 4: labels need not be consecutive


@pytest.mark.parametrize("name", BASELINE_NAMES)
def test_a_clear_picture_is_segmented_on_a_later_frame(name):
    strategy = baseline(name)
    image, labels = drawn()
    first = strategy.start(Frame(image, 0), labels)
    later, truth = drawn(left=33, seed=1)
    got = strategy.step(Frame(later, 1))
    assert first.dtype == got.dtype == np.uint8
    assert min(j(first, labels)) > 0.97
    assert min(j(got, truth)) > 0.9
    assert set(np.unique(got)) <= {0, 1, 2}


@pytest.mark.parametrize("name", BASELINE_NAMES)
def test_labels_that_are_not_there_do_not_appear(name):
    image, labels = drawn()
    only = np.where(labels == 2, 0, labels).astype(np.uint8)
    for given in (np.zeros(SIZE, np.uint8), only, np.ones(SIZE, np.uint8)):
        strategy = baseline(name)
        strategy.start(Frame(image, 0), given)
        got = strategy.step(Frame(drawn(left=32, seed=1)[0], 1))
        assert set(np.unique(got)) <= set(np.unique(given)) | {0}
        if not given.any():
            assert not got.any()


@pytest.mark.parametrize("name", ["grabcut", "flow"])
def test_a_region_that_left_the_picture_stays_away(name):
    strategy = baseline(name)
    image, labels = drawn()
    strategy.start(Frame(image, 0), labels)
    state = strategy.state_dict()
    gone = labels.copy()
    gone[gone == 2] = 0
    import torch

    state["labels" if name == "grabcut" else "first"] = torch.from_numpy(gone)
    strategy.load_state_dict(state)
    assert 2 not in strategy.step(Frame(image, 1))


def test_nearest_colour_by_hand(cloud):
    colors, labels = cloud
    learnt = learn_means(colors, labels)
    means = np.stack([colors[labels == i].mean(0) for i in (0, 2, 4)])
    distance = np.linalg.norm(colors[:, None].astype(float) - means[None], axis=2)
    expected = np.array([0, 2, 4])[distance.argmin(1)]
    got = apply_nearest(colors, learnt)
    assert (got == expected).mean() > 0.999  # ties within float32
    assert (got == labels).mean() > 0.98


def test_thresholds_lie_at_the_rarest_value(cloud):
    colors, labels = cloud
    learnt = learn_thresholds(colors, labels)
    assert learnt["labels"].tolist() == [2, 4]
    for i, label in enumerate((2, 4)):
        inside = labels == label
        margin = colors @ learnt["weights"][i] + learnt["offsets"][i]
        assert margin[inside].mean() == pytest.approx(1, abs=1e-3)
        # few pixels lie near the threshold, and it tells the label from the rest
        assert (np.abs(margin) < 0.1).mean() < 0.02
        assert ((margin > 0) == inside).mean() > 0.98
    got = apply_thresholds(colors, learnt)
    assert (got == labels).mean() > 0.97


def test_clusters_are_those_of_scikit_learn(cloud):
    colors, labels = cloud
    learnt = learn_kmeans(colors, labels)
    reference = KMeans(8, n_init=3, random_state=0).fit(colors)
    order = np.arange(8, dtype=np.uint8)
    np.testing.assert_array_equal(
        apply_nearest(colors, learnt | {"labels": order}), reference.predict(colors)
    )
    mixture = learn_mixture(colors, labels)
    gaussians = GaussianMixture(8, reg_covar=1.0, random_state=0).fit(colors)
    same = apply_mixture(colors, mixture | {"labels": order}) == gaussians.predict(colors)
    assert same.mean() > 0.999


def test_each_cluster_takes_the_label_of_most_of_its_pixels(cloud):
    colors, labels = cloud
    for learn, apply in ((learn_kmeans, apply_nearest), (learn_mixture, apply_mixture)):
        learnt = learn(colors, labels)
        numbers = apply(colors, learnt | {"labels": np.arange(8, dtype=np.uint8)})
        for number in np.unique(numbers):
            values, counts = np.unique(labels[numbers == number], return_counts=True)
            assert learnt["labels"][number] in values[counts == counts.max()]
        assert (apply(colors, learnt) == labels).mean() > 0.97


def test_a_flat_picture_has_fewer_colours_than_clusters():
    image, labels = drawn(noise=0)
    for name in ("kmeans", "gmm", "threshold", "nearest-colour"):
        strategy = baseline(name)
        strategy.start(Frame(image, 0), labels)
        assert min(j(strategy.step(Frame(image, 1)), labels)) > 0.97


def test_flow_carries_the_first_labels_without_rounding_them_each_time():
    rng = np.random.default_rng(5)
    texture = cv2.GaussianBlur(rng.normal(0, 1, (120, 200)).astype(np.float32), (0, 0), 2.0)
    texture = 128 + 50 * texture / texture.std()

    def frame(shift):
        matrix = np.array([[1, 0, shift - 30], [0, 1, -20]], np.float32)
        part = cv2.warpAffine(texture, matrix, SIZE[::-1], flags=cv2.INTER_CUBIC)
        return np.repeat(part.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)

    labels = np.zeros(SIZE, np.uint8)
    labels[20:50, 40:43] = 1  # a thread 3 px wide
    strategy = baseline("flow")
    got = strategy.start(Frame(frame(0), 0), labels)
    np.testing.assert_array_equal(got, labels)
    # 24 steps of 0.3 px: rounding each of them would leave the thread where it was
    for index in range(1, 25):
        got = strategy.step(Frame(frame(0.3 * index), index))
    rows, columns = np.nonzero(got)
    assert columns.mean() == pytest.approx(41 + 7.2, abs=1.2)
    assert rows.mean() == pytest.approx(34.5, abs=0.7)
    assert len(rows) == pytest.approx(90, rel=0.2)


def test_grabcut_settles_what_several_regions_claim():
    before = np.zeros(SIZE, np.uint8)
    before[20:50, 20:53], before[20:50, 57:90] = 1, 2
    wide = np.zeros(SIZE, bool)
    wide[20:50, 20:90] = True
    high = wide.copy()
    high[10:20, 60:90] = True
    got = settle_claims({1: wide, 2: high}, before)
    expected = np.zeros(SIZE, np.uint8)
    expected[20:50, 20:55], expected[20:50, 55:90], expected[10:20, 60:90] = 1, 2, 2
    np.testing.assert_array_equal(got, expected)


def test_grabcut_of_a_large_frame_is_cut_small():
    image, labels = drawn()
    large = cv2.resize(image, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    truth = cv2.resize(labels, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)
    got = baseline("grabcut").start(Frame(large, 0), truth)
    assert got.shape == truth.shape
    assert min(j(got, truth)) > 0.95


def test_a_cut_that_changes_nothing_keeps_the_mask_in_place(monkeypatch):
    monkeypatch.setattr("samflow.strategies.with_grabcut.cut_regions", lambda _, labels: labels)
    labels = np.zeros((360, 640), np.uint8)  # four pixels of the film to three of the cut
    labels[101:203, 55:301] = 1
    strategy = baseline("grabcut")
    frame = Frame(np.zeros((360, 640, 3), np.uint8), 0)
    first = strategy.start(frame, labels)
    assert abs(np.argwhere(first).mean(0) - np.argwhere(labels).mean(0)).max() < 0.7
    for _ in range(5):
        np.testing.assert_array_equal(strategy.step(frame), first)


def test_what_each_baseline_needs():
    assert models_needed(BASELINE_NAMES) == set()
    assert models_needed([*BASELINE_NAMES, "xmem"]) == {"xmem"}
    assert models_needed(["flow", "refined-box"]) == {"sam", "xmem"}


def test_sklearn_is_imported_by_its_baselines_alone():
    code = "import samflow.strategies, sys; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
