"""Models beside SAM and XMem in runs: by name, recorded, resumed, corrected, refused."""

import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from models import save_models
from samflow.cli import app, main
from samflow.errors import SamflowError
from samflow.lab.benchmark import BenchmarkOptions, run_benchmark
from samflow.lab.demo_run import write_dye_clip
from samflow.lab.synthetic import DyeClip
from samflow.maskio import read_label_map
from samflow.models import MODELS, ModelEntry, load_model
from samflow.runs import Places, Run, RunOptions, RunSession, correct, run
from samflow.sam import load_sam
from samflow.strategies import (
    Frame,
    build_strategies,
    check_strategy_names,
    segment_first_frame,
    strategy_entry,
)
from samflow.video import Video
from session_models import SIDE, randomise, save_network, small_edgetam, small_sam2, small_sam3

FRAMES = 8
NAMES = ("sam2", "refined:sam2", "refined-box:sam2", "anchored:sam2", "sam2-box")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A dye clip with prompts, and files of small random weights."""
    folder = tmp_path_factory.mktemp("inputs")
    prompts = write_dye_clip(folder / "clip", DyeClip(seed=5, size=(54, 96), frames=FRAMES))
    sam, _ = save_models(folder)
    save_network(folder / "small_sam2", small_sam2())
    weights = {"sam2": str(folder / "small_sam2")}
    return folder / "clip" / "clip.mp4", prompts, {"sam": str(sam), "weights": weights}


def _options(inputs, strategies=NAMES, **changes):
    given = inputs[2] | {"device": "cpu", "save_every": 3, "strategies": strategies}
    return RunOptions(**(given | changes))


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    return run(inputs[0], inputs[1], tmp_path_factory.mktemp("runs") / "whole", _options(inputs))


def _masks(finished, name):
    return np.stack(list(finished.finished_track(name)))


def test_a_run_has_every_strategy_over_the_model_and_records_its_weights(inputs, whole):
    assert whole.complete
    assert {path.name for path in (whole.folder / "masks").iterdir()} == {
        "sam2",
        "refined-sam2",
        "refined-box-sam2",
        "anchored-sam2",
        "sam2-box",
    }
    record = json.loads((whole.folder / "run.json").read_text())
    assert record["strategies"] == list(NAMES)
    assert record["models"]["sam2"]["name"] == "small_sam2"
    assert record["models"]["sam2"]["path"] == inputs[2]["weights"]["sam2"]
    assert len(record["models"]["sam2"]["sha256"]) == 64
    assert set(record["models"]) == {"sam", "sam2"}
    assert {"sam2", "refined:sam2", "sam2-box"} < set(record["seconds"])
    assert "transformers" in record["versions"]


def test_the_masks_are_those_of_the_tracker_by_itself(inputs, whole):
    model = load_model("sam2", inputs[2]["weights"]["sam2"], "cpu")
    background = inputs[1].background_ids
    frames = list(Video(inputs[0]))
    first = read_label_map(whole.mask_folder("sam2") / "00000.png")
    assert first.any()
    boxes = {region.id: region.box for region in inputs[1].regions}
    tracker = model.tracker()
    ids = np.array([0, *boxes], np.uint8)
    ways = [tracker.step_boxes(frames[0], boxes)]
    ways += [tracker.step(image) for image in frames[1:]]
    assert tracker.ids == list(boxes)
    expected = np.stack([ids[way.argmax(axis=0)] for way in ways])
    expected[np.isin(expected, background)] = 0
    np.testing.assert_array_equal(_masks(whole, "sam2-box"), expected)


def test_an_interrupted_run_ends_with_the_same_masks(inputs, whole, tmp_path):
    class StoppedError(Exception):
        pass

    def stop(done, total):
        if done == 5:
            raise StoppedError

    with pytest.raises(StoppedError):
        run(*inputs[:2], tmp_path / "run", _options(inputs), session=RunSession(stop))
    other = save_network(tmp_path / "other", randomise(small_sam2(), seed=3))
    changed = _options(inputs, weights={"sam2": str(other)})
    with pytest.raises(SamflowError, match=r"made with other input \(models.sam2"):
        run(*inputs[:2], tmp_path / "run", changed, resume=True)
    resumed = run(*inputs[:2], tmp_path / "run", _options(inputs), resume=True)
    for name in NAMES:
        np.testing.assert_array_equal(_masks(resumed, name), _masks(whole, name))


def test_a_correction_reaches_frames_on_both_sides_and_is_taken_back(inputs, whole, tmp_path):
    before = {name: _masks(whole, name) for name in ("sam2", "refined:sam2")}
    labels = np.roll(_masks(whole, "sam2")[4], 9, axis=1)
    mended = correct(whole, 4, labels, out=tmp_path / "mended")
    np.testing.assert_array_equal(_masks(mended, "sam2")[4], labels)
    for name, masks in before.items():
        changed = (_masks(mended, name) != masks).any(axis=(1, 2))
        assert changed[[3, 5, 6, 7]].all(), name
    back = correct(mended, 4, None)
    for name, masks in before.items():
        np.testing.assert_array_equal(_masks(back, name), masks)
    (tmp_path / "moved").symlink_to(inputs[2]["weights"]["sam2"])
    weights = f"sam2={tmp_path / 'moved'}"
    arguments = ["correct", str(mended.folder), "--frame", "4", "--weights", weights]
    (tmp_path / "labels.png").write_bytes((mended.mask_folder("sam2") / "00004.png").read_bytes())
    done = CliRunner().invoke(app, [*arguments, "--labels", str(tmp_path / "labels.png")])
    assert done.exit_code == 0, done.output
    other = save_network(tmp_path / "other", randomise(small_sam2(), seed=3))
    places = Places(weights={"sam2": str(other)})
    with pytest.raises(SamflowError, match=r"other is not the sam2 .* --weights sam2=PATH"):
        correct(mended, 6, labels, places=places)


def test_prompts_on_a_middle_frame_are_tracked_both_ways(inputs, tmp_path):
    """Backwards is the same as the film played backwards."""
    video = Video(inputs[0])
    prompts = inputs[1].model_copy(deep=True)
    prompts.frame.index, prompts.frame.sha256 = 4, None
    options = _options(inputs, ("sam2",), start=0.0, accept_frame=True)
    both = run(inputs[0], prompts, tmp_path / "both", options)
    masks = _masks(both, "sam2")
    model = load_model("sam2", inputs[2]["weights"]["sam2"], "cpu")
    strategy = build_strategies(["sam2"], trackers={"sam2": model})["sam2"]
    frame = Frame(video[4], 4)
    first = segment_first_frame(load_sam(inputs[2]["sam"], "cpu"), frame, prompts)
    strategy.start(frame, first)
    background = prompts.background_ids
    for index in (3, 2, 1, 0):
        expected = strategy.step(Frame(video[index], index))
        expected = np.where(np.isin(expected, background), 0, expected)
        np.testing.assert_array_equal(masks[index], expected)


def test_a_finished_run_gets_a_model_added_and_the_command_says_what_is_wrong(
    inputs, tmp_path, monkeypatch, capfd
):
    video, prompts, names = inputs
    prompts.save(tmp_path / "p.json")
    base = ["run", str(video), "--prompts", str(tmp_path / "p.json"), "--sam", names["sam"]]
    base += ["--device", "cpu", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, [*base, "--strategies", "nearest-colour"])
    assert done.exit_code == 0, done.output
    weights = ["--weights", f"sam2={names['weights']['sam2']}"]
    added = [*base, "--strategies", "nearest-colour,sam2", "--resume", *weights]
    done = CliRunner().invoke(app, added)
    assert done.exit_code == 0, done.output
    assert Run(tmp_path / "run").strategies == ["nearest-colour", "sam2"]
    for given, wrong in (
        (["--weights", "sam2"], "names no model"),
        (["--weights", "sam9=x"], "model 'sam9' is unknown"),
        (["--weights", "sam2=nowhere"], "are no folder and no known name: expected one of large,"),
        (["--weights", f"sam2={tmp_path / 'run'}"], "has no config.json"),
    ):
        out = ["--out", str(tmp_path / "none"), "--strategies", "sam2"]
        monkeypatch.setattr(sys, "argv", ["samflow", *base, *out, *given])
        with pytest.raises(SystemExit) as end:
            main()
        said = " ".join(capfd.readouterr().err.split())
        assert end.value.code == 1
        assert wrong in said
        assert "Traceback" not in said
        assert not (tmp_path / "none").exists()


def test_edgetam_and_sam_3_run_from_their_folders(inputs, tmp_path):
    weights = {
        "edgetam": str(save_network(tmp_path / "small_edgetam", small_edgetam())),
        "sam3": str(save_network(tmp_path / "small_sam3", small_sam3())),
    }
    names = ("edgetam", "sam3", "refined:edgetam", "anchored:sam3-box")
    finished = run(*inputs[:2], tmp_path / "run", _options(inputs, names, weights=weights))
    frames = list(Video(inputs[0]))
    first = segment_first_frame(load_sam(inputs[2]["sam"], "cpu"), Frame(frames[0]), inputs[1])
    for name, folder in weights.items():
        assert finished.record.models[name].path == folder
        tracker = load_model(name, folder, "cpu").tracker()
        ways = [tracker.step(image, None if i else first) for i, image in enumerate(frames)]
        expected = np.array([0, *tracker.ids], np.uint8)[np.stack(ways).argmax(axis=1)]
        expected[np.isin(expected, inputs[1].background_ids)] = 0
        np.testing.assert_array_equal(_masks(finished, name), expected)
    with pytest.raises(
        SamflowError, match=r"small_sam3 holds a model of type 'sam3_tracker_video'"
    ):
        load_model("edgetam", weights["sam3"], "cpu")
    # as the hub has it: the tracker inside of the whole SAM 3
    plain = load_model("sam3", weights["sam3"], "cpu").tracker().step(frames[0], first)
    config = tmp_path / "small_sam3" / "config.json"
    inner = {"model_type": "sam3_video", "tracker_config": json.loads(config.read_text())}
    config.write_text(json.dumps(inner))
    found = load_model("sam3", weights["sam3"], "cpu")
    assert found.image_size == SIDE
    np.testing.assert_array_equal(found.tracker().step(frames[0], first), plain)


def test_the_benchmark_has_models_beside_the_others(inputs, tmp_path):
    options = BenchmarkOptions(
        clips=["gentle"],
        frames=2,
        strategies=("nearest-colour", "sam2", "refined:sam2"),
        size=(54, 96),
        sam=inputs[2]["sam"],
        weights=inputs[2]["weights"],
    )
    table = run_benchmark(tmp_path / "benchmark", options).table
    assert table["strategy"].tolist() == ["nearest-colour", "sam2", "refined:sam2"]
    assert table["baseline"].tolist() == [True, False, False]
    assert table["J"].between(0, 1).all()
    settings = json.loads((tmp_path / "benchmark" / "benchmark.json").read_text())
    assert settings["weights"] == inputs[2]["weights"]


def test_a_toy_model_with_a_row_runs_like_any_other(inputs, tmp_path, monkeypatch):
    row = ModelEntry("toy", "colours", "Apache-2.0", "toy_tracker:load_toy")
    monkeypatch.setitem(MODELS, "toy", row)
    (tmp_path / "toy.txt").write_text("9")
    inputs[1].save(tmp_path / "p.json")
    base = ["run", str(inputs[0]), "--prompts", str(tmp_path / "p.json"), "--device", "cpu"]
    base += ["--sam", inputs[2]["sam"], "--out", str(tmp_path / "run")]
    base += ["--strategies", "toy,refined:toy,anchored:toy"]
    done = CliRunner().invoke(app, base)
    assert "toy has no weights by name: give them with --weights toy=PATH" in str(done.exception)
    done = CliRunner().invoke(app, [*base, "--weights", f"toy={tmp_path / 'toy.txt'}"])
    assert done.exit_code == 0, done.output
    finished = Run(tmp_path / "run")
    assert finished.complete
    assert finished.record.models["toy"].path == str(tmp_path / "toy.txt")
    assert strategy_entry("refined:toy").title == "SAM refining colours (mask + box)"
    masks = _masks(finished, "toy")
    assert (masks[1:] != masks[0]).any(axis=(1, 2)).all()
    mended = correct(finished, 4, np.roll(masks[4], 9, axis=1))
    np.testing.assert_array_equal(_masks(mended, "toy")[0], masks[0])
    assert (_masks(mended, "toy")[5] != masks[5]).any()
    with pytest.raises(SamflowError, match="strategy 'toy-box' is unknown"):
        check_strategy_names(["toy-box"])


def test_weights_that_do_not_fit_are_refused_in_one_line(inputs, tmp_path):
    good = save_network(tmp_path / "damaged", small_sam2())
    content = (good / "model.safetensors").read_bytes()
    (good / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(SamflowError, match=r"damaged could not be read as Sam2VideoModel"):
        load_model("sam2", str(good), "cpu")
    (good / "model.safetensors").unlink()
    with pytest.raises(SamflowError, match=r"could not be read as Sam2VideoModel"):
        load_model("sam2", str(good), "cpu")
    config = json.loads((good / "config.json").read_text())
    (good / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    with pytest.raises(SamflowError, match=r"of type 'bert', sam2 needs 'sam2_video'"):
        load_model("sam2", str(good), "cpu")
    lacking = save_network(tmp_path / "lacking", small_sam2())
    tensors = load_file(lacking / "model.safetensors")
    tensors.pop("no_memory_embedding")
    save_file(tensors, lacking / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SamflowError, match=r"lacks 1 tensors .* 'no_memory_embedding'"):
        load_model("sam2", str(lacking), "cpu")


def test_without_a_network_the_hub_is_said_to_be_out_of_reach(monkeypatch, tmp_path):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(SamflowError, match=r"facebook/sam2.1-hiera-tiny could not be fetched"):
        load_model("sam2", "tiny", "cpu")


def test_without_the_extra_nothing_is_imported_and_one_line_says_how_to_get_it():
    code = (
        "import sys\nsys.modules['transformers'] = None\n"
        "import samflow.runs.start, samflow.strategies.build, samflow.models.session_tracker\n"
        "from samflow.models import load_model\n"
        "try:\n    load_model('sam2', 'tiny', 'cpu')\nexcept Exception as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == (
        'sam2 needs the package transformers, which is not installed: pip install "samflow[sam2]".'
    )


def test_names_are_resolved_in_one_place():
    for name in NAMES:
        assert strategy_entry(name).name == name
    assert strategy_entry("refined-box:sam2-box").source == "sam2-box"
    assert strategy_entry("anchored:sam2").needs == ("sam", "sam2")
    assert not strategy_entry("refined:sam2").default
    for wrong in (
        "sam22",
        "refined:",
        ":sam2",
        "refined:xmen",
        "sam:sam2",
        "flow:sam2",
        "xmem-box",
    ):
        with pytest.raises(SamflowError, match=r"is unknown: choose from xmem, .*refined:TRACKER"):
            check_strategy_names([wrong])
    with pytest.raises(SamflowError, match="'sam2' needs a network"):
        build_strategies(["sam2"])
    assert set(MODELS) >= {"sam2"}
