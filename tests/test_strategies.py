"""The strategies against METHOD's loops written out with the official predictor."""

import io

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor

from models import small_sam, small_xmem
from samflow.errors import SamflowError
from samflow.lab.synthetic import DyeClip
from samflow.masks import fill_holes, mask_to_low_res_logits
from samflow.prompts import FrameReference, Prompts, Region
from samflow.sam import Sam
from samflow.strategies import (
    BASELINE_NAMES,
    STRATEGY_NAMES,
    TITLES,
    Frame,
    PromptOptions,
    XMemStrategy,
    build_strategies,
    refine_labels,
    segment_first_frame,
    with_sources,
)
from samflow.xmem import Tracker

SIZE = (54, 96)
FRAMES = 4


@pytest.fixture(scope="module")
def clip():
    return list(DyeClip(seed=5, size=SIZE, frames=FRAMES))


@pytest.fixture(scope="module")
def sam():
    return Sam(small_sam(), device="cpu")


@pytest.fixture(scope="module")
def network():
    return small_xmem()


def _official_refinement(sam, image, labels, use_masks):
    """Boxes and +-18 masks of the labels, predicted one region at a time, merged by argmax."""
    predictor = SamPredictor(sam.model)
    predictor.set_image(image)
    best = np.full(labels.shape, sam.mask_threshold)
    merged = np.zeros(labels.shape, np.uint8)
    for label in (1, 2, 3):
        rows, columns = np.nonzero(labels == label)
        if len(rows) == 0:
            continue
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        prompt = mask_to_low_res_logits(labels == label, sam.image_size, sam.mask_size)
        logits, _, _ = predictor.predict(
            box=box,
            mask_input=prompt if use_masks else None,
            multimask_output=False,
            return_logits=True,
        )
        plane = fill_holes(logits, max_area=PromptOptions().hole_area(labels.shape))[0]
        wins = plane > best
        best[wins] = plane[wins]
        merged[wins] = label
    return merged


@pytest.mark.parametrize("use_masks", [True, False])
def test_refinement_equals_the_official_predictor(sam, clip, use_masks):
    image, labels = clip[0]
    ours = refine_labels(sam, Frame(image), labels, use_masks)
    official = _official_refinement(sam, image, labels, use_masks)
    assert len(np.unique(official)) > 1
    assert (ours == official).mean() > 0.9999


def test_sam_strategy_refines_each_frame_by_the_latest_result(sam, clip):
    strategy = build_strategies(["sam"], sam)["sam"]
    labels = clip[0][1]
    for index, (image, truth) in enumerate(clip):
        frame = Frame(image, index)
        got = strategy.start(frame, truth) if index == 0 else strategy.step(frame)
        labels = _official_refinement(sam, image, labels, use_masks=True)
        assert (got == labels).mean() > 0.9999
        # rounding may flip a pixel's winner: go on from the same label map
        labels = got


def test_refined_strategies_take_their_prompts_from_xmem(sam, network, clip):
    strategies = build_strategies(STRATEGY_NAMES, sam, network)
    tracker = Tracker(network)
    for index, (image, truth) in enumerate(clip):
        frame = Frame(image, index)
        results = {
            name: strategy.start(frame, truth) if index == 0 else strategy.step(frame)
            for name, strategy in strategies.items()
        }
        tracked = tracker.step_labels(image, truth if index == 0 else None)
        np.testing.assert_array_equal(results["xmem"], tracked)
        for name, use_masks in (("refined", True), ("refined-box", False)):
            expected = refine_labels(sam, frame, tracked, use_masks)
            np.testing.assert_array_equal(results[name], expected)


def test_xmem_gives_the_first_label_map_back(network, clip):
    image, truth = clip[0]
    np.testing.assert_array_equal(XMemStrategy(network).start(Frame(image), truth), truth)


