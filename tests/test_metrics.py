"""J and F against vos-benchmark and by hand; drift on films whose truth is known."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from scipy import ndimage, stats
from vos_benchmark.benchmark import VideoEvaluator
from vos_benchmark.evaluator import Evaluator

from samflow.errors import SamflowError
from samflow.lab.synthetic import DyeClip
from samflow.results.metrics import (
    boundary_measure,
    drift_scores,
    drift_signs,
    drift_start,
    region_similarity,
    score_track,
    summarise_scores,
)
from samflow.results.metrics.color_models import ColorModels, color_fit
from streams import CountingTrack


def blobs(seed, frames=6, size=(60, 90), regions=(1, 2, 4)):
    """Label maps with smooth random shapes, holes, image-edge contact and vanishing regions."""
    rng = np.random.default_rng(seed)
    maps = np.zeros((frames, *size), np.uint8)
    for region in regions:
        field = ndimage.gaussian_filter(rng.normal(size=(frames, *size)), (0.7, 5, 7))
        level = np.quantile(field, rng.uniform(0.6, 0.9), axis=(1, 2), keepdims=True)
        maps[field > level] = region
    return maps


def write_palette_folder(folder: Path, maps):
    folder.mkdir(parents=True)
    for index, labels in enumerate(maps):
        image = Image.fromarray(labels)
        image.putpalette([0, 0, 0, 0, 0, 255, 255, 0, 0] + [90] * (3 * 253))
        image.save(folder / f"{index:05d}.png")


@pytest.mark.parametrize("skip_ends", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_track_scores_equal_vos_benchmark_on_palette_folders(tmp_path, seed, skip_ends):
    truth, predicted = blobs(seed), blobs(seed)
    predicted = np.roll(predicted, seed, axis=2)
    truth[:2][truth[:2] == 4] = 0  # region 4 appears late in the truth,
    predicted[0][predicted[0] == 4] = 0  # one frame earlier in the prediction,
    truth[4][truth[4] == 1] = 0  # and region 1 vanishes for a frame
    predicted[3][predicted[3] == 2] = 0
    if seed == 3:  # region 2 is lost on both at once, and 4 shows on the first frame only at first
        truth[3][truth[3] == 2] = 0
        truth[0, :5, :5] = 4
    write_palette_folder(tmp_path / "truth" / "clip", truth)
    write_palette_folder(tmp_path / "predicted" / "clip", predicted)
    evaluate = VideoEvaluator(str(tmp_path / "truth"), str(tmp_path / "predicted"), skip_ends)
    _, expected_j, expected_f = evaluate("clip")

    scores = score_track(predicted, truth, [1, 2, 4], skip_ends=skip_ends)
    means = scores.groupby("region")[["J", "F"]].mean() * 100
    assert set(expected_j) == {1, 2, 4}
    for region in (1, 2, 4):
        assert means.loc[region, "J"] == pytest.approx(expected_j[region], abs=1e-6)
        assert means.loc[region, "F"] == pytest.approx(expected_f[region], abs=1e-6)
    overall = summarise_scores(scores).set_index("region").loc["all"]
    assert overall["J_mean"] * 100 == pytest.approx(np.mean(list(expected_j.values())), abs=1e-6)
    assert overall["F_mean"] * 100 == pytest.approx(np.mean(list(expected_f.values())), abs=1e-6)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_every_frame_equals_vos_benchmark(data):
    shape = data.draw(array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=30))
    masks = st.integers(0, 1)
    truth = data.draw(arrays(np.uint8, shape, elements=masks))
    predicted = data.draw(arrays(np.uint8, shape, elements=masks))
    evaluator = Evaluator()
    evaluator.feed_frame(predicted, truth)
    if evaluator.object_iou:
        assert region_similarity(predicted, truth) == pytest.approx(evaluator.object_iou[1][0])
        assert boundary_measure(predicted, truth) == pytest.approx(evaluator.boundary_f[1][0])


def test_boundary_measure_equals_vos_benchmark_on_a_large_frame():
    rng = np.random.default_rng(5)
    field = ndimage.gaussian_filter(rng.normal(size=(2, 1080, 1920)), (0, 25, 25))
    truth, predicted = (field > 0).astype(np.uint8)
    evaluator = Evaluator()
    evaluator.feed_frame(predicted, truth)
    # the radius is 18 px here: ties at integer distances must fall on the same side
    assert boundary_measure(predicted, truth) == pytest.approx(evaluator.boundary_f[1][0], abs=1e-9)


def test_known_values():
    truth = np.zeros((100, 100), bool)
    truth[20:60, 20:60] = True
    shifted = np.roll(truth, 10, axis=1)
    assert region_similarity(shifted, truth) == pytest.approx(30 / 50)
    empty, full = np.zeros_like(truth), np.ones_like(truth)
    assert region_similarity(empty, empty) == boundary_measure(empty, empty) == 1.0
    assert region_similarity(empty, truth) == boundary_measure(empty, truth) == 0.0
    assert boundary_measure(full, truth) == 0.0  # an image-filling mask has no outline
    assert boundary_measure(truth, truth) == 1.0
    # the tolerance is ceil(0.008 * 141.4) = 2 px: of the square's outline rows 19-59 at
    # columns 19 and 59 move by 10 px; at the top and bottom the ends do
    assert 0.3 < boundary_measure(shifted, truth) < 0.7


@given(arrays(bool, (12, 17)), arrays(bool, (12, 17)))
@settings(max_examples=40, deadline=None)
def test_scores_are_symmetric_and_bounded(a, b):
    assert region_similarity(a, b) == region_similarity(b, a)
    assert boundary_measure(a, b) == pytest.approx(boundary_measure(b, a))
    assert 0 <= boundary_measure(a, b) <= 1


def test_summary_by_hand():
    scores = pd.DataFrame(
        {
            "frame": np.repeat(np.arange(5), 2),
            "region": [1, 2] * 5,
            "J": [1, 0.8, 0.9, 0.2, 0.8, 0.7, 0.7, 0.6, 0.5, 0.4],
            "F": 0.5,
        }
    )
    table = summarise_scores(scores).set_index("region")
    assert list(table.index) == ["1", "2", "all"]
    assert table.loc["1", "J_mean"] == pytest.approx(0.78)
    assert table.loc["1", "J_last_quarter"] == pytest.approx(0.6)  # frames 3 and 4
    assert table.loc["2", "J_worst"] == pytest.approx(0.2)
    assert table.loc["2", "J_worst_frame"] == 1
    assert table.loc["all", "J_mean"] == pytest.approx((0.78 + 0.54) / 2)
    assert table.loc["all", "J_worst_frame"] == 4
    assert table.loc["all", "J_worst"] == pytest.approx(0.45)
    assert (table["F_mean"] == 0.5).all()


def test_one_frame_is_held_at_a_time_and_frame_numbers_are_kept():
    maps = blobs(1, frames=40, size=(20, 30))
    track = CountingTrack(maps, range(100, 140))
    truth = CountingTrack(maps, range(100, 140))
    scores = score_track(track, truth, [1, 2])
    assert track.most <= 3
    assert scores["frame"].min() == 100
    assert scores["frame"].max() == 139


@pytest.mark.parametrize(
    ("predicted", "truth", "message"),
    [
        (np.zeros((0, 4, 4), np.uint8), np.ones((2, 4, 4), np.uint8), "'predicted' has no frame"),
        (np.ones((3, 4, 4), np.uint8), np.ones((2, 4, 4), np.uint8), "frame 2 is only in one"),
        (np.ones((2, 4, 5), np.uint8), np.ones((2, 4, 4), np.uint8), "4 x 4 px .* expected 4 x 5"),
        (np.ones((2, 4, 4), float), np.ones((2, 4, 4), np.uint8), "expected a label map"),
        (np.ones((2, 4, 4, 3), np.uint8), np.ones((2, 4, 4), np.uint8), "expected a label map"),
        (np.zeros((2, 4, 4), np.uint8), np.zeros((2, 4, 4), np.uint8), "none of the regions"),
    ],
)
def test_bad_tracks_are_refused(predicted, truth, message):
    with pytest.raises(SamflowError, match=message):
        score_track(predicted, truth, [1])


def test_missing_frames_are_named():
    maps = np.ones((3, 4, 4), np.uint8)
    with pytest.raises(SamflowError, match="frame 1 is only in one of them"):
        score_track(CountingTrack(maps, [0, 2, 3]), CountingTrack(maps, [0, 1, 2]), [1])


@pytest.mark.parametrize("ids", [[], [0, 1]])
def test_bad_ids_are_refused(ids):
    maps = np.ones((3, 4, 4), np.uint8)
    with pytest.raises(SamflowError, match="label above 0"):
        score_track(maps, maps, ids)


def test_masks_of_different_size_are_refused():
    for measure in (region_similarity, boundary_measure):
        with pytest.raises(SamflowError, match=r"\(4, 4\) and \(4, 5\)"):
            measure(np.ones((4, 4)), np.ones((4, 5)))
    with pytest.raises(SamflowError, match="lacks the columns"):
        summarise_scores(pd.DataFrame({"frame": [0], "J": [1.0]}))


# ---- drift without truth


def disc_film(frames=16, size=(72, 108), seed=0):
    """A noisy film of a bright disc that moves right, with its true label maps."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    film, truth = [], []
    for i in range(frames):
        mask = (x - 35 - 2 * i) ** 2 + (y - 36) ** 2 <= 18**2
        image = np.where(mask[..., None], (200, 60, 40), (40, 60, 160))
        film.append((image + rng.normal(0, 12, (*size, 3))).clip(0, 255).astype(np.uint8))
        truth.append(mask.astype(np.uint8))
    return film, truth


