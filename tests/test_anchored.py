"""The strategy `anchored`: what it takes from colours and flow, and what it costs."""

import numpy as np
import pytest

from models import small_sam, small_xmem
from samflow.lab.synthetic import DyeClip
from samflow.masks import ColorEvidence, ColorGuide, resize_labels, sharpen_labels, told_apart
from samflow.sam import Sam
from samflow.strategies import AnchoredStrategy, Frame
from samflow.strategies.anchored import move_by_color
from samflow.strategies.base import TrackingStrategy

SIZE = (54, 96)


class GivenTrack(TrackingStrategy):
    """A tracker that gives known label maps, equally sure of every pixel."""

    name = "given"

    def __init__(self, maps, certainty):
        self.maps, self.sure, self.index = list(maps), certainty, 0

    def start(self, frame, labels):
        return self.maps[frame.index]

    def step(self, frame):
        self.index = frame.index
        return self.maps[frame.index]

    @property
    def certainty(self):
        return np.full(self.maps[0].shape, self.sure, np.float32)

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        """Nothing to load."""


@pytest.fixture(scope="module")
def clip():
    return list(DyeClip(seed=5, size=SIZE, frames=4))


@pytest.fixture
def echo(monkeypatch):
    """SAM gives its prompts back: what it was prompted with is remembered."""
    prompts = []

    def refine(sam, frame, labels, use_masks=True, options=None):
        prompts.append(labels.copy())
        return labels

    monkeypatch.setattr("samflow.strategies.anchored.refine_labels", refine)
    return prompts


def _walk(strategy, clip):
    frames = [Frame(image, index) for index, (image, _) in enumerate(clip)]
    first = strategy.start(frames[0], clip[0][1])
    return [first, *(strategy.step(frame) for frame in frames[1:])]


def test_the_first_result_is_the_given_label_map_sharpened(clip):
    image, truth = clip[0]
    strategy = AnchoredStrategy(None, GivenTrack([truth], 1.0))
    expected = sharpen_labels(truth, image, passes=4)
    np.testing.assert_array_equal(strategy.start(Frame(image), truth), expected)


def test_a_sure_tracker_prompts_sam_and_an_unsure_one_leaves_it_to_the_flow(clip, echo):
    """The tracker loses the upper dye after the first frame."""
    lost = [clip[0][1], *(np.where(truth == 1, 0, truth) for _, truth in clip[1:])]
    sure = _walk(AnchoredStrategy(None, GivenTrack(lost, 1.0)), clip)
    assert not (sure[-1] == 1).any()
    echo.clear()
    unsure = _walk(AnchoredStrategy(None, GivenTrack(lost, 0.9)), clip)
    both = (unsure[-1] == 1) & (clip[-1][1] == 1)
    assert both.sum() > 0.75 * (clip[-1][1] == 1).sum()
    assert (echo[-1] == 1).sum() > 0.75 * (clip[-1][1] == 1).sum()


def test_between_labels_of_one_colour_the_tracker_decides(echo):
    """A wall in the dye's colour: the latest result can't hold its edge against the tracker."""
    image = np.zeros((60, 80, 3), np.uint8)
    image[:20], image[20:] = (205, 210, 200), (180, 40, 40)
    first = np.zeros((60, 80), np.uint8)
    first[20:], first[40:] = 2, 3
    moved = first.copy()
    moved[40:48] = 2
    strategy = AnchoredStrategy(None, GivenTrack([first, moved], 0.6))
    results = _walk(strategy, [(image, first), (image, first)])
    np.testing.assert_array_equal(results[0], first)
    np.testing.assert_array_equal(results[1], moved)


def test_one_encoding_one_decoding_and_one_step_of_the_tracker_a_frame(clip, monkeypatch):
    from samflow.strategies import build_strategies
    from samflow.xmem import Tracker

    calls = dict.fromkeys(["embed", "predict", "track"], 0)
    for owner, method, name in (
        (Sam, "embed", "embed"),
        (Sam, "predict", "predict"),
        (Tracker, "step", "track"),
    ):
        original = getattr(owner, method)

        def counted(self, *args, _original=original, _name=name, **kwargs):
            calls[_name] += 1
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(owner, method, counted)
    built = build_strategies(["anchored"], Sam(small_sam(), device="cpu"), small_xmem())
    _walk(built["anchored"], clip)
    assert calls == {"embed": 3, "predict": 3, "track": 4}  # the first frame's masks are given


def _two_patches():
    """Two dyes in two places each; the smaller place of the first is labelled as the second."""
    image = np.full((90, 160, 3), 210, np.uint8)
    truth = np.zeros((90, 160), np.uint8)
    for columns, label, color in (
        (np.s_[5:60], 1, (60, 40, 150)),
        (np.s_[65:105], 2, (150, 40, 120)),
        (np.s_[120:150], 1, (60, 40, 150)),
    ):
        truth[20:70, columns], image[20:70, columns] = label, color
    return image, truth


def test_colours_decide_where_the_fit_is_in_doubt():
    """Patches of wrong labels all over, in strong grain."""
    image, truth = _two_patches()
    rng = np.random.default_rng(0)
    image = np.clip(image + rng.normal(0, 25, image.shape), 0, 255).astype(np.uint8)
    patches = np.repeat(np.repeat(rng.random((18, 32)) < 0.25, 5, axis=0), 5, axis=1)
    given = np.where(patches & (truth > 0), 3 - truth, truth).astype(np.uint8)
    moved = move_by_color(given, ColorEvidence(image), ColorGuide(image))
    assert (moved != truth).mean() < 0.3 * (given != truth).mean()


def test_no_pixel_moves_between_labels_of_one_colour():
    image, truth = _two_patches()
    image[truth == 1] = image[truth == 2][0]
    moved = move_by_color(truth, ColorEvidence(image), ColorGuide(image))
    assert ((moved != truth) & (moved > 0) & (truth > 0)).sum() <= 2  # corners of the patches


def test_how_well_colours_tell_labels_apart():
    image, truth = _two_patches()
    apart = told_apart(ColorEvidence(image).learn(truth, np.array([0, 1, 2])))
    np.testing.assert_array_equal(apart, apart.T)
    # the rims' colours are shared out by the histogram's smoothing
    assert apart[np.triu_indices(3, 1)].min() > 0.8
    assert np.abs(np.diag(apart)).max() < 0.01


def test_a_frame_of_one_label_and_a_large_one_work():
    image, truth = _two_patches()
    alone = np.zeros_like(truth)
    np.testing.assert_array_equal(
        move_by_color(alone, ColorEvidence(image), ColorGuide(image)), alone
    )
    large = np.repeat(np.repeat(image, 3, axis=0), 3, axis=1)
    labels = resize_labels(truth, large.shape[:2])
    moved = move_by_color(labels, ColorEvidence(large), ColorGuide(large))
    assert (moved != labels).mean() < 0.001
