"""Trackers of the SAM 2 kind against the library's own way over the whole film."""

import io

import numpy as np
import pytest
import torch

from samflow.errors import SamflowError
from samflow.models.session_network import FAMILIES, SessionNetwork
from samflow.models.session_tracker import SessionTracker
from session_models import WholeVideo, film, small_edgetam, small_sam2, small_sam3

# From 16 frames on, the library counts object pointers over a whole film as it does over a stream.
FRAMES = 20
BOXES = {1: [5, 10, 20, 20], 2: [35, 25, 50, 40], 5: [0, 20, 64, 24]}


@pytest.fixture(scope="module")
def network():
    return small_sam2()


@pytest.fixture(scope="module")
def model(network):
    return SessionNetwork(network, FAMILIES["sam2"], "cpu", "small")


@pytest.fixture(scope="module")
def clip():
    return film(FRAMES)


@pytest.fixture(scope="module")
def kin():
    return {"edgetam": small_edgetam(), "sam3": small_sam3()}


def _only(labels, ids):
    return np.where(np.isin(labels, ids), labels, 0).astype(np.uint8)


def _prompts(kind, labels, ids):
    """What the library and what the tracker is told."""
    if kind == "masks":
        return {"input_masks": {i: labels == i for i in ids}}, {"labels": _only(labels, ids)}
    boxes = {i: BOXES[i] for i in ids}
    return {"input_boxes": boxes}, {"boxes": boxes}


def _label_map(logits, ids):
    """As the library tells masks apart: the highest logit above 0."""
    best = logits.argmax(axis=0)
    return np.where(logits.max(axis=0) > 0, np.array(ids, np.uint8)[best], 0)


def _compare(got, expected, ids, limit):
    assert sorted(expected) == list(range(len(got)))
    for index, logits in enumerate(got):
        np.testing.assert_allclose(logits, expected[index], rtol=0, atol=limit)
        assert (_label_map(logits, ids) == _label_map(expected[index], ids)).mean() > 0.999


@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("kind", ["masks", "boxes"])
def test_one_region_is_tracked_as_the_library_tracks_it(model, network, clip, kind, reverse):
    images, labels = clip
    theirs, ours = _prompts(kind, labels, [2])
    start = FRAMES - 1 if reverse else 0
    whole = WholeVideo(network, images)
    whole.prompt(start, **theirs)
    expected = whole.propagate(start, reverse)
    tracker = model.tracker()
    order = images[::-1] if reverse else images
    got = [tracker.step_logits(order[0], **ours)]
    got += [tracker.step_logits(image) for image in order[1:]]
    _compare(got[::-1] if reverse else got, expected, [2], limit=1e-4)


@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("kind", ["masks", "boxes"])
def test_three_regions_are_tracked_as_the_library_tracks_them(
    model, network, clip, kind, reverse, monkeypatch
):
    images, labels = clip
    ids = [1, 2, 5]
    start = FRAMES - 1 if reverse else 0
    theirs, ours = _prompts(kind, labels, ids)
    tracker = model.tracker()
    order = images[::-1] if reverse else images
    got = [tracker.step_logits(order[0], **ours)]
    got += [tracker.step_logits(image) for image in order[1:]]
    got = got[::-1] if reverse else got
    assert tracker.ids == ids
    # The library encodes the three memories in one batch and rounds them to bfloat16: what differs
    # in the last bit then differs by 1/256, and grows from frame to frame.
    whole = WholeVideo(network, images)
    whole.encode_memories_one_by_one(monkeypatch)
    whole.prompt(start, **theirs)
    _compare(got, whole.propagate(start, reverse), ids, limit=1e-4)


@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("kind", ["masks", "boxes"])
@pytest.mark.parametrize("name", ["edgetam", "sam3"])
def test_its_kin_tracks_three_regions_as_the_library_does(
    clip, name, kind, reverse, kin, monkeypatch
):
    images, labels = clip
    ids = [1, 2, 5]
    start = FRAMES - 1 if reverse else 0
    theirs, ours = _prompts(kind, labels, ids)
    network = kin[name]
    # SAM 3 was trained on pixels from -1 to 1
    how = {"mean": [0.5] * 3, "std": [0.5] * 3} if name == "sam3" else {}
    whole = WholeVideo(network, images, **how)
    if name == "sam3":
        whole.encode_memories_one_by_one(monkeypatch)
    whole.prompt(start, **theirs)
    expected = whole.propagate(start, reverse)
    tracker = SessionNetwork(network, FAMILIES[name], "cpu", name).tracker()
    order = images[::-1] if reverse else images
    got = [tracker.step_logits(order[0], **ours)]
    got += [tracker.step_logits(image) for image in order[1:]]
    _compare(got[::-1] if reverse else got, expected, ids, limit=1e-4)
    other = SessionNetwork(network, FAMILIES[name], "cpu", name).tracker()
    other.step_logits(order[0], np.flipud(labels).copy())
    for image, logits in zip(order[1:], got[1:], strict=True):
        assert np.abs(other.step_logits(image) - logits).max() > 0.01


def test_a_correction_on_the_way_is_the_librarys(model, network, clip):
    images, labels = clip
    moved = np.roll(labels, 4, axis=1)
    whole = WholeVideo(network, images)
    whole.prompt(0, input_masks={2: labels == 2})
    before = whole.propagate(0, last=8)
    whole.prompt(9, input_masks={2: moved == 2})
    after = whole.propagate(9)
    tracker = model.tracker()
    got = [
        tracker.step_logits(image, {0: _only(labels, [2]), 9: _only(moved, [2])}.get(index))
        for index, image in enumerate(images)
    ]
    _compare(got, before | after, [2], limit=1e-4)
    uncorrected = model.tracker()
    plain = [
        uncorrected.step_logits(image, _only(labels, [2]) if index == 0 else None)
        for index, image in enumerate(images)
    ]
    assert all(np.abs(a - b).max() > 0.1 for a, b in zip(got[9:], plain[9:], strict=True))


