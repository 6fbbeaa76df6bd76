"""The dye benchmark: its clips, what it writes, that it goes on, and its sums by hand."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from models import save_models, small_sam, small_xmem
from samflow.errors import SamflowError
from samflow.lab.benchmark import (
    CLIPS,
    BenchmarkOptions,
    ablate,
    choose_clips,
    lasting_drift_start,
    run_benchmark,
    write_ablations,
)
from samflow.lab.benchmark.edges import ZOOM, draw_edges
from samflow.lab.benchmark.evaluation import seconds_per_frame, strategy_groups
from samflow.lab.benchmark.pages import benchmark_text, score_matrix
from samflow.lab.benchmark.paired import paired_differences
from samflow.lab.benchmark.summary import drift_correlation, join_bands
from samflow.lab.synthetic import HELD_OUT_SEEDS
from samflow.maskio import Track
from samflow.results.measures import interface_contours, interface_length
from samflow.results.metrics import region_similarity
from samflow.results.plots import plot_benchmark, plot_benchmark_time
from samflow.runs import Run, RunOptions
from samflow.sam import Sam
from samflow.strategies import Frame, build_strategies

FRAMES, SIZE = 6, (64, 112)
NAMES = ("sam", "refined", "nearest-colour", "flow")


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    sam, xmem = save_models(tmp_path_factory.mktemp("models"))
    return BenchmarkOptions(
        clips=["gentle", "wall"],
        frames=FRAMES,
        strategies=NAMES,
        sam=str(sam),
        xmem=str(xmem),
        device="cpu",
        size=SIZE,
    )


@pytest.fixture(scope="module")
def done(options, tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark") / "out"
    return run_benchmark(folder, options)


def changed(options, **changes):
    return BenchmarkOptions(**(vars(options) | changes))


def test_fifteen_clips_with_held_out_seeds_of_their_own():
    assert len({clip.name for clip in CLIPS}) == len({clip.seed for clip in CLIPS}) == 15
    assert all(clip.seed in HELD_OUT_SEEDS for clip in CLIPS)
    assert len({(clip.look, clip.scene, clip.transfer) for clip in CLIPS}) == 15
    for clip in CLIPS:
        made = clip.clip(1, SIZE)
        assert made.size == SIZE
        assert [region.id for region in made.prompts().regions] == [1, 2, 3]


def test_colour_solves_the_first_clip_and_fails_on_the_last():
    scores = []
    for clip in (CLIPS[0], CLIPS[11]):
        strategy = build_strategies(["nearest-colour"], None)["nearest-colour"]
        frames = list(clip.clip(12, (135, 240)))
        strategy.start(Frame(frames[0][0]), frames[0][1])
        got, truth = strategy.step(Frame(frames[-1][0])), frames[-1][1]
        scores.append(np.mean([region_similarity(got == i, truth == i) for i in (1, 2)]))
    assert scores[0] > 0.85
    assert scores[1] < 0.75


def test_everything_is_written(done, options):
    folder = done.folder
    assert not done.failures
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "benchmark.json", "benchmark.csv", "bands.csv", "lengths.csv", "drift_correlation.csv",
        "benchmark.md", "plots", "clips", "runs", "results",
    }  # fmt: skip
    table = pd.read_csv(folder / "benchmark.csv")
    assert table["clip"].tolist() == ["gentle"] * 4 + ["wall"] * 4
    assert table["strategy"].tolist() == list(NAMES) * 2
    assert table["baseline"].tolist() == [False, False, True, True] * 2
    assert table[["J", "F", "J_worst", "J_last_quarter"]].stack().between(0, 1).all()
    assert (table["seconds_per_frame"] >= table["own_seconds_per_frame"]).all()
    for name in ("benchmark.png", "time.png", "clips.png"):
        with Image.open(folder / "plots" / name) as picture:
            assert min(picture.size) > 100
    text = (folder / "benchmark.md").read_text()
    assert text == benchmark_text(done)
    matrix = score_matrix(done.table)
    best = matrix.loc["wall"].max()
    assert f"**{best:.3f}**" in text
    assert "/out" not in text


def test_scores_are_those_of_the_masks(done):
    truth = Track(done.folder / "clips" / "wall" / "truth")
    track = Run(done.folder / "runs" / "wall").track("flow")
    js = [
        np.mean([region_similarity(a == i, b == i) for a, b in zip(track, truth, strict=True)])
        for i in (1, 2)
    ]
    row = done.table[(done.table["clip"] == "wall") & (done.table["strategy"] == "flow")]
    assert row["J"].item() == pytest.approx(np.mean(js), abs=1e-5)


def test_bands_say_how_often_the_truth_lies_between_the_strategies(done):
    folder = done.folder
    truth = Track(folder / "clips" / "gentle" / "truth")
    run = Run(folder / "runs" / "gentle")

    sizes = pd.read_csv(folder / "results" / "gentle" / "sizes.csv")
    (scale,) = sizes["interface_scale_px"].unique()
    assert scale >= 4

    def length(labels):
        return interface_length(interface_contours(labels == 2, scale))

    held = []
    for frame in (0, 5):
        lengths = [length(run.track(name)[frame]) for name in NAMES]
        held.append(min(lengths) <= length(truth[frame]) <= max(lengths))
    bands = pd.read_csv(folder / "results" / "gentle" / "bands.csv")
    rows = bands.query("group == 'all' and quantity == 'interface_length_px' and region == 2")
    row = rows[rows["band"] == "between strategies"]
    assert row["coverage"].item() == np.mean(held)
    assert row["frames"].item() == 2
    likely = rows[rows["band"] == "likely"]
    assert likely["coverage"].item() >= row["coverage"].item()
    assert likely["relative_width"].item() >= row["relative_width"].item()
    assert set(bands["group"]) == {"all", "SAM and XMem"}

    lengths = done.lengths.set_index("strategy")
    assert list(lengths.index) == list(NAMES)
    near = []
    for clip in ("gentle", "wall"):
        table = pd.read_csv(folder / "results" / clip / "sizes.csv")
        wide = table.pivot(
            index=["frame", "region"], columns="strategy", values="interface_length_px"
        )
        near += ((wide["sam"] / wide["truth"] - 1).abs() <= 0.1).tolist()
    assert lengths.loc["sam", "within_10_percent"] == pytest.approx(np.mean(near))


def test_the_winner_is_the_highest_mean(done):
    for row in done.winners().to_dict("records"):
        part = done.table[done.table["clip"] == row["clip"]].set_index("strategy")["J"]
        assert part[row["winner"]] == part.max() == row["J"]
        assert row["baseline_wins"] == (row["winner"] in ("nearest-colour", "flow"))
        assert row["strategy_J"] == part[["sam", "refined"]].max()
        assert row["baseline"] == part[["nearest-colour", "flow"]].idxmax()


def test_it_goes_on_without_doing_finished_clips_again(done, options, tmp_path):
    folder = tmp_path / "again"
    shutil.copytree(done.folder, folder)
    # as if it had been killed while the second clip was judged
    shutil.rmtree(folder / "results" / "wall")
    kept = folder / "runs" / "gentle" / "masks" / "sam" / "00003.png"
    judged = folder / "results" / "gentle" / "scores.csv"
    before = kept.stat().st_mtime_ns, judged.stat().st_mtime_ns
    again = run_benchmark(folder, options)
    assert (kept.stat().st_mtime_ns, judged.stat().st_mtime_ns) == before
    pd.testing.assert_frame_equal(again.table, done.table)
    assert (folder / "benchmark.csv").read_bytes() == (done.folder / "benchmark.csv").read_bytes()


def test_results_of_a_deleted_run_are_judged_again(done, options, tmp_path):
    folder = tmp_path / "deleted"
    shutil.copytree(done.folder, folder)
    shutil.rmtree(folder / "runs" / "gentle")
    scores = folder / "results" / "gentle" / "scores.csv"
    wanted = scores.read_bytes()
    scores.write_text("strategy,frame,region,J,F\n")
    run_benchmark(folder, changed(options, clips=["gentle"]))
    assert scores.read_bytes() == wanted


def test_one_broken_clip_does_not_lose_the_others(done, options, tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(done.folder, folder)
    (folder / "runs" / "gentle" / "run.json").write_text("{}")
    summary = run_benchmark(folder, options)
    assert set(summary.failures) == {"gentle"}
    assert "run.json" in summary.failures["gentle"]
    assert summary.table["clip"].unique().tolist() == ["wall"]
    assert "- gentle: " in (folder / "benchmark.md").read_text()
    with pytest.raises(SamflowError, match=r"no clip could be done; gentle: .*run\.json"):
        run_benchmark(folder, changed(options, clips=["gentle"]))


def test_other_options_need_another_folder(done, options, tmp_path):
    with pytest.raises(SamflowError, match="holds a benchmark with frames 6, not 7"):
        run_benchmark(done.folder, changed(options, frames=7))
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SamflowError, match="exists and is no benchmark"):
        run_benchmark(tmp_path, options)
    for changes, message in (
        ({"clips": ["walls"]}, "clip 'walls' is unknown: choose from gentle, fast"),
        ({"clips": []}, "no clip given"),
        ({"strategies": ["flows"]}, "strategy 'flows' is unknown"),
        ({"frames": 1}, "expected at least two"),
    ):
        with pytest.raises(SamflowError, match=message):
            run_benchmark(tmp_path / "new", changed(options, **changes))
        assert not (tmp_path / "new").exists()
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "benchmark.json").write_text("{")
    with pytest.raises(SamflowError, match="is damaged"):
        run_benchmark(damaged, options)


def test_baselines_alone(options, tmp_path):
    only = changed(options, clips=["gentle"], strategies=["flow"], xmem="no such file")
    summary = run_benchmark(tmp_path / "out", only)
    assert summary.bands.empty
    row = summary.winners().iloc[0]
    assert row["winner"] == row["baseline"] == "flow"
    assert row["strategy"] is None
    assert np.isnan(row["strategy_J"])


def test_drift_that_lasts():
    def start(values):
        table = pd.DataFrame({"frame": range(len(values)), "region": 1, "J": values})
        return lasting_drift_start(table)

    assert start([0.9, 0.85, 0.81, 0.9, 0.82]) is None
    assert start([0.9, 0.7, 0.9, 0.7, 0.6, 0.7]) == 3
    assert start([0.9, 0.9, 0.9, 0.7, 0.6]) is None  # two frames say too little
    assert start([0.5, 0.39, 0.3, 0.2]) == 1
    two = pd.DataFrame({"frame": [0, 0, 1, 1, 2, 2, 3, 3], "region": [1, 2] * 4})
    two["J"] = [1.0, 0.8, 1.0, 0.5, 1.0, 0.5, 1.0, 0.5]  # means 0.9, then 0.75
    assert lasting_drift_start(two) == 1


def test_correlation_by_hand():
    frames = np.arange(5)
    scores = pd.concat(
        pd.DataFrame({"clip": c, "strategy": s, "region": 1, "frame": frames, "J": j})
        for c, s, j in (
            ("a", "x", [0.1, 0.9, 0.8, 0.7, 0.6]),
            ("a", "y", [0.1, 0.5, 0.4, 0.3, 0.2]),
            ("b", "x", [0.1, 0.95, 0.85, 0.75, 0.65]),
        )
    )
    drift = scores.drop(columns="J").assign(group="all")
    # frame 0 would spoil it, and is left out
    drift["drift"] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.0, 0.8, 0.7, 0.6, 0.5, 0.0, 0.1, 0.2, 0.3, 0.4]
    got = drift_correlation(drift, scores).iloc[0]
    assert got["values"] == 12
    assert got["within_series"] == pytest.approx(1.0)  # median of 1, -1, 1
    # ranks of clip a: 1 2 3 4 and 8 7 6 5 against 1..8: 1 - 6 * 20 / (8 * 63)
    assert got["within_clip"] == pytest.approx(np.median([1 - 6 * 20 / (8 * 63), 1.0]))
    losses, drifts = (drift[drift["frame"] > 0].merge(scores)[k].rank() for k in ("J", "drift"))
    assert got["overall"] == pytest.approx(-np.corrcoef(losses, drifts)[0, 1])


def test_bands_are_weighted_by_frames():
    bands = [
        pd.DataFrame(
            {
                "clip": clip, "group": "all", "band": "likely", "quantity": "area_px2",
                "region": [1, 2], "coverage": coverage, "relative_width": [0.1, 0.3],
                "frames": frames,
            }
        )
        for clip, coverage, frames in (("a", [1.0, 0.5], [4, 4]), ("b", [0.0, 0.5], [1, 1]))
    ]  # fmt: skip
    row = join_bands(bands).iloc[0]
    assert row["coverage"] == pytest.approx((4 * 1.0 + 4 * 0.5 + 0.5) / 10)
    assert row["relative_width"] == pytest.approx(0.2)
    assert (row["lowest_clip"], row["lowest_coverage"], row["frames"]) == ("b", 0.25, 10)


def test_seconds_are_shared_by_those_who_need_them(done):
    run = Run(done.folder / "runs" / "wall")
    spent = json.loads((run.folder / "run.json").read_text())["seconds"]
    table = seconds_per_frame(run)
    own = spent["refined"] / (FRAMES - 1)
    shared = spent["sam encode"] / FRAMES + spent["xmem"] / (FRAMES - 1)
    assert table.loc["refined", "own_seconds"] == pytest.approx(own)
    assert table.loc["refined", "seconds"] == pytest.approx(own + shared)
    assert table.loc["flow", "seconds"] == table.loc["flow", "own_seconds"]
    assert table.loc["sam", "seconds"] < table.loc["sam", "own_seconds"] + shared


def test_groups():
    assert strategy_groups(["xmem", "sam"]) == {"all": ["xmem", "sam"]}
    assert strategy_groups(["flow"]) == {"all": ["flow"]}
    assert [clip.name for clip in choose_clips()] == [clip.name for clip in CLIPS]
    assert RunOptions().strategies == ("xmem", "sam", "refined", "refined-box")


def test_plots_refuse_empty_tables():
    with pytest.raises(SamflowError, match="0 rows"):
        plot_benchmark(pd.DataFrame(columns=["sam"]))
    table = pd.DataFrame({"clip": ["a"], "strategy": ["sam"], "frame": [0]})
    with pytest.raises(SamflowError, match=r"lacks the columns \['J'\]"):
        plot_benchmark_time(table)


def test_paired_differences_are_those_of_the_same_clips():
    """One strategy ahead by the same on every clip, however far apart clips are; one by chance."""
    rng = np.random.default_rng(0)
    ours = rng.uniform(0.5, 1.0, 12)
    matrix = pd.DataFrame(
        {"flow": ours - 0.03, "anchored": ours, "sam": ours + rng.normal(0, 0.05, 12)}
    )
    table = paired_differences(matrix, "anchored").set_index("strategy")
    assert list(table.index) == ["flow", "sam"]
    np.testing.assert_allclose(table.loc["flow", ["difference", "low", "high"]].tolist(), 0.03)
    assert table.loc["flow", "clips_ahead"] == 12
    assert table.loc["sam", "low"] < (matrix["anchored"] - matrix["sam"]).mean()
    assert table.loc["sam", "low"] < 0 < table.loc["sam", "high"]


def test_edges_are_shown_where_most_of_them_are():
    truth = np.zeros((270, 480), np.uint8)
    truth[150:200:2, 300:400] = 1
    image = np.full((270, 480, 3), 90, np.uint8)
    sheet = draw_edges(image, truth, {"nothing": np.zeros_like(truth)}, {1: "#ff0000"})
    red = (sheet[..., 0] > sheet[..., 1].astype(int) + 40).sum()
    # every row of the striped part, a quarter of the frame, at four times its size
    assert red == ZOOM**2 * (truth == 1).sum()


def test_ablations_score_every_variant_on_every_clip(tmp_path):
    sam, network = Sam(small_sam(), device="cpu"), small_xmem()
    table = ablate(sam, network, ["holes"], frames=2)
    assert list(table["clip"].unique()) == ["holes"]
    assert {"refined", "refined, sharpened", "anchored", "without flow"} <= set(table["variant"])
    assert table["J"].between(0, 1).all()
    text = write_ablations(table, tmp_path)
    assert (tmp_path / "ablations.md").read_text() == text
    assert all(f"| {name} |" in text for name in table["variant"])
