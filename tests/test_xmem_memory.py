"""Reading and keeping memory, against direct evaluations of the formulas."""

import numpy as np
import pytest
import torch

from samflow.errors import SamflowError
from samflow.xmem.memory import Memory, MemoryOptions
from samflow.xmem.reading import Affinity, similarity, top_k_softmax


def frame(rng: np.random.Generator, objects: int, h: int = 2, w: int = 3) -> list[torch.Tensor]:
    """Key, shrinkage, selection and value of a memory frame."""
    shapes = [(1, 4, h, w), (1, 1, h, w), (1, 4, h, w), (1, objects, 5, h, w)]
    key, shrinkage, selection, value = (
        torch.from_numpy(rng.standard_normal(s).astype(np.float32)) for s in shapes
    )
    return [key, shrinkage**2 + 1, selection.sigmoid(), value]


def naive_read(frames: list[list[torch.Tensor]], query: list[torch.Tensor], k: int) -> np.ndarray:
    """Equation 2 and the top-k softmax with loops, in float64."""
    rows = [
        (key[0, :, y, x].numpy().astype(float), float(s[0, 0, y, x]), v[0, :, :, y, x].numpy())
        for key, s, _, v in frames
        for y in range(key.shape[2])
        for x in range(key.shape[3])
    ]
    out = np.zeros(frames[0][3].shape)
    for y, x in np.ndindex(*query[0].shape[2:]):
        q, e = query[0][0, :, y, x].numpy().astype(float), query[2][0, :, y, x].numpy()
        scores = np.array([-s / 2 * (e * (m - q) ** 2).sum() for m, s, _ in rows])
        best = np.argsort(-scores)[:k]
        weights = np.exp(scores[best] - scores[best].max())
        weights /= weights.sum()
        out[0, :, :, y, x] = sum(w * rows[i][2] for w, i in zip(weights, best, strict=True))
    return out


@pytest.mark.parametrize("k", [1, 4, 1000])
def test_a_read_is_the_top_k_softmax_of_the_anisotropic_distance(k: int) -> None:
    rng = np.random.default_rng(1)
    frames = [frame(rng, 2) for _ in range(3)]
    memory = Memory(MemoryOptions(top_k=k))
    for f in frames:
        memory.add(*f)
    query = frame(rng, 1)
    ours = memory.read(query[0], query[2])
    np.testing.assert_allclose(ours.numpy(), naive_read(frames, query, k), atol=1e-5)


def test_a_late_object_is_read_from_its_own_frames_alone() -> None:
    rng = np.random.default_rng(2)
    frames = [frame(rng, 1), frame(rng, 1), frame(rng, 2), frame(rng, 3)]
    memory = Memory(MemoryOptions(top_k=5))
    for f in frames:
        memory.add(*f)
    query = frame(rng, 1)
    ours = memory.read(query[0], query[2]).numpy()
    for i, first in enumerate((0, 2, 3)):
        own = [[*f[:3], f[3][:, i : i + 1]] for f in frames[first:]]
        np.testing.assert_allclose(ours[:, i : i + 1], naive_read(own, query, 5), atol=1e-5)


def test_usage_sums_to_the_number_of_queries() -> None:
    rng = np.random.default_rng(3)
    memory = Memory(MemoryOptions(top_k=4))
    memory.add(*frame(rng, 2))
    memory.add(*frame(rng, 2))
    for reads in (1, 2):
        query = frame(rng, 1)
        memory.read(query[0], query[2])
        assert float(memory.usage.sum()) == pytest.approx(6 * reads, rel=1e-5)
    assert torch.allclose(memory.life, torch.full((12,), 2.0))


def test_the_dense_and_the_sparse_affinity_agree() -> None:
    rng = np.random.default_rng(4)
    scores = torch.from_numpy(rng.standard_normal((7, 11)))
    affinity = Affinity(*top_k_softmax(scores, 4), 11)
    values = torch.from_numpy(rng.standard_normal((11, 3)))
    sparse = affinity.weighted_sum(values), affinity.usage()
    affinity.dense = torch.zeros(7, 11, dtype=torch.float64).scatter(
        1, affinity.indices, affinity.weights
    )
    assert torch.allclose(affinity.weighted_sum(values), sparse[0])
    assert torch.allclose(affinity.usage(), sparse[1])


def test_a_distant_query_gives_weights_that_sum_to_one() -> None:
    scores = torch.tensor([[-1e30, -2e30, -torch.inf], [-torch.inf] * 3])
    weights, _ = top_k_softmax(scores, 30)
    assert weights.sum(1).tolist() == [1.0, 0.0]


