"""`samflow bench`: the reference ways give the same results, and what is counted is right."""

import json

import numpy as np
import pytest
import torch

from models import small_sam, small_xmem
from samflow.device import resolve_precision
from samflow.errors import SamflowError
from samflow.lab.speed import BenchOptions, bench, sam_speed
from samflow.lab.speed.agreement import precision_agreement
from samflow.lab.speed.bench_pages import bench_text, write_bench
from samflow.lab.speed.clock import time_in_turn
from samflow.lab.speed.growth import Case, measure_case
from samflow.lab.speed.machine import count_operations, matrix_peak
from samflow.lab.speed.run_speed import OfficialSam, run_row
from samflow.lab.speed.xmem_speed import PlainXMem, official_stepper
from samflow.sam import Sam, SamArchitecture
from samflow.strategies import STRATEGY_NAMES
from samflow.xmem import Tracker, XMem
from samflow.xmem.blocks import GroupResBlock, JointResBlock
from samflow.xmem.folding import fold_batch_norms, prepare

CPU = torch.device("cpu")
SIZE = (64, 96)


def test_ways_take_turns_and_the_first_round_is_not_counted():
    calls = []
    seconds = time_in_turn({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2)
    assert calls == ["a", "b"] * 3
    assert set(seconds) == {"a", "b"}
    assert all(0 <= spent < 1 for spent in seconds.values())


def test_operations_are_two_for_each_multiply_and_add():
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    assert count_operations(lambda: a @ b) == 2 * 3 * 5 * 7
    assert matrix_peak(CPU, torch.float32, repeats=1) > 0


@torch.inference_mode()
def test_a_joint_block_is_the_block_on_what_is_concatenated():
    torch.manual_seed(0)
    for inner, outer in ((7, 4), (6, 6)):
        joint = JointResBlock(inner, outer)
        x, g = torch.randn(2, inner - 3, 5, 6), torch.randn(2, 3, 3, 5, 6)
        together = torch.cat([x[:, None].expand(-1, 3, -1, -1, -1), g], 2)
        expected = GroupResBlock.forward(joint, together)
        torch.testing.assert_close(joint(x, g), expected, rtol=1e-5, atol=1e-6)


def _with_statistics(network: XMem) -> XMem:
    """Batch norms as after training: their statistics differ from 0 and 1."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.copy_(0.1 * torch.randn(module.num_features, generator=generator))
            module.running_var.copy_(0.5 + torch.rand(module.num_features, generator=generator))
    return network


@torch.inference_mode()
def test_folded_norms_leave_every_feature_as_it_is():
    plain, folded = _with_statistics(small_xmem()), _with_statistics(small_xmem())
    fold_batch_norms(folded)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    image, masks = torch.randn(1, 3, 64, 96), torch.rand(1, 2, 64, 96)
    here, there = plain.encode_key(image), folded.encode_key(image)
    for a, b in zip(here, there, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    hidden = torch.zeros(1, 2, 4, 4, 6)
    a, b = (
        n.encode_value(image, f.f16, masks, hidden) for n, f in ((plain, here), (folded, there))
    )
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_the_plain_path_of_xmem_gives_what_the_tracker_gives():
    network = _with_statistics(small_xmem())
    labels = np.zeros(SIZE, np.uint8)
    labels[:20], labels[40:] = 1, 2
    plain = PlainXMem(network)
    tracker = Tracker(prepare(_with_statistics(small_xmem()), CPU, torch.float32), long_term=False)
    images = np.random.default_rng(0).integers(0, 256, (13, *SIZE, 3), dtype=np.uint8)
    for number, image in enumerate(images):
        given = None if number else labels
        np.testing.assert_allclose(
            plain.step(image, given), tracker.step(image, given), atol=1e-4, err_msg=str(number)
        )


def test_the_official_encoder_stands_beside_ours():
    image = np.random.default_rng(0).integers(0, 256, (72, 128, 3), dtype=np.uint8)
    ours, official = (kind(small_sam(), "cpu").embed(image) for kind in (Sam, OfficialSam))
    torch.testing.assert_close(ours.features, official.features, rtol=1e-5, atol=1e-5)
    assert ours.input_size == official.input_size


def test_masks_in_bfloat16_are_those_of_float32():
    found = precision_agreement("cpu", clips=1, frames=2)
    assert list(found) == list(STRATEGY_NAMES)
    for iou in found.values():
        assert 0.99 <= iou["lowest"] <= iou["mean"] <= 1


def test_bfloat16_networks_compute_in_bfloat16_and_keep_their_memory_in_float32():
    network = prepare(small_xmem(), CPU, torch.bfloat16)
    assert network.precision is torch.bfloat16
    features = network.encode_key(torch.zeros(1, 3, 32, 32))
    assert features.key.dtype is torch.float32
    value, hidden = network.encode_value(
        torch.zeros(1, 3, 32, 32),
        features.f16,
        torch.zeros(1, 1, 32, 32),
        torch.zeros(1, 1, 4, 2, 2),
    )
    assert (value.dtype, hidden.dtype) == (torch.float32, torch.float32)
    sam = Sam(small_sam(), "cpu", precision="bfloat16")
    assert sam.model.image_encoder.patch_embed.proj.weight.dtype is torch.bfloat16
    assert sam.embed(np.zeros((40, 60, 3), np.uint8)).features.dtype is torch.float32


def test_an_unknown_precision_is_refused_by_name():
    assert resolve_precision("float32", CPU) is torch.float32
    assert resolve_precision("auto", CPU) in (torch.float32, torch.bfloat16)
    with pytest.raises(SamflowError, match="precision 'half' is unknown: expected float32"):
        resolve_precision("half", CPU)


def test_the_whole_method_in_the_plain_way_gives_the_run_s_masks():
    row = run_row(3, (136, 240), "cpu")
    assert row["error"] < 0.001
    assert 0 < row["around"] < 1


def test_memory_and_time_of_a_run_are_those_of_a_process_of_its_own():
    case = measure_case(Case("frames", 2, 64, 96, 2))
    assert case["frames"] == 2
    assert case["seconds"] > 0
    assert case["peak_bytes"] is None or case["peak_bytes"] > 50e6
    with pytest.raises(SamflowError, match=r"measuring .*'nowhere'.* failed"):
        measure_case(Case("frames", 2, 64, 96, device="nowhere"))


def test_a_bench_ends_in_a_table_a_figure_and_json(monkeypatch, tmp_path):
    # its encoder goes before the decoder of the demo SAM
    architecture = SamArchitecture(128, 16, 48, 3, 2, 3, (1,))
    monkeypatch.setitem(sam_speed.ARCHITECTURES, "small", architecture)
    options = BenchOptions(
        sam="small",
        encoder_size=(72, 128),
        step_size=(32, 48),
        repeats=1,
        steps=5,
        frames=2,
        agreement=(1, 2),
        growth=(),
        device="cpu",
    )
    measured = bench(options)
    measured.growth = [
        {
            "kind": kind,
            "sam": "demo",
            "frames": n,
            "height": 64,
            "width": 96,
            "regions": n,
            "seconds": 0.1,
            "peak_bytes": 1e8 * n,
        }
        for kind in ("frames", "frame size", "regions")
        for n in (1, 2)
    ]
    text = bench_text(measured)
    assert [row["what"] for row in measured.rows] == [
        *["SAM's encoder, small"] * 2,
        *["XMem step"] * 2,
        "all four strategies, demo SAM",
        "all four strategies, small",
    ]
    for row in measured.rows:
        assert row["speedup"] == row["reference_seconds"] / row["seconds"]
    assert "| SAM's encoder, small | float32 |" in text
    write_bench(measured, tmp_path / "bench.json")
    assert json.loads((tmp_path / "bench.json").read_text())["rows"] == measured.rows
    assert (tmp_path / "bench.png").stat().st_size > 1000


def test_what_can_not_be_measured_is_said_in_one_line(tmp_path):
    with pytest.raises(SamflowError, match="SAM of size 'vit_x' is unknown: choose from vit_b"):
        bench(BenchOptions(sam="vit_x"))
    with pytest.raises(SamflowError, match=r"has no inference/inference_core\.py"):
        official_stepper(tmp_path, small_xmem())
