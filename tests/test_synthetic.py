import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samflow.errors import SamflowError
from samflow.lab.synthetic import (
    HELD_OUT_SEEDS,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    DyeClip,
    DyeSimulation,
    Look,
    Painter,
    Scene,
    background_points,
)
from samflow.lab.synthetic.channel import Channel

SIZE = (54, 96)
HASH = """
import hashlib
from samflow.lab.synthetic import DyeClip
digest = hashlib.sha256()
for image, labels in DyeClip(seed=11, size=(54, 96), frames=3, look="random"):
    digest.update(image.tobytes() + labels.tobytes())
print(digest.hexdigest())
"""


def simulate(seed: int, size: tuple[int, int], steps: int = 30) -> DyeSimulation:
    simulation = DyeSimulation(np.random.default_rng(seed), size)
    for _ in range(steps):
        simulation.step()
    return simulation


@pytest.mark.parametrize("threads", ["1", "4"])
def test_same_seed_gives_same_bytes_in_another_process(threads):
    digest = hashlib.sha256()
    for image, labels in DyeClip(seed=11, size=SIZE, frames=3, look="random"):
        digest.update(image.tobytes() + labels.tobytes())
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENCV_FOR_THREADS_NUM": threads}
    command = [sys.executable, "-c", HASH]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert output.stdout.strip() == digest.hexdigest()


def test_another_seed_gives_another_film():
    first, second = (next(iter(DyeClip(seed, SIZE, 1))) for seed in (1, 2))
    assert (first[1] != second[1]).mean() > 0.02
    assert not np.array_equal(first[0], second[0])


def test_long_clip_begins_with_the_short_one_and_iterates_anew():
    long = DyeClip(seed=3, size=SIZE, frames=5)
    short = list(DyeClip(seed=3, size=SIZE, frames=2))
    for _ in range(2):
        for (image, labels), (short_image, short_labels) in zip(long, short, strict=False):
            np.testing.assert_array_equal(image, short_image)
            np.testing.assert_array_equal(labels, short_labels)
    assert len(long) == len(list(long)) == 5


def test_frames_move():
    labels = list(DyeClip(seed=3, size=SIZE, frames=3).labels())
    assert 0.002 < (labels[0] != labels[1]).mean() < 0.4


def test_look_changes_the_picture_but_not_the_truth():
    demo, random = (list(DyeClip(seed=4, size=SIZE, frames=2, look=k)) for k in ("demo", "random"))
    for (image, labels), (other, other_labels) in zip(demo, random, strict=True):
        np.testing.assert_array_equal(labels, other_labels)
        assert np.abs(image.astype(int) - other).mean() > 5


@settings(max_examples=8, deadline=None)
@given(st.tuples(st.integers(32, 90), st.integers(32, 90)), st.integers(0, 99))
def test_any_size_with_plausible_labels(size, seed):
    image, labels = next(iter(DyeClip(seed, size, 1, look="random")))
    assert image.shape == (*size, 3)
    assert image.dtype == labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    rows = [np.nonzero(labels == i)[0].mean() for i in (1, 2, 3)]
    assert rows == sorted(rows)  # upper dye, lower dye, bottom surface


def test_pictures_above_the_grid_height_keep_sharp_labels_and_walls():
    simulation = simulate(5, (540, 200), steps=2)
    labels = simulation.labels()
    assert labels.shape == simulation.fields()[0].shape == (540, 200)
    wall = simulation.channel.wall((np.arange(200) + 0.5) / 540)
    expected = (np.arange(540)[:, None] + 0.5) / 540 >= wall
    np.testing.assert_array_equal(labels == 3, expected)


def test_labels_are_the_bands_of_eta_between_the_walls():
    simulation = simulate(6, SIZE)
    eta, _ = simulation.fields()
    first, second, third, last = simulation.channel.bands
    labels = simulation.labels()
    y = (np.arange(SIZE[0]) + 0.5) / SIZE[0]
    for row, column in np.ndindex(SIZE):
        inside = first <= eta[row, column] < second, third <= eta[row, column] < last
        expected = 1 if inside[0] else 2 if inside[1] else 0
        if y[row] < simulation.channel.top:
            expected = 0
        if y[row] >= simulation.channel.wall(np.array([(column + 0.5) / SIZE[0]]))[0]:
            expected = 3
        assert labels[row, column] == expected


