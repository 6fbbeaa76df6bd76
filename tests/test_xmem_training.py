"""Training of XMem's demo weights: sequences, losses, the shared reading, a short run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from samflow.lab.synthetic import HELD_OUT_SEEDS, DyeClip
from samflow.lab.training import data_parallel
from samflow.lab.training import demo_xmem as training
from samflow.lab.training.clip_bank import ClipBank
from samflow.lab.training.loop import Schedule
from samflow.lab.training.sequences import Sampler, Stage
from samflow.lab.training.xmem_evaluation import score_clip
from samflow.xmem import XMem, load_xmem
from samflow.xmem.memory import Memory, MemoryOptions
from samflow.xmem.network import ImageFeatures

STAGE = Stage(1.0, (32, 48), batch=2, frames=4, objects=2, max_skip=3)


def squares(clips: int = 3, frames: int = 9, size: tuple[int, int] = (48, 64)) -> ClipBank:
    """Clips of three coloured bars that drift to the right, each frame's number in the blue."""
    labels = np.zeros((clips, frames, *size), np.uint8)
    for t in range(frames):
        for object_id in (1, 2, 3):
            labels[:, t, 16 * object_id - 16 : 16 * object_id - 4, 2 * t : 2 * t + 40] = object_id
    images = np.stack([80 * labels, 250 - 80 * labels, np.zeros_like(labels)], -1)
    images[..., 2] = np.arange(frames, dtype=np.uint8)[None, :, None, None]
    return ClipBank(images, labels)


def tiny() -> XMem:
    torch.manual_seed(0)
    return XMem(key_dim=8, value_dim=16, hidden_dim=4, width=1 / 16)


def test_sequences_match_their_labels_and_stay_in_order() -> None:
    bank = squares()
    plain = np.random.default_rng(0)
    sampler = Sampler(bank, plain)
    sampler._recolour = lambda images: images  # type: ignore[method-assign]
    for _ in range(20):
        images, labels = sampler.draw(STAGE)
        assert images.shape == (2, 4, 3, 32, 48)
        assert labels.shape == (2, 4, 32, 48)
        numbers = (images[:, :, 2, 0, 0] * 255).round().int()
        steps = numbers.diff(dim=1)
        assert ((steps.abs() >= 1) & (steps.abs() <= 3)).all()
        assert ((steps > 0).all(1) | (steps < 0).all(1)).all()
        for image, label in zip(images.flatten(0, 1), labels.flatten(0, 1), strict=True):
            # each id covers one colour, so flips and crops hit image and labels alike
            for object_id in (1, 2):
                assert len(image[0][label == object_id].unique()) <= 1


def test_regions_that_the_first_frame_lacks_count_in_no_loss() -> None:
    sampler = Sampler(squares(), np.random.default_rng(0))
    labels = np.zeros((2, 32, 32), np.uint8)
    labels[0, :10], labels[1, :10], labels[1, 20:] = 1, 1, 3
    chosen = sampler._choose_objects(labels, 2)
    assert set(np.unique(chosen[0])) == {0, 1}
    assert (chosen[1, 20:] == -1).all()


def test_surplus_objects_become_background() -> None:
    sampler = Sampler(squares(), np.random.default_rng(0))
    labels = np.repeat(np.arange(4, dtype=np.uint8), 100).reshape(1, 20, 20)
    seen = set()
    for _ in range(30):
        chosen = sampler._choose_objects(labels, 2)
        assert np.bincount(chosen.ravel()).tolist() == [200, 100, 100]
        seen.add(tuple(chosen[0, ::5, 0].tolist()))
    assert len(seen) == 6


def test_training_reads_as_the_memory_does_with_every_element() -> None:
    generator = torch.Generator().manual_seed(0)

    def features() -> ImageFeatures:
        key, selection = (torch.randn(1, 8, 3, 4, generator=generator) for _ in range(2))
        shrinkage = torch.rand(1, 1, 3, 4, generator=generator) + 1
        nothing = torch.empty(0)
        return ImageFeatures(key, shrinkage, selection.sigmoid(), nothing, nothing, nothing)

    frames = [features() for _ in range(3)]
    values = [torch.randn(1, 2, 5, 3, 4, generator=generator) for _ in frames]
    memory = Memory(MemoryOptions(top_k=36))
    for frame, value in zip(frames, values, strict=True):
        memory.add(frame.key, frame.shrinkage, frame.selection, value)
    query = features()
    expected = memory.read(query.key, query.selection)
    torch.testing.assert_close(training.read(frames, values, query), expected)


def test_the_loss_is_small_for_the_truth_and_counts_no_ignored_pixel() -> None:
    labels = torch.tensor([[[0, 1], [2, -1]]])
    logits = torch.full((1, 3, 2, 2), -20.0)
    for y, x, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 2)):
        logits[0, channel, y, x] = 20.0
    assert float(training.loss(logits, labels, 1.0)) == pytest.approx(0, abs=1e-5)
    changed = logits.clone()
    changed[0, :, 1, 1] = torch.tensor([5.0, 9.0, -3.0])
    assert torch.equal(training.loss(changed, labels, 1.0), training.loss(logits, labels, 1.0))


