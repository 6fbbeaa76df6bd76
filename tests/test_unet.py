"""The strategy `unet`: what it learns from, and that it learns the same again."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import test_baselines
from models import save_models
from samflow.errors import SamflowError
from samflow.lab.demo_run import write_dye_clip
from samflow.lab.synthetic import DyeClip
from samflow.masks import without_labels
from samflow.results.metrics import region_similarity
from samflow.runs import Run
from samflow.runs.clip_frames import frames_of
from samflow.sam import load_sam
from samflow.strategies import Frame, UNetStrategy, build_strategies, segment_first_frame
from samflow.strategies.unet import UNet, _part, fit_unet, with_places, woven
from samflow.video import Video

STEPS = 100
SIZE = (36, 56)


def drawn(**given):
    """The baselines' picture and its label map, of half the size: a fit takes seconds."""
    image, labels = test_baselines.drawn(**given)
    return image[::2, ::2], labels[::2, ::2]


def _similarities(labels, truth):
    return [region_similarity(labels == i, truth == i) for i in (1, 2)]


@pytest.fixture(scope="module")
def fitted():
    """A strategy that learnt from one picture, and its result there."""
    strategy = UNetStrategy(steps=STEPS)
    image, labels = drawn()
    return strategy, strategy.start(Frame(image, 0), labels)


def test_a_clear_picture_is_segmented_there_and_on_a_later_frame(fitted):
    strategy, first = fitted
    later, truth = drawn(left=40, seed=1)
    got = strategy.step(Frame(later, 1))
    assert first.dtype == got.dtype == np.uint8
    assert first.shape == got.shape == SIZE
    assert min(_similarities(first, drawn()[1])) > 0.9
    assert min(_similarities(got, truth)) > 0.9


def test_it_takes_no_number_of_a_global_generator(fitted):
    image, labels = drawn()
    state = torch.get_rng_state()
    pixels = with_places(torch.from_numpy(image[:32, :48]).permute(2, 0, 1).repeat(5, 1, 1) / 255)
    once, again = (
        fit_unet([pixels], [torch.from_numpy(labels[:32, :48]).long()], 3, steps=2)
        for _ in range(2)
    )
    assert torch.equal(torch.get_rng_state(), state)
    for name, values in once.state_dict().items():
        assert torch.equal(values, again.state_dict()[name]), name
    assert not any(each.requires_grad for each in once.parameters())


def test_logits_have_the_size_of_the_images():
    assert UNet(5)(torch.zeros(2, 18, 40, 24)).shape == (2, 5, 40, 24)


def test_places_are_rows_columns_and_fields():
    colors = torch.rand(15, 4, 6)
    seen = with_places(colors)
    assert torch.equal(seen[:15], colors)
    down, across, field = seen[15:]
    assert torch.allclose(down, torch.tensor([-0.5, -1 / 6, 1 / 6, 0.5])[:, None].expand(4, 6))
    assert torch.allclose(across[0], torch.tensor([-0.5, -0.3, -0.1, 0.1, 0.3, 0.5]))
    assert torch.equal(across, across[:1].expand(4, 6))
    assert field.tolist() == [[-0.5] * 6, [0.5] * 6] * 2


def test_a_weave_joins_the_lines_of_one_moment():
    # an interlaced film: frame t shows moment t on its even lines, t - 1 on its odd ones
    moments = np.random.default_rng(0).integers(0, 256, (4, 7, 5, 3), np.uint8)
    before, image, after = (moments[t].copy() for t in (1, 2, 3))
    for frame, earlier in ((before, 0), (image, 1), (after, 2)):
        frame[1::2] = moments[earlier][1::2]
    seen = np.split(woven(before, image, after), 5, axis=2)
    for found, expected in zip(seen, (before, image, after, moments[2]), strict=False):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(seen[4][::2], after[::2])
    np.testing.assert_array_equal(seen[4][1::2], image[1::2])


@pytest.mark.parametrize("size", [(48, 64), (320, 640)])
def test_a_step_sees_a_part_with_its_labels_in_another_light(size):
    image = with_places(torch.full((15, *size), -0.5))
    image[3] = 0.25
    numbers = torch.arange(size[0] * size[1]).reshape(size)
    random, seen = np.random.default_rng(0), set()
    for _ in range(20):
        part, truth = _part([image], [numbers], random)
        height, width = truth.shape
        assert part.shape == (18, height, width)
        assert (height, width) == tuple(map(min, (288, 512), size))
        # each pixel still lies where its label does, and even lines come first
        torch.testing.assert_close(part[15:], image[15:].flatten(1)[:, truth])
        assert part[17, 0, 0] == -0.5
        assert (part[0] == -0.5).all()  # black stays black
        light = (part[3] + 0.5) / 0.75
        assert light.min() >= 0.2 - 1e-6
        assert light.std() > 0
        seen.add((truth[0, 0] > truth[0, -1]).item())
    assert seen == {False, True}