def test_each_frame_is_encoded_once_and_tracked_once(sam, network, clip, monkeypatch):
    calls = {"embed": 0, "track": 0}
    embed, step = Sam.embed, Tracker.step

    def counted_embed(self, image):
        calls["embed"] += 1
        return embed(self, image)

    def counted_step(self, image, labels=None, last=False):
        calls["track"] += 1
        return step(self, image, labels, last)

    monkeypatch.setattr(Sam, "embed", counted_embed)
    monkeypatch.setattr(Tracker, "step", counted_step)
    strategies = build_strategies(STRATEGY_NAMES, sam, network)
    for index, (image, truth) in enumerate(clip):
        frame = Frame(image, index)
        for strategy in strategies.values():
            if index == 0:
                strategy.start(frame, truth)
            else:
                strategy.step(frame)
    assert calls == {"embed": FRAMES, "track": FRAMES}


def _walk(strategies, clip, first=0):
    results = {name: [] for name in strategies}
    for index in range(first, len(clip)):
        image, truth = clip[index]
        frame = Frame(image, index)
        for name, strategy in strategies.items():
            labels = strategy.start(frame, truth) if index == 0 else strategy.step(frame)
            results[name].append(labels)
    return results


def test_together_equals_alone_bit_for_bit(sam, network, clip):
    together = _walk(build_strategies(STRATEGY_NAMES, sam, network), clip)
    for name in STRATEGY_NAMES:
        alone = _walk(build_strategies([name], sam, network), clip)
        np.testing.assert_array_equal(together[name], alone[name])


@pytest.mark.parametrize("name", TITLES)
def test_a_saved_state_goes_on_the_same(sam, network, clip, name):
    whole = _walk(build_strategies([name], sam, network, fit_steps=3), clip)[name]
    first = build_strategies([name], sam, network, fit_steps=3)
    _walk(first, clip[:2])
    buffer = io.BytesIO()
    torch.save({s.name: s.state_dict() for s in with_sources(first.values())}, buffer)
    buffer.seek(0)
    second = build_strategies([name], sam, network, fit_steps=3)
    states = torch.load(buffer, weights_only=True)
    for strategy in with_sources(second.values()):
        strategy.load_state_dict(states[strategy.name])
    np.testing.assert_array_equal(_walk(second, clip, first=2)[name], whole[2:])


def test_a_vanished_label_stays_vanished(sam, clip):
    image, truth = clip[0]
    strategy = build_strategies(["sam"], sam)["sam"]
    without = np.where(truth == 2, 0, truth).astype(np.uint8)
    assert 2 not in strategy.start(Frame(image, 0), without)
    assert 2 not in strategy.step(Frame(clip[1][0], 1))
    empty = np.zeros(SIZE, np.uint8)
    np.testing.assert_array_equal(strategy.start(Frame(image, 0), empty), empty)


@pytest.mark.parametrize("name", ["xmem", *BASELINE_NAMES])
def test_start_begins_a_clip_anew(sam, network, clip, name):
    strategies = build_strategies([name], sam, network)
    first = _walk(strategies, clip)
    again = _walk(strategies, clip)
    np.testing.assert_array_equal(first[name], again[name])


def test_xmem_starts_anew_with_other_labels_on_the_same_frame(network, clip):
    image, truth = clip[0]
    frame, strategy = Frame(image), XMemStrategy(network)
    fewer = np.where(truth == 2, 0, truth).astype(np.uint8)
    np.testing.assert_array_equal(strategy.start(frame, fewer), fewer)
    np.testing.assert_array_equal(strategy.start(frame, truth), truth)
    fresh = XMemStrategy(network)
    fresh.start(frame, truth)
    following = Frame(clip[1][0], 1)
    np.testing.assert_array_equal(strategy.step(following), fresh.step(following))