def test_signs_by_hand():
    film, truth = disc_film(4)
    wide = [ndimage.binary_dilation(m, iterations=3).astype(np.uint8) for m in truth]
    wide[3] = np.zeros_like(wide[3])
    table = drift_signs({"good": truth, "wide": wide}, film, [1])
    assert len(table) == 8
    good, bad = (table[table["strategy"] == name].set_index("frame") for name in ("good", "wide"))
    for frame in range(3):
        expected = region_similarity(truth[frame], wide[frame])
        assert good.loc[frame, "agreement"] == bad.loc[frame, "agreement"] == expected
    assert np.isnan(good.loc[0, "area_jump"])
    assert (good["area_jump"].dropna() == 0).all()
    assert (good["area_change"] == 0).all()
    assert bad.loc[3, "area_jump"] == bad.loc[3, "area_change"] == -np.inf
    assert bad.loc[3, "agreement"] == 0
    assert np.isnan(bad.loc[3, ["color_fit", "first_color_fit"]].astype(float)).all()
    for sign in ("color_fit", "first_color_fit"):
        assert (good[sign] > 0.99).all()
        assert (bad[sign][:3] < 0.9).all()


def test_a_change_of_light_is_no_misfit():
    film, truth = disc_film(6)
    darker = [film[0], *(np.round(0.6 * image + 10).astype(np.uint8) for image in film[1:])]
    table = drift_signs({"good": truth}, darker, [1])
    assert (table["first_color_fit"] > 0.98).all()
    swapped = [film[0], *(image[..., ::-1] for image in film[1:])]
    table = drift_signs({"good": truth}, swapped, [1])
    assert (table["first_color_fit"][1:] < 0.5).all()
    assert (table["color_fit"] > 0.98).all()


