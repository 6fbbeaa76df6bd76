"""Permanent memory: frames that answer every query and that consolidation never takes."""

import numpy as np
import pytest
import torch

from models import small_xmem
from samflow.xmem import Tracker, XMem
from samflow.xmem.memory import Memory, MemoryOptions


@pytest.fixture(scope="module")
def network() -> XMem:
    return small_xmem()


def frame(rng: np.random.Generator, objects: int = 2) -> list[torch.Tensor]:
    """Key, shrinkage, selection and value of a memory frame of 2 x 3 cells."""
    shapes = [(1, 4, 2, 3), (1, 1, 2, 3), (1, 4, 2, 3), (1, objects, 5, 2, 3)]
    key, shrinkage, selection, value = (
        torch.from_numpy(rng.standard_normal(s).astype(np.float32)) for s in shapes
    )
    return [key, shrinkage**2 + 1, selection.sigmoid(), value]


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 40, 56, 3), np.uint8)


def labels(*ids: int) -> np.ndarray:
    """Vertical stripes of some ids."""
    return np.repeat(np.array(ids, np.uint8), 56 // len(ids))[None].repeat(40, 0)


def test_permanent_frames_stay_as_they_are_through_consolidations() -> None:
    rng = np.random.default_rng(0)
    options = MemoryOptions(
        max_mid_term_frames=4, min_mid_term_frames=2, num_prototypes=3, max_long_term_elements=7
    )
    memory = Memory(options)
    first, known = frame(rng), [frame(rng), frame(rng)]
    memory.add(*first)
    memory.add(*frame(rng))
    for each in known:
        memory.add(*each, permanent=True)
    for _ in range(20):
        memory.read(frame(rng)[0], frame(rng)[2])
        memory.add(*frame(rng))
        assert memory.key is not None
        for number, each in enumerate([first, *known]):
            rows = slice(memory.long + 6 * number, memory.long + 6 * (number + 1))
            assert torch.equal(memory.key[rows], each[0][0].flatten(1).T)
            assert torch.equal(memory.values[1][rows], each[3][0, 1].flatten(1).T)
            own = each[2][0].flatten(1).T
            assert torch.equal(memory.selection[6 * number : 6 * (number + 1)], own)
        # the permanent frames besides the first one take no place from the others
        assert memory.sizes[0] < (4 + 2) * 6
    assert memory.sizes[1] > 0


def test_a_permanent_frame_is_read_like_one_that_was_seen_there() -> None:
    rng = np.random.default_rng(1)
    first, other, query = frame(rng), frame(rng), frame(rng)
    one, two = Memory(MemoryOptions()), Memory(MemoryOptions())
    one.add(*first)
    one.add(*other, permanent=True)
    two.add(*first)
    two.add(*other)
    assert torch.equal(one.read(query[0], query[2]), two.read(query[0], query[2]))


def test_a_known_frame_is_found_again(network: XMem) -> None:
    """With the frame that comes in memory the result is another than without."""
    frames = images(12)
    plain, mended = Tracker(network), Tracker(network)
    mended.keep(frames[11], labels(2, 1))
    results = [plain.step(frames[0], labels(1, 2)), mended.step(frames[0], labels(1, 2))]
    np.testing.assert_array_equal(*results)
    for image in frames[1:]:
        results = [plain.step(image), mended.step(image)]
    assert np.abs(results[0] - results[1]).max() > 1e-4


def test_objects_of_both_frames_are_known_on_both(network: XMem) -> None:
    frames = images(4)
    tracker = Tracker(network)
    tracker.keep(frames[3], labels(2, 5))
    assert tracker.step(frames[0], labels(1, 2)).shape[0] == 4
    assert tracker.ids == [1, 2, 5]
    assert tracker.step(frames[1]).shape[0] == 4
    assert tracker._memory.valid.all()
    tracker.keep(frames[2], labels(0, 7))  # later, too: its object is known from here on
    assert tracker.ids == [1, 2, 5, 7]
    assert tracker.step(frames[3]).shape[0] == 5


def test_keeping_leaves_the_sensory_memory_alone_and_is_in_the_state(network: XMem) -> None:
    frames = images(10)

    def begin() -> Tracker:
        tracker = Tracker(network, mem_every=2, max_mid_term_frames=3, min_mid_term_frames=2)
        tracker.keep(frames[9], labels(2, 1))
        return tracker

    whole = begin()
    expected = [whole.step(f, labels(1, 2) if t == 0 else None) for t, f in enumerate(frames)]
    tracker = begin()
    for t in range(5):
        tracker.step(frames[t], labels(1, 2) if t == 0 else None)
    resumed = Tracker(network, mem_every=2, max_mid_term_frames=3, min_mid_term_frames=2)
    resumed.load_state_dict(tracker.state_dict())
    for t in range(5, 10):
        np.testing.assert_array_equal(resumed.step(frames[t]), expected[t])