def test_larger_frames_are_tracked_at_the_working_size(network, clip):
    (image, truth), (following, _) = clip[:2]
    for size, expected in ((32, 32), (54, None), (480, None)):
        strategy, tracker = XMemStrategy(network, size), Tracker(network, size=expected)
        strategy.start(Frame(image), truth)
        tracker.step(image, truth)
        got = strategy.step(Frame(following, 1))
        np.testing.assert_array_equal(got, tracker.step_labels(following))


def test_sources_come_before_those_that_look_at_them(sam, network):
    strategies = build_strategies(["refined-box", "sam", "xmem", "refined"], sam, network)
    names = [strategy.name for strategy in with_sources(strategies.values())]
    assert names == ["xmem", "refined-box", "sam", "refined"]


def test_holes_up_to_a_share_of_the_frame_are_filled(sam, clip):
    """The share is the frame's, whatever the size, for the first frame as for later ones."""
    image = clip[0][0]
    boxes = np.array([[2, 2, 94, 52]])
    plane = sam.predict(sam.embed(image), boxes=boxes)
    region = Region(id=1, name="all", box=(2, 2, 94, 52))
    prompts = Prompts(regions=[region], frame=FrameReference(width=96, height=54))
    for share in (0.0, 5e-4, 0.01, 1.0):
        filled = fill_holes(plane.copy(), max_area=round(share * 54 * 96))[0, 0] > 0
        options = PromptOptions(max_hole_area=share)
        got = segment_first_frame(sam, Frame(image), prompts, options)
        np.testing.assert_array_equal(got == 1, filled)
    for wrong in (-0.1, 1.5, 400):
        with pytest.raises(SamflowError, match="share of the frame's area from 0 to 1, got"):
            PromptOptions(max_hole_area=wrong)
    with pytest.raises(SamflowError, match="coverage is a share of a cell"):
        PromptOptions(coverage=1.0)
    with pytest.raises(SamflowError, match="mask_value must be at least 0"):
        PromptOptions(mask_value=-1.0)


def test_first_frame_merges_regions_by_their_ids(sam, clip):
    image, _ = clip[0]
    regions = [
        Region(id=4, name="a", box=(5, 5, 80, 30)),
        Region(id=2, name="b", box=(5, 20, 90, 50), background=True),
    ]
    prompts = Prompts(regions=regions, frame=FrameReference(width=96, height=54))
    labels = segment_first_frame(sam, Frame(image), prompts)
    logits = sam.predict(sam.embed(image), boxes=np.array([r.box for r in regions]))
    filled = fill_holes(logits, max_area=round(5e-4 * 54 * 96))[:, 0]
    expected = np.where(filled.max(0) > 0, np.array([4, 2])[filled.argmax(0)], 0)
    np.testing.assert_array_equal(labels, expected)


def test_options_reach_the_prompts(sam, clip):
    image, labels = clip[0]
    frame = Frame(image)
    default = refine_labels(sam, frame, labels)
    weak = refine_labels(sam, frame, labels, options=PromptOptions(mask_value=0.0))
    assert (default != weak).any()


def test_mistakes(sam, network, clip):
    with pytest.raises(SamflowError, match=r"'xmen' is unknown: choose from xmem, sam"):
        build_strategies(["xmen"], sam, network)
    with pytest.raises(SamflowError, match="'sam' is given twice"):
        build_strategies(["sam", "sam"], sam)
    with pytest.raises(SamflowError, match="no strategy given"):
        build_strategies([], sam)
    with pytest.raises(SamflowError, match=r"needs one: give network=load_xmem"):
        build_strategies(["refined"], sam)
    with pytest.raises(SamflowError, match=r"needs one: give sam=load_sam"):
        build_strategies(["sam"])
    for name in ("sam", *BASELINE_NAMES):
        with pytest.raises(SamflowError, match="call start first"):
            build_strategies([name], sam)[name].step(Frame(clip[0][0]))
    with pytest.raises(SamflowError, match="has nothing to track"):
        XMemStrategy(network).start(Frame(clip[0][0]), np.zeros(SIZE, np.uint8))
