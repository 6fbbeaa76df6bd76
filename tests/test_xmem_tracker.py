"""The tracker on small random networks: objects, sizes, corrections, state, errors."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from samflow.errors import SamflowError
from samflow.xmem import Tracker, XMem
from samflow.xmem.geometry import Geometry

SHORT_MEMORY: dict[str, Any] = {
    "mem_every": 2,
    "top_k": 5,
    "max_mid_term_frames": 4,
    "min_mid_term_frames": 2,
    "num_prototypes": 6,
    "max_long_term_elements": 20,
}


@pytest.fixture(scope="module")
def network() -> XMem:
    torch.manual_seed(0)
    network = XMem(key_dim=8, value_dim=16, hidden_dim=4, width=1 / 16)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def images(count: int, size: tuple[int, int] = (40, 56), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 3)).astype(np.uint8)


def stripes(ids: list[int], size: tuple[int, int] = (40, 56)) -> np.ndarray:
    """A label map with one vertical stripe per id, and background at the right."""
    labels = np.zeros(size, np.uint8)
    width = size[1] // (len(ids) + 1)
    for i, object_id in enumerate(ids):
        labels[:, i * width : (i + 1) * width] = object_id
    return labels


def one_label(object_id: int, size: tuple[int, int] = (40, 56)) -> np.ndarray:
    labels = np.zeros(size, np.uint8)
    labels[5:20, 30:50] = object_id
    return labels


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (16, 16), (17, 300), (130, 20)])
@pytest.mark.parametrize("working", [None, 24])
def test_any_size_gives_probabilities_of_that_size(
    network: XMem, size: tuple[int, int], working: int | None
) -> None:
    tracker = Tracker(network, size=working, **SHORT_MEMORY)
    for t, image in enumerate(images(12, size)):
        labels = np.ones(size, np.uint8) if t == 0 else None
        probabilities = tracker.step(image, labels)
        assert probabilities.shape == (2, *size)
        assert probabilities.dtype == np.float32
        np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)


def test_ids_keep_their_gaps_and_their_order_of_appearance(network: XMem) -> None:
    tracker = Tracker(network)
    frames = images(3)
    first = tracker.step(frames[0], stripes([1, 4, 7]))
    assert tracker.ids == [1, 4, 7]
    found = np.array([0, *tracker.ids])[first.argmax(0)]
    np.testing.assert_array_equal(found, stripes([1, 4, 7]))
    tracker.step(frames[1], one_label(2))
    assert tracker.ids == [1, 4, 7, 2]
    assert tracker.step(frames[2]).shape[0] == 5


def test_what_one_object_gets_does_not_depend_on_its_id(network: XMem) -> None:
    results = []
    for object_id in (1, 200):
        tracker = Tracker(network)
        for t, image in enumerate(images(4)):
            probabilities = tracker.step(image, one_label(object_id) if t == 0 else None)
        results.append(probabilities)
    np.testing.assert_array_equal(*results)


def test_a_frame_at_the_working_size_is_not_resized(network: XMem) -> None:
    frames = images(4)
    results = []
    for size in (None, 40):
        tracker = Tracker(network, size=size)
        results.append(
            [tracker.step(f, one_label(1) if t == 0 else None) for t, f in enumerate(frames)]
        )
    np.testing.assert_array_equal(*results)


def test_a_full_correction_replaces_the_prediction(network: XMem) -> None:
    tracker = Tracker(network)
    frames = images(3)
    tracker.step(frames[0], stripes([1, 2]))
    tracker.step(frames[1])
    corrected = np.fliplr(stripes([2, 1]))
    found = np.array([0, *tracker.ids])[tracker.step(frames[2], corrected).argmax(0)]
    np.testing.assert_array_equal(found, corrected)


def test_a_partial_mask_keeps_the_other_objects_outside_of_it(network: XMem) -> None:
    frames = images(3)
    plain, given = Tracker(network), Tracker(network)
    for tracker in (plain, given):
        tracker.step(frames[0], stripes([1, 2]))
    predicted = plain.step(frames[1])
    mask = one_label(2) > 0
    merged = given.step(frames[1], one_label(2))
    assert (merged[2][mask] > 0.99).all()
    assert (merged[1][mask] < 1e-3).all()
    # outside, object 2 is gone, and object 1 against background is as predicted
    assert (merged[2][~mask] < 1e-3).all()
    p1 = predicted[1][~mask]
    share = (p1 / (1 - p1)) / (p1 / (1 - p1) + (1 - p1) / p1)
    np.testing.assert_allclose(merged[1][~mask], share, atol=1e-3)


def test_memory_frames_come_when_they_are_due(network: XMem) -> None:
    tracker = Tracker(network, mem_every=3, long_term=False)
    sizes = []
    for t, image in enumerate(images(10)):
        tracker.step(image, one_label(1) if t in (0, 5) else None, last=t == 9)
        sizes.append(tracker.memory_sizes[0] // (3 * 4))
    # frames 0 and 3, the given one at 5, then 8; the last one never
    assert sizes == [1, 1, 1, 2, 2, 3, 3, 3, 4, 4]


def test_each_step_encodes_its_image_once(network: XMem, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    encode = network.key_encoder.forward
    monkeypatch.setattr(
        network.key_encoder, "forward", lambda image: (calls.append(1), encode(image))[1]
    )
    tracker = Tracker(network, mem_every=1)
    for t, image in enumerate(images(5)):
        tracker.step(image, one_label(t + 1) if t < 3 else None)
    assert len(calls) == 5


def test_many_late_objects_leave_memory_bounded(network: XMem) -> None:
    tracker = Tracker(network, **SHORT_MEMORY)
    elements = []
    for t, image in enumerate(images(60)):
        labels = one_label(1 + t // 3) if t % 3 == 0 and t < 36 else None
        probabilities = tracker.step(image, labels)
        assert np.isfinite(probabilities).all()
        np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)
        elements.append(tracker.memory_sizes)
    assert tracker.ids == list(range(1, 13))
    working, long = np.array(elements).T
    assert working.max() < 4 * 12
    assert long.max() <= 20
    assert long[-1] > 14


def run(tracker: Tracker, start: int, stop: int) -> list[np.ndarray]:
    given = {0: stripes([1, 4]), 5: one_label(7), 11: stripes([1, 4, 7]), 13: one_label(9)}
    frames = images(30)
    return [tracker.step(frames[t], given.get(t), last=t == 29) for t in range(start, stop)]


@pytest.mark.parametrize("deep_update_every", [-1, 3])
@pytest.mark.parametrize("split", [0, 1, 5, 6, 12, 17, 24, 29])
def test_a_saved_state_goes_on_with_the_same_bits(
    network: XMem, split: int, deep_update_every: int
) -> None:
    options = SHORT_MEMORY | {"deep_update_every": deep_update_every}
    whole = run(Tracker(network, **options), 0, 30)
    first = Tracker(network, **options)
    run(first, 0, split)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    run(first, split, min(split + 3, 30))  # the saved state is a copy
    file.seek(0)
    second = Tracker(network, **options)
    second.load_state_dict(torch.load(file, weights_only=True))
    rest = run(second, split, 30)
    for ours, expected in zip(rest, whole[split:], strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_a_state_in_memory_stays_as_it_was(network: XMem) -> None:
    tracker = Tracker(network, **SHORT_MEMORY)
    run(tracker, 0, 7)
    state = tracker.state_dict()
    once = run(tracker, 7, 30)
    again = Tracker(network, **SHORT_MEMORY)
    again.load_state_dict(state)
    for ours, expected in zip(run(again, 7, 30), once, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_a_state_of_other_options_is_refused(network: XMem) -> None:
    with pytest.raises(SamflowError, match="same options"):
        Tracker(network, mem_every=3).load_state_dict(Tracker(network).state_dict())


def test_without_sensory_memory_it_tracks(network: XMem) -> None:
    torch.manual_seed(1)
    plain = XMem(key_dim=8, value_dim=16, hidden_dim=0, width=1 / 16).eval()
    tracker = Tracker(plain, **SHORT_MEMORY)
    for t, image in enumerate(images(8)):
        probabilities = tracker.step(image, stripes([1, 2]) if t == 0 else None)
    np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)


IMAGE, LABELS = images(1)[0], one_label(1)


@pytest.mark.parametrize(
    ("image", "labels", "message"),
    [
        (IMAGE.astype(np.float32), LABELS, "uint8"),
        (IMAGE[..., 0], LABELS, "RGB image"),
        (IMAGE[..., [0, 1, 2, 2]], LABELS, "RGB image"),
        (IMAGE, LABELS[:-1], "size of its frame"),
        (IMAGE, LABELS.astype(float), "integers"),
        (IMAGE, LABELS * 255, "255 is outside"),
        (IMAGE, LABELS.astype(np.int64) * -1, "-1 is outside"),
        (IMAGE, LABELS * 0, "empty"),
        (IMAGE, None, "first frame has no labels"),
    ],
)
def test_wrong_input_is_refused_and_changes_nothing(
    network: XMem, image: np.ndarray, labels: np.ndarray | None, message: str
) -> None:
    tracker = Tracker(network)
    with pytest.raises(SamflowError, match=message):
        tracker.step(image, labels)
    expected = Tracker(network).step(IMAGE, LABELS)
    np.testing.assert_array_equal(tracker.step(IMAGE, LABELS), expected)


def test_a_frame_of_another_size_is_refused(network: XMem) -> None:
    tracker = Tracker(network)
    tracker.step(IMAGE, LABELS)
    with pytest.raises(SamflowError, match="frame 1 is 20 x 56 pixels"):
        tracker.step(IMAGE[:20])
    assert tracker.step(IMAGE).shape == (2, 40, 56)


@pytest.mark.parametrize("options", [{"mem_every": 0}, {"size": 0}, {"top_k": 0}])
def test_options_that_can_not_work_are_refused(network: XMem, options: dict[str, int]) -> None:
    with pytest.raises(SamflowError, match=next(iter(options))):
        Tracker(network, **options)


@given(
    st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
    st.one_of(st.none(), st.integers(1, 720)),
)
def test_the_grid_covers_the_working_size(frame: tuple[int, int], short_side: int | None) -> None:
    geometry = Geometry(frame, short_side)
    left, right, top, bottom = geometry.padding
    padded = (geometry.working[0] + top + bottom, geometry.working[1] + left + right)
    assert padded == (16 * geometry.cells[0], 16 * geometry.cells[1])
    assert 0 <= right - left <= 1
    assert 0 <= bottom - top <= 1
    assert max(left, right, top, bottom) <= 8
    if short_side is not None:
        assert min(geometry.working) == short_side
        # the aspect ratio is kept to within the last pixel
        assert abs(max(geometry.working) - short_side * max(frame) / min(frame)) < 1


def test_a_picture_returns_from_the_grid_as_it_was() -> None:
    image = torch.rand(1, 3, 37, 50)
    geometry = Geometry((37, 50))
    padded = geometry.image_to_grid(image)
    assert padded.shape == (1, 3, 48, 64)
    assert torch.equal(geometry.grid_to_frame(padded), image)
    assert torch.equal(geometry.masks_to_grid(image), padded)