def test_colour_shares_are_those_of_gaussians():
    rng = np.random.default_rng(2)
    labels = np.zeros((60, 90), np.uint8)
    labels[:, 30:60], labels[:, 60:] = 1, 2
    means = np.array([[60, 128, 128], [80, 130, 120], [90, 150, 140]])
    lab = (means[labels] + rng.normal(0, 6, (60, 90, 3))).astype(np.float32)
    models = ColorModels.learn(labels, lab)
    assert models.labels == (0, 1, 2)
    np.testing.assert_allclose(models.means, means, atol=1)
    shares = models.shares(lab)
    densities = np.stack(
        [
            stats.multivariate_normal(mean, covariance).pdf(lab)
            for mean, covariance in zip(models.means, models.covariances, strict=True)
        ]
    )
    for label, expected in enumerate(densities / densities.sum(axis=0)):
        np.testing.assert_allclose(shares[label], expected, atol=1e-4)
    # a label with too few pixels has no colour, and an empty picture no models
    few = np.zeros_like(labels)
    few[0, :5] = 7
    assert ColorModels.learn(few, lab).labels == (0,)


def test_color_fit_by_hand():
    mask = np.zeros((90, 90), bool)
    mask[30:60, 30:60] = True
    assert color_fit(mask, mask.astype(np.float32)) == 1
    assert color_fit(mask, np.full(mask.shape, 0.5, np.float32)) < 0.5
    far = mask.astype(np.float32)
    far[:10] = 1  # the same colour far away says nothing
    assert color_fit(mask, far) == 1
    half = mask.astype(np.float32)
    half[:45] = 0
    assert color_fit(mask, half) == pytest.approx(0.5)
    assert color_fit(mask, None) == 0
    assert np.isnan(color_fit(np.zeros_like(mask), half))