def test_a_frame_kept_in_mind_is_a_conditioning_frame_of_the_library(model, network, clip):
    images, labels = clip
    moved = np.roll(labels, 4, axis=1)
    whole = WholeVideo(network, images)
    whole.prompt(0, input_masks={2: labels == 2})
    whole.prompt(16, input_masks={2: moved == 2})
    expected = whole.propagate(0, last=15)
    tracker = model.tracker()
    tracker.keep(images[16], _only(moved, [2]))
    got = [
        tracker.step_logits(image, _only(labels, [2]) if index == 0 else None)
        for index, image in enumerate(images[:16])
    ]
    _compare(got, expected, [2], limit=1e-4)


def test_a_region_only_on_the_kept_frame_is_known_and_absent_at_the_start(model, clip):
    images, labels = clip
    tracker = model.tracker()
    tracker.keep(images[9], labels)
    first = tracker.step(images[0], _only(labels, [2]))
    assert tracker.ids == [2, 1, 5]
    np.testing.assert_array_equal(first.argmax(axis=0), np.where(labels == 2, 1, 0))


def test_what_was_dropped_is_never_missed_and_memory_stays_flat(model, network):
    images, labels = film(45)
    whole = WholeVideo(network, images)
    whole.prompt(0, input_masks={2: labels == 2})
    expected = whole.propagate(0)
    tracker = model.tracker()
    got, kept = [], []
    for index, image in enumerate(images):
        got.append(tracker.step_logits(image, _only(labels, [2]) if index == 0 else None))
        kept.append(tracker.kept_bytes)
    for index, logits in enumerate(got):
        np.testing.assert_array_equal(logits, expected[index])
    assert kept[0] < kept[5] < kept[14]
    assert set(kept[16:]) == {kept[-1]}
    state = io.BytesIO()
    torch.save(tracker.state_dict(), state)
    assert state.tell() < kept[-1] + 40_000  # nothing larger hides behind a view


def test_the_prompt_decides_every_frame(model, clip):
    """Or the comparisons above would compare networks that look at nothing but the frame."""
    images, labels = clip
    ways = []
    for region in (1, 2):
        tracker = model.tracker()
        mask = (labels == region).astype(np.uint8)
        ways.append([tracker.step_logits(im, None if i else mask) for i, im in enumerate(images)])
    assert all(np.abs(a - b).max() > 0.5 for a, b in zip(*ways, strict=True))


def test_a_saved_state_goes_on_with_the_same_bits(model, clip):
    images, labels = clip
    tracker = model.tracker()
    whole = [tracker.step(image, None if i else labels) for i, image in enumerate(images[:8])]
    first = model.tracker()
    for index, image in enumerate(images[:4]):
        first.step(image, None if index else labels)
    saved = io.BytesIO()
    torch.save(first.state_dict(), saved)
    saved.seek(0)
    second = SessionTracker(model)
    second.load_state_dict(torch.load(saved, weights_only=True))
    assert second.ids == first.ids
    for index in range(4, 8):
        np.testing.assert_array_equal(second.step(images[index]), whole[index])


def test_given_label_maps_are_the_result_and_probabilities_sum_to_one(model, clip):
    images, labels = clip
    tracker = model.tracker()
    first = tracker.step(images[0], labels)
    np.testing.assert_array_equal(np.array([0, 1, 2, 5])[first.argmax(axis=0)], labels)
    second = tracker.step(images[1])
    # a new region in mid-clip, given alone: the others keep their prediction outside of it
    given = np.zeros_like(labels)
    given[40:46, 2:12] = 7
    third = tracker.step(images[2], given)
    assert tracker.ids == [1, 2, 5, 7]
    assert (third.argmax(axis=0)[given == 7] == 4).all()
    assert (third.argmax(axis=0)[given != 7] != 4).all()
    for probabilities in (first, second, third):
        assert probabilities.dtype == np.float32
        np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)


def test_bfloat16_encodes_nearly_the_same(network, clip):
    images, _ = clip
    exact = SessionNetwork(network, FAMILIES["sam2"], "cpu").encode(images[0])[1]
    coarse = SessionNetwork(network, FAMILIES["sam2"], "cpu", precision="bfloat16").encode(
        images[0]
    )[1]
    for a, b in zip(exact["vision_feats"], coarse["vision_feats"], strict=True):
        assert b.dtype == torch.float32
        error = float((a - b).abs().mean() / a.abs().mean())
        assert 0 < error < 0.05


def test_what_cant_be_tracked_is_refused(model, clip):
    images, labels = clip
    tracker = model.tracker()
    with pytest.raises(SamflowError, match="label map of the first frame is empty"):
        tracker.step(images[0], np.zeros_like(labels))
    with pytest.raises(SamflowError, match=r"expected a label map \(48, 64\)"):
        tracker.step(images[0], labels[:, :9])
    tracker.step(images[0], labels)
    with pytest.raises(SamflowError, match="frame 1 is 48 x 60 pixels"):
        tracker.step(images[1][:, :60])
    with pytest.raises(SamflowError, match="before the first step"):
        tracker.keep(images[1], labels)