def test_bootstrapping_keeps_the_hardest_pixels() -> None:
    logits = torch.zeros(1, 2, 1, 4)
    logits[0, 1, 0] = torch.tensor([8.0, 8.0, 8.0, -8.0])
    labels = torch.ones(1, 1, 4, dtype=torch.int64)
    full, hard = (training.loss(logits, labels, share) for share in (1.0, 0.25))
    worst = np.log1p(np.exp(8.0))
    easy = np.log1p(np.exp(-8.0))
    assert float(hard - full) == pytest.approx(worst - (worst + 3 * easy) / 4, rel=1e-4)


def test_an_object_that_is_not_shown_gets_no_pixel() -> None:
    images = torch.rand(1, 3, 3, 32, 48)
    labels = torch.zeros(1, 3, 32, 48, dtype=torch.int64)
    labels[:, :, :16] = 1
    rng = np.random.default_rng(0)
    logits = list(training.segment_sequence(tiny().eval(), images, labels, 2, rng))
    assert [tuple(x.shape) for x in logits] == [(1, 3, 32, 48)] * 2
    for x in logits:
        assert x.softmax(1)[:, 2].max().item() < 1e-5


def plain_loss(network: XMem, stage: Stage) -> float:
    """Mean loss over all pixels of a few sequences, the same for every network."""
    rng = np.random.default_rng(9)
    sampler = Sampler(squares(), rng)
    losses = []
    with torch.no_grad():
        for _ in range(6):
            images, labels = sampler.draw(stage)
            predictions = training.segment_sequence(network.eval(), images, labels, 1, rng)
            losses += [training.loss(p, labels[:, 1 + t], 1.0) for t, p in enumerate(predictions)]
    return float(torch.stack(losses).mean())


def test_a_short_training_lowers_the_loss_and_its_file_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(1.0, (48, 64), batch=2, frames=3, objects=1, max_skip=2)
    monkeypatch.setattr(training, "STAGES", (stage,))
    monkeypatch.setattr(Sampler, "_recolour", lambda self, images: np.ascontiguousarray(images))
    out = tmp_path / "tiny.safetensors"
    torch.manual_seed(0)
    network = XMem(key_dim=8, value_dim=32, hidden_dim=4, width=1 / 8)
    before = plain_loss(network, stage)
    schedule = Schedule(60, rate=2e-3, warm_up=5, averaging=0.995, largest_gradient=3.0)
    trained = training.train(network, squares(), schedule, 0, out)
    assert plain_loss(network, stage) < 0.85 * before
    loaded = load_xmem(out, "cpu")
    weight = trained.decoder.pred.weight
    assert torch.equal(loaded.decoder.pred.weight, weight.half().float())


def _two_workers_average(folder: str) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False), torch.nn.BatchNorm1d(1))
    rank = data_parallel.rank()
    network[0].weight.data.fill_(1.0)
    network[1].running_mean.fill_(float(rank + 5))  # type: ignore[operator, union-attr]
    network[0](torch.full((1, 2), float(1 + 2 * rank))).sum().backward()
    data_parallel.average_gradients(network)
    data_parallel.share_buffers(network)
    result = {
        "gradient": network[0].weight.grad,
        "mean": network[1].running_mean,
        "agreed": data_parallel.agree(0.25 + rank),
    }
    torch.save(result, f"{folder}/{rank}.pt")


def test_two_workers_average_their_gradients_and_share_their_buffers(tmp_path: Path) -> None:
    data_parallel.run_workers(_two_workers_average, 2, str(tmp_path))
    for rank in (0, 1):
        result = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert result["gradient"].tolist() == [[2.0, 2.0]]
        assert result["mean"].tolist() == [5.0]
        assert result["agreed"] == 0.25


def test_a_time_budget_ends_with_the_time() -> None:
    budget = Schedule(10, minutes=2)
    assert budget.progress(5, 30.0) == 0.25
    assert Schedule(steps=10).progress(5, 1e9) == 0.5


def test_the_learning_rate_warms_up_and_ends_low() -> None:
    schedule = Schedule(1000, rate=1.0, warm_up=100)
    rates = [schedule.rate_at(s / 1000, s) for s in range(1001)]
    assert rates[0] == pytest.approx(0.01)
    assert 90 <= int(np.argmax(rates)) <= 110
    assert rates[-1] == pytest.approx(0.02)
    assert replace(schedule, last_share=0.25).rate_at(1.0, 1000) == pytest.approx(0.25)


def test_scores_of_the_baselines_follow_from_the_truth() -> None:
    clip = DyeClip(HELD_OUT_SEEDS[0], size=(48, 64), frames=4)
    truth = [labels for _, labels in clip]
    scores = score_clip(tiny().eval().requires_grad_(False), clip)
    assert scores["frame"].tolist() == [1, 2, 3]
    for row, labels in zip(scores.itertuples(), truth[1:], strict=True):
        js = [
            np.sum((truth[0] == i) & (labels == i)) / np.sum((truth[0] == i) | (labels == i))
            for i in (1, 2)
        ]
        assert row.copy == pytest.approx(np.mean(js))
    assert (scores[["xmem", "copy", "colour"]] >= 0).all(axis=None)
    assert scores["colour"].mean() > 0.5