def lost_at(truth, frame):
    """A track that follows the truth until `frame` and stands still from then on."""
    return [*truth[:frame], *[truth[frame]] * (len(truth) - frame)]


def test_drift_starts_where_a_track_is_lost():
    film, truth = disc_film()
    tracks = {
        "good": truth,
        "also": [np.roll(m, 1, axis=0) for m in truth],
        "lost": lost_at(truth, 6),
    }
    scores = drift_scores(drift_signs(tracks, film, [1]))
    assert scores["drift"].between(0, 1).all()
    starts = drift_start(scores).set_index("strategy")["start"]
    assert starts[["good", "also"]].isna().all()
    assert 7 <= starts["lost"] <= 11
    later = scores[scores["frame"] > 10].groupby("strategy")["drift"].min()
    assert later["lost"] > 2 * scores[scores["strategy"] == "good"]["drift"].max()


def test_a_single_strategy_has_a_drift_score_too():
    film, truth = disc_film()
    good = drift_scores(drift_signs({"good": truth}, film, [1]))
    lost = drift_scores(drift_signs({"lost": lost_at(truth, 6)}, film, [1]))
    assert good["disagreement"].isna().all()
    assert good["drift"].max() < 0.3
    assert lost["drift"][10:].min() > good["drift"].max()


def test_a_flooding_region_breaks_its_area():
    film, truth = disc_film()
    flood = [m.copy() for m in truth]
    for m in flood[8:]:
        m[:, :50] = 1
    scores = drift_scores(drift_signs({"good": truth, "same": truth, "flood": flood}, film, [1]))
    flooded = scores[(scores["strategy"] == "flood") & (scores["frame"] >= 8)]
    assert (flooded["area_break"] > 0.5).all()
    assert int(drift_start(scores).set_index("strategy")["start"]["flood"]) == 8


def test_drift_ranks_tracks_of_dye_clips_as_their_true_score_does():
    ranks = []
    for seed in (3, 5):
        frames = list(DyeClip(seed, size=(90, 160), frames=10))
        film, truth = [image for image, _ in frames], [labels for _, labels in frames]
        tracks = {
            "copy": [truth[0]] * 10,
            "lost": lost_at(truth, 5),
            "smooth": [cv2.medianBlur(m, 5) for m in truth],
            "shifted": [np.roll(m, 2 * i, axis=1) for i, m in enumerate(truth)],
        }
        drift = drift_scores(drift_signs(tracks, film, [1, 2]))
        true = [score_track(t, truth, [1, 2]).assign(strategy=n) for n, t in tracks.items()]
        ranks.append(drift.merge(pd.concat(true), on=["frame", "strategy", "region"]))
    table = pd.concat(ranks)
    table = table[table["frame"] > 0]
    assert stats.spearmanr(table["drift"], -table["J"]).statistic >= 0.6


def test_bad_input_for_drift_is_refused():
    film, truth = disc_film(3)
    with pytest.raises(SamflowError, match="no image for frame 2"):
        drift_signs({"a": truth}, film[:2], [1])
    with pytest.raises(SamflowError, match="image of frame 0 has shape"):
        drift_signs({"a": truth}, [film[0][:10]] * 3, [1])
    with pytest.raises(SamflowError, match="label above 0"):
        drift_signs({"a": truth}, film, [0])
    with pytest.raises(SamflowError, match="lacks the columns"):
        drift_scores(pd.DataFrame({"frame": [0]}))
    with pytest.raises(SamflowError, match="lacks the columns"):
        drift_start(pd.DataFrame({"frame": [0]}))
    scores = drift_scores(drift_signs({"a": truth}, film, [1]))
    with pytest.raises(SamflowError, match="threshold between 0 and 1"):
        drift_start(scores, threshold=2)