def test_what_shows_only_on_the_frame_after_is_learnt():
    labels = np.zeros((40, 64), np.uint8)
    labels[:, 16:40] = 1
    grey, levels = np.full((40, 64, 3), 128, np.uint8), np.array([60, 200], np.uint8)
    strategy = UNetStrategy(steps=STEPS)
    strategy.start(Frame(grey, 0, after=np.stack([levels[labels]] * 3, 2)), labels)
    moved = np.roll(labels, 12, 1)
    got = strategy.step(Frame(grey, 1, after=np.stack([levels[moved]] * 3, 2)))
    assert region_similarity(got == 1, moved == 1) > 0.9


@pytest.mark.parametrize("label", [0, 7])
def test_a_picture_of_one_label_teaches_that_one(label):
    strategy = build_strategies(["unet"])["unet"]
    image = drawn()[0]
    given = np.full(SIZE, label, np.uint8)
    np.testing.assert_array_equal(strategy.start(Frame(image, 0), given), given)
    np.testing.assert_array_equal(strategy.step(Frame(drawn(seed=1)[0], 1)), given)


def test_labels_need_not_be_consecutive():
    image, labels = drawn()
    strategy = UNetStrategy(steps=20)
    strategy.start(Frame(image, 0), labels * np.uint8(40))
    assert set(np.unique(strategy.step(Frame(image, 1)))) <= {0, 40, 80}


def test_corrections_count_for_more_than_the_first_frame():
    image, labels = drawn()
    wrong = np.zeros_like(labels)
    wrong[:, :20] = 1
    strategy = UNetStrategy(steps=STEPS)
    later, truth = drawn(left=40, seed=1)
    strategy.keep(Frame(later, 5), truth)
    first = strategy.start(Frame(image, 0), wrong)
    assert min(_similarities(first, labels)) > 0.9
    # what was kept counts for one start
    assert min(_similarities(strategy.start(Frame(image, 0), wrong), labels)) < 0.5


def test_the_same_frames_are_learnt_once(monkeypatch):
    fits = []
    monkeypatch.setattr(
        "samflow.strategies.with_unet.fit_unet",
        lambda *arguments: fits.append(1) or fit_unet(*arguments),
    )
    image, labels = drawn()
    strategy = UNetStrategy(steps=3)
    once = strategy.start(Frame(image, 0), labels)
    np.testing.assert_array_equal(strategy.start(Frame(image, 0), labels), once)
    other = UNetStrategy(steps=3)
    other.load_state_dict(strategy.state_dict())
    np.testing.assert_array_equal(other.start(Frame(image, 0), labels), once)
    assert len(fits) == 1
    strategy.start(Frame(image, 0), np.flipud(labels))
    assert len(fits) == 2


def test_larger_frames_are_seen_at_the_working_size(fitted):
    large, truth = (np.repeat(np.repeat(each, 2, 0), 2, 1) for each in drawn())
    strategy = UNetStrategy(steps=STEPS, size=SIZE[0])
    got = strategy.start(Frame(large, 0), truth)
    assert got.shape == truth.shape
    assert min(_similarities(got, truth)) > 0.9
    small = fitted[0].step(Frame(drawn()[0], 0))
    assert (got[::2, ::2] == small).mean() > 0.98


def test_no_steps_are_refused():
    with pytest.raises(SamflowError, match="1 step or more, got 0: default 400"):
        UNetStrategy(steps=0)


def test_by_command(tmp_path):
    prompts = write_dye_clip(tmp_path / "clip", DyeClip(seed=5, size=(54, 96), frames=3))
    sam, _ = save_models(tmp_path)
    command = [Path(sys.executable).with_name("samflow"), "run", tmp_path / "clip" / "clip.mp4"]
    command += ["--prompts", tmp_path / "clip" / "prompts.json", "--out", tmp_path / "run"]
    command += ["--sam", sam, "--device", "cpu", "--strategies", "unet", "--fit-steps", "3"]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    done = Run(tmp_path / "run")
    assert done.record.options["fit_steps"] == 3
    assert set(done.record.models) == {"sam"}  # of the first frame; no other network is loaded
    clip, drawn = Video(tmp_path / "clip" / "clip.mp4"), build_strategies(["unet"], fit_steps=3)
    first, second = frames_of(clip, range(2))
    given = segment_first_frame(load_sam(str(sam), "cpu"), first, prompts)
    found = [drawn["unet"].start(first, given), drawn["unet"].step(second)]
    for index, labels in enumerate(found):
        shown = without_labels(labels, prompts.background_ids)
        assert (done.track("unet")[index] == shown).mean() > 0.999