def test_a_clear_film_shows_exactly_what_the_labels_say():
    colors = {0: (1.0, 1.0, 1.0), 1: (0.0, 0.0, 1.0), 2: (1.0, 0.0, 0.0), 3: (0.0, 0.7, 0.0)}
    look = Look(
        fluid=colors[0], dye1=colors[1], dye2=colors[2], wall=colors[3],
        opacity=(1.0, 1.0), streaks=0.0, fade=0.0, gradient=(0.0, 0.0), vignette=0.0, drift=0.0,
        flicker=0.0, blur=0.0, grain=0.0, jpeg=100,
    )  # fmt: skip
    simulation = simulate(7, (270, 480), steps=20)
    labels = simulation.labels()
    image = Painter(look, (270, 480), 0).paint(labels, simulation.fields()[1], 0) / 255
    distance = [np.abs(image - np.array(colors[i])).sum(-1) for i in range(4)]
    assert (np.argmin(distance, 0) == labels).mean() > 0.96  # all but the soft edges


def test_velocity_is_free_of_divergence_and_zero_inside_the_walls():
    flow = simulate(8, (270, 480), steps=0).flow
    u, v = flow.velocity(3.0)
    divergence = np.gradient(u, 2.0, axis=1) + np.gradient(v, 2.0, axis=0)
    shear = np.abs(np.gradient(u, 2.0, axis=0)).mean()
    # central differences along x and y commute, so only rounding is left
    assert np.abs(divergence[2:-2, 2:-2]).max() < 1e-3 * shear
    for wall in (0.0, 1.0):
        still = flow.depth == wall
        still[1:-1] &= still[2:] & still[:-2]
        still[:, 1:-1] &= still[:, 2:] & still[:, :-2]
        core = still[2:-2, 2:-2]
        assert core.any()
        assert np.hypot(u, v)[2:-2, 2:-2][core].max() < 1e-4 * flow.speed


def test_every_cross_section_carries_the_same_flow():
    flow = simulate(9, (270, 480), steps=0).flow
    discharge = flow.stream(0.0)[-1] - flow.stream(0.0)[0]
    np.testing.assert_allclose(discharge, discharge[0], rtol=1e-5)
    assert discharge[0] > 0


def test_turbulence_is_a_moderate_share_of_the_mean_speed():
    flow = simulate(10, (270, 480), steps=0).flow
    core = (flow.depth > 0.3) & (flow.depth < 0.7)
    u, v = flow.velocity(0.0)
    assert 0.05 < v[core].std() / flow.speed < 0.6
    assert 0.8 < u[core].mean() / flow.speed < 1.6


def test_uniform_flow_carries_both_fields_without_change(monkeypatch):
    simulation = simulate(12, (64, 160), steps=20)
    before = [field.copy() for field in simulation.fields()]
    shape = simulation.flow.depth.shape
    uniform = (np.full(shape, 3.0, np.float32), np.zeros(shape, np.float32))
    monkeypatch.setattr(simulation.flow, "velocity", lambda time: uniform)
    for _ in range(4):
        simulation.step()
    for old, moved in zip(before, simulation.fields(), strict=True):
        np.testing.assert_allclose(moved[:, 12:], old[:, :-12], atol=1e-5)


@pytest.mark.parametrize("shape", ["sine", "triangle", "square", "scallop"])
def test_ridges_stand_on_the_wall_with_their_height_and_wavelength(shape):
    channel = Channel(0.05, 0.1, 0.06, 0.25, 0.3, shape, (0.1, 0.4, 0.5, 2.0))
    x = np.linspace(0.0, 1.0, 1001)
    wall = channel.wall(x)
    assert wall.max() == pytest.approx(0.9, abs=1e-3)
    assert wall.min() == pytest.approx(0.84, abs=1e-3)
    np.testing.assert_allclose(wall[:750], wall[250:1000], atol=1e-9)


