"""Where to correct next: the choice against exhaustive search, and what it must not do."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs import write_run
from samflow.errors import SamflowError
from samflow.results.suggesting import choose_frames, picture_path, suggest
from samflow.video import Video

SIZE = (32, 48)


def saved(drift, path, frames, reach):
    return (np.exp(-np.abs(path[frames][:, None] - path) / reach).max(axis=0) * drift).sum()


@given(st.integers(0, 10**6), st.integers(1, 3))
def test_the_choice_is_nearly_the_best_of_all(seed, count):
    from samflow.results.suggesting import _REACH

    rng = np.random.default_rng(seed)
    drift = rng.random(12)
    path = np.concatenate([[0], np.cumsum(rng.random(11))])
    path /= path[-1]
    chosen = choose_frames(drift, path, [0], count)
    frames = [frame for frame, _ in chosen]
    assert len({0, *frames}) == count + 1
    none = saved(drift, path, [0], _REACH)
    best = max(saved(drift, path, [0, *c], _REACH) for c in combinations(range(1, 12), count))
    own = saved(drift, path, [0, *frames], _REACH)
    # Nemhauser, Wolsey and Fisher 1978
    assert own - none >= (1 - 1 / np.e) * (best - none) - 1e-9
    np.testing.assert_allclose(sum(gain for _, gain in chosen) * drift.sum(), own - none, atol=1e-9)
    gains = [gain for _, gain in chosen]
    assert gains == sorted(gains, reverse=True)


def test_given_frames_are_not_suggested_and_not_more_than_there_are():
    drift, path = np.ones(5), np.linspace(0, 1, 5)
    assert sorted(frame for frame, _ in choose_frames(drift, path, [0, 3], 99)) == [1, 2, 4]
    assert choose_frames(np.zeros(3), np.linspace(0, 1, 3), [0], 1)[0][1] == 0.0


def test_the_path_follows_the_picture(tmp_path):
    labels = [np.zeros(SIZE, np.uint8)] * 4
    # a grey that is 9 brighter on each frame
    run = write_run(tmp_path, {"a": labels}, [0.0, 0.1, 0.2, 0.3])
    np.testing.assert_allclose(picture_path(run.clip()), [0, 1 / 3, 2 / 3, 1], atol=0.05)
    np.testing.assert_array_equal(picture_path(Video(run.record.video.path)[:1]), [0])


def test_the_frames_where_strategies_part_are_suggested(tmp_path):
    frames = 20
    good = np.zeros(SIZE, np.uint8)
    good[:16] = 1
    bad = np.zeros(SIZE, np.uint8)
    bad[:30] = 1
    lost = [bad if 12 <= index < 17 else good for index in range(frames)]
    times = [index / 10 for index in range(frames)]
    run = write_run(tmp_path, {"a": [good] * frames, "b": lost}, times)
    table = suggest(run, 2)
    assert list(table.columns) == ["frame", "time_s", "drift", "gain"]
    assert 11 <= table["frame"][0] <= 17
    assert table["time_s"][0] == pytest.approx(table["frame"][0] / 10)
    assert table["gain"].is_monotonic_decreasing
    with pytest.raises(SamflowError, match="0 frames to suggest, expected at least 1"):
        suggest(run, 0)