def test_similarity_is_zero_at_the_key_itself() -> None:
    key = torch.tensor([[0.5, -1.5, 2.0, 0.25]])
    scores = similarity(key, torch.tensor([3.0]), key, torch.full((1, 4), 0.5))
    assert abs(float(scores)) < 1e-6


@pytest.mark.parametrize("objects", [1, 3])
def test_consolidation_at_every_fill_keeps_the_bounds(objects: int) -> None:
    # 24 elements in all, 8 a consolidation: long-term memory is exactly LT_max - P full once
    options = MemoryOptions(
        top_k=3,
        max_mid_term_frames=4,
        min_mid_term_frames=2,
        num_prototypes=8,
        max_long_term_elements=24,
    )
    rng = np.random.default_rng(5)
    memory = Memory(options)
    seen = []
    for _ in range(30):
        memory.add(*frame(rng, objects))
        query = frame(rng, 1)
        read = memory.read(query[0], query[2])
        assert torch.isfinite(read).all()
        seen.append(memory.sizes[1])
        rows = {len(memory.usage), len(memory.life), len(memory.shrinkage)}
        rows |= {memory.valid.shape[1], *(len(v) for v in memory.values)}
        assert rows == {sum(memory.sizes)}
        assert len(memory.selection) == memory.sizes[0]
        assert memory.sizes[0] < 4 * 6
    assert {8, 16, 24} <= set(seen)
    assert max(seen) == 24


def test_prototypes_are_averages_of_the_candidates() -> None:
    options = MemoryOptions(max_mid_term_frames=4, min_mid_term_frames=2, num_prototypes=5)
    rng = np.random.default_rng(6)
    memory = Memory(options)
    frames = [frame(rng, 1) for _ in range(4)]
    for f in frames[:3]:
        memory.add(*f)
    query = frame(rng, 1)
    memory.read(query[0], query[2])
    usage = memory.usage[6:18].clone()
    memory.add(*frames[3])
    # the candidates are frames 1 and 2; frame 2 has been read as often as frame 1
    candidates = torch.cat([f[0][0].flatten(1).T for f in frames[1:3]])
    values = torch.cat([f[3][0, 0].flatten(1).T for f in frames[1:3]])
    assert memory.sizes == (12, 5)
    best = usage.topk(5).indices
    assert memory.key is not None
    assert torch.equal(memory.key[:5], candidates[best])
    low, high = values.min(0).values, values.max(0).values
    assert ((memory.values[0][:5] >= low - 1e-5) & (memory.values[0][:5] <= high + 1e-5)).all()
    assert (memory.shrinkage[:5] >= 1).all()
    kept = torch.cat([frames[0][0][0].flatten(1), frames[3][0][0].flatten(1)], 1).T
    assert torch.equal(memory.key[5:], kept)


def test_elements_that_are_never_read_expire_first() -> None:
    options = MemoryOptions(
        top_k=1,
        max_mid_term_frames=3,
        min_mid_term_frames=2,
        num_prototypes=2,
        max_long_term_elements=4,
    )
    rng = np.random.default_rng(7)
    memory = Memory(options)
    frames = [frame(rng, 1) for _ in range(4)]
    for f in frames:
        memory.add(*f)
    assert memory.sizes == (12, 4)
    assert memory.key is not None
    wanted = memory.key[3].clone()
    query = wanted.view(1, 4, 1, 1)
    memory.read(query, torch.ones_like(query))
    memory.add(*frame(rng, 1))
    # the three others tie at zero, so all of them go
    assert memory.sizes == (12, 3)
    assert memory.key is not None
    assert torch.equal(memory.key[0], wanted)


def test_long_term_elements_stay_when_usage_is_not_counted() -> None:
    options = MemoryOptions(
        count_long_term_usage=False,
        max_mid_term_frames=3,
        min_mid_term_frames=2,
        num_prototypes=2,
        max_long_term_elements=4,
    )
    rng = np.random.default_rng(8)
    memory = Memory(options)
    for _ in range(10):
        memory.add(*frame(rng, 1))
    assert memory.sizes[1] == 16


@pytest.mark.parametrize(
    ("name", "value"),
    [("top_k", 0), ("min_mid_term_frames", 10), ("num_prototypes", 0), ("num_prototypes", 10001)],
)
def test_options_that_can_not_work_are_refused(name: str, value: int) -> None:
    with pytest.raises(SamflowError, match=name):
        MemoryOptions(**{name: value})