def test_prompts_are_the_truth_of_frame_zero():
    clip = DyeClip(seed=13, size=SIZE, frames=2)
    labels = next(clip.labels())
    prompts = clip.prompts()
    assert [(r.id, r.background) for r in prompts.regions] == [(1, False), (2, False), (3, True)]
    for region in prompts.regions:
        x0, y0, x1, y1 = map(int, region.box)
        mask = labels == region.id
        assert mask[y0:y1, x0:x1].sum() == mask.sum()
        for edge in (mask[y0], mask[y1 - 1], mask[:, x0], mask[:, x1 - 1]):
            assert edge.any()
    assert 1 <= len(prompts.background_points) <= 4
    assert all(labels[int(y), int(x)] == 0 for x, y in prompts.background_points)
    assert (prompts.frame.height, prompts.frame.width) == SIZE


def test_background_points_stop_where_background_ends():
    labels = np.ones((40, 60), np.uint8)
    assert background_points(labels, 4) == []
    labels[10:13, 20:23] = 0
    assert background_points(labels, 4) == [(21.0, 11.0)]


def test_seed_ranges_do_not_meet():
    ranges = [HELD_OUT_SEEDS, TRAINING_SEEDS, VALIDATION_SEEDS]
    for i, first in enumerate(ranges):
        for second in ranges[i + 1 :]:
            assert first.stop <= second.start or second.stop <= first.start
    assert len(HELD_OUT_SEEDS) == 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": (31, 80)}, "at least 32x32 px and 1 frame, got 80x31 px"),
        ({"frames": 0}, "and 0 frames"),
        ({"look": "pretty"}, "look 'pretty' is unknown"),
    ],
)
def test_wrong_arguments_say_what_is_expected(arguments, message):
    with pytest.raises(SamflowError, match=message):
        DyeClip(seed=1, **arguments)


@pytest.mark.parametrize("wrong", [{"gaps": 1.0}, {"gaps": -0.1}, {"bubbles": -1}, {"steps": -1}])
def test_a_scene_that_cannot_be(wrong):
    with pytest.raises(SamflowError, match=r"expected gaps in \[0, 1\) and bubbles, .* got Scene"):
        Scene(**wrong)


def test_an_empty_scene_is_no_scene():
    plain = DyeClip(seed=21, size=SIZE, frames=2)
    empty = DyeClip(seed=21, size=SIZE, frames=2, scene=Scene(bubbles=0, gaps=0.0, shake=0.0))
    for (image, labels), (other, other_labels) in zip(plain, empty, strict=True):
        np.testing.assert_array_equal(image, other)
        np.testing.assert_array_equal(labels, other_labels)


def test_a_full_scene_gives_the_same_bytes_again_and_its_labels_alone_are_the_truth():
    look = replace(Look.demo(), swing=0.4, scratches=3, interlace=True)
    scene = Scene(bubbles=3, gaps=0.1, steps=2, shake=4.0)
    first, again = (DyeClip(22, SIZE, 3, look=look, scene=scene) for _ in range(2))
    pictures = list(first)
    for (image, labels), (other, other_labels) in zip(pictures, again, strict=True):
        np.testing.assert_array_equal(image, other)
        np.testing.assert_array_equal(labels, other_labels)
    for (_, labels), alone in zip(pictures, first.labels(), strict=True):
        np.testing.assert_array_equal(labels, alone)


def test_bubbles_are_discs_of_background_in_their_colour():
    size, scene = (135, 240), Scene(bubbles=4)
    look = replace(Look.demo(), bubble=(0.0, 1.0, 0.0), blur=0.0, grain=0.0, vignette=0.0, jpeg=100)
    without = list(DyeClip(23, size, 2, look=look).labels())
    for index, (image, labels) in enumerate(DyeClip(23, size, 2, look=look, scene=scene)):
        circles = scene.circles(size, 23, index)
        assert circles.shape == (4, 3)
        y, x = np.mgrid[: size[0], : size[1]]
        inside = np.zeros(size, bool)
        for cx, cy, radius in circles:
            inside |= (x - cx) ** 2 + (y - cy) ** 2 < radius**2
        np.testing.assert_array_equal(labels, np.where(inside, 0, without[index]))
        green = image[..., 1].astype(int) - image[..., [0, 2]].max(-1)
        assert inside.sum() > 200
        assert (green[inside] > 40).mean() > 0.85
        assert (green[~inside] > 40).mean() < 0.02
    moved = np.abs(scene.circles(size, 23, 1)[:, 0] - scene.circles(size, 23, 0)[:, 0])
    assert ((moved > 0) & (moved < 3)).sum() >= 3  # one may have come round the edge


def test_gaps_are_clear_places_in_the_dye_and_nowhere_else():
    plain = list(DyeClip(24, (135, 240), 2).labels())
    for gaps, least, most in ((0.1, 0.01, 0.2), (0.4, 0.2, 0.6)):
        holed = list(DyeClip(24, (135, 240), 2, scene=Scene(gaps=gaps)).labels())
        for before, after in zip(plain, holed, strict=True):
            changed = before != after
            assert (after[changed] == 0).all()
            assert set(np.unique(before[changed])) <= {1, 2}
            assert least < changed.sum() / np.isin(before, [1, 2]).sum() < most


def test_more_steps_between_frames_are_the_frames_left_out():
    slow = list(DyeClip(25, SIZE, 5, scene=Scene(steps=1)).labels())
    fast = list(DyeClip(25, SIZE, 2, scene=Scene(steps=4)).labels())
    np.testing.assert_array_equal(fast[0], slow[0])
    np.testing.assert_array_equal(fast[1], slow[4])


def test_a_shaken_camera_shifts_picture_and_truth_alike():
    size, scene = (108, 160), Scene(shake=6.0)
    calm = replace(
        Look.demo(),
        gradient=(0.0, 0.0),
        vignette=0.0,
        drift=0.0,
        flicker=0.0,
        blur=0.0,
        grain=0.0,
        jpeg=100,
    )
    shifts = [scene.shift(size, 26, index) for index in range(200)]
    assert np.sqrt(np.mean(np.square(shifts), axis=0)) == pytest.approx(6.0 * 108 / 270, rel=0.3)
    still = list(DyeClip(26, size, 3, look=calm))
    for index, (image, labels) in enumerate(DyeClip(26, size, 3, look=calm, scene=scene)):
        down, right = shifts[index]
        inner = np.s_[20:-20, 20:-20]
        rolled = np.roll(still[index][1], (down, right), (0, 1))
        np.testing.assert_array_equal(labels[inner], rolled[inner])
        picture = np.roll(still[index][0], (down, right), (0, 1))
        apart = np.abs(picture[inner].astype(int) - image[inner]).mean()
        unmoved = np.abs(still[index][0][inner].astype(int) - image[inner]).mean()
        assert apart < 0.6 * unmoved or shifts[index] == (0, 0)
    assert any(shift != (0, 0) for shift in shifts[:3])


def test_interlaced_frames_show_the_frame_before_in_every_second_line():
    plain = [image for image, _ in DyeClip(27, SIZE, 3)]
    woven = [image for image, _ in DyeClip(27, SIZE, 3, look=replace(Look.demo(), interlace=True))]
    np.testing.assert_array_equal(woven[0], plain[0])
    for index in (1, 2):
        np.testing.assert_array_equal(woven[index][::2], plain[index][::2])
        np.testing.assert_array_equal(woven[index][1::2], plain[index - 1][1::2])


def test_a_moving_lamp_brightens_one_side_and_darkens_the_other():
    pictures = [
        [image.astype(float) for image, _ in DyeClip(28, SIZE, 12, look=look)]
        for look in (Look.demo(), replace(Look.demo(), swing=0.5))
    ]
    ratio = [swung / np.maximum(plain, 1) for plain, swung in zip(*pictures, strict=True)]
    assert np.abs(ratio[0] - 1).max() < 0.1
    assert np.median(ratio[11][:, :20]) < 0.85
    assert np.median(ratio[11][:, -20:]) > 1.1


def test_scratches_are_upright_and_stay():
    size = (135, 240)
    pictures = [
        [image.astype(int) for image, _ in DyeClip(29, size, 3, look=look)]
        for look in (Look.demo(), replace(Look.demo(), scratches=6))
    ]
    columns = [
        set(np.flatnonzero((np.abs(a - b).max(-1) > 30).mean(axis=0) > 0.2))
        for a, b in zip(*pictures, strict=True)
    ]
    assert all(2 <= len(found) <= 40 for found in columns)
    near = {column + step for column in columns[0] for step in (-2, -1, 0, 1, 2)}
    assert len(columns[1] & near) >= len(columns[1]) / 2
