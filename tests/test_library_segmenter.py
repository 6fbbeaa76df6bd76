"""Segmenters of the library against its own processors, and in the place of SAM."""

import numpy as np
import pytest
import torch
from transformers import (
    EdgeTamModel,
    Sam2ImageProcessor,
    Sam2Model,
    Sam2Processor,
    SamHQModel,
    SamHQProcessor,
    SamImageProcessor,
)
from typer.testing import CliRunner

from models import save_models
from samflow.cli import app
from samflow.errors import SamflowError
from samflow.lab.demo_run import write_dye_clip
from samflow.lab.synthetic import DyeClip
from samflow.masks import mask_to_low_res_logits
from samflow.models import load_segmenter
from samflow.runs import Run, correct
from samflow.strategies import Frame, refine_labels, segment_first_frame
from session_models import SIDE, film, save_network, small_edgetam, small_sam2, small_sam_hq

SQUARE = {"height": SIDE, "width": SIDE}
BOXES = np.array([[5, 10, 20, 20], [35, 25, 50, 40], [0, 20, 60, 24]], float)
POINTS = np.array([[[9, 12], [60, 5]], [[40, 30], [60, 5]], [[30, 22], [60, 5]]], float)
LABELS = np.array([[1, 0]] * 3)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Whole networks for films of SAM 2 and EdgeTAM, as the hub has them, and a SAM-HQ."""
    folder = tmp_path_factory.mktemp("networks")
    return {
        "sam2": save_network(folder / "small_sam2", small_sam2()),
        "edgetam": save_network(folder / "small_edgetam", small_edgetam()),
        "sam-hq": save_network(folder / "small_sam_hq", small_sam_hq()),
    }


def _library(name, folder):
    """The library's network and processor."""
    if name == "sam-hq":
        resize = SamImageProcessor(size={"longest_edge": SIDE}, pad_size=SQUARE)
        return SamHQModel.from_pretrained(folder).eval(), SamHQProcessor(resize)
    resize = Sam2ImageProcessor(size=SQUARE)
    network = Sam2Model if name == "sam2" else EdgeTamModel
    return network.from_pretrained(folder).eval(), Sam2Processor(resize, target_size=SIDE)


@torch.inference_mode()
def _expected(name, folder, image, masks=None, **prompts):
    """Logits (N, 1, H, W), one region at a time."""
    network, processor = _library(name, folder)
    found = []
    for index in range(3):
        own = {key: value[index] for key, value in prompts.items()}
        nested = {
            "input_boxes": lambda box: [[box.tolist()]],
            "input_points": lambda points: [[points.tolist()]],
            "input_labels": lambda labels: [[labels.tolist()]],
        }
        given = {key: nested[key](value) for key, value in own.items()}
        inputs = processor(images=image, **given, return_tensors="pt")
        sizes = [inputs.pop("original_sizes")]
        if name == "sam-hq":
            sizes.append(inputs.pop("reshaped_input_sizes"))
        if masks is not None:
            inputs["input_masks"] = torch.from_numpy(masks[index])[None]
        logits = network(**inputs, multimask_output=False).pred_masks
        found.append(processor.post_process_masks(logits, *sizes, binarize=False)[0])
    return np.concatenate(found)


@pytest.mark.parametrize("name", ["sam2", "edgetam", "sam-hq"])
def test_predictions_are_the_librarys(folders, name):
    images, labels = film(1)
    segmenter = load_segmenter(f"{name}={folders[name]}", "cpu")
    embedding = segmenter.embed(images[0])
    mask = np.stack([segmenter.mask_prompt(labels == i, 18, 0) for i in (1, 2, 5)])
    assert mask.shape == (3, 1, segmenter.mask_size, segmenter.mask_size)
    ways = {
        "boxes": ({"boxes": BOXES}, {"input_boxes": BOXES}),
        "points": (
            {"points": POINTS, "point_labels": LABELS},
            {"input_points": POINTS, "input_labels": LABELS},
        ),
        "boxes and masks": (
            {"boxes": BOXES, "mask_logits": mask},
            {"input_boxes": BOXES, "masks": mask},
        ),
    }
    results = []
    for ours, theirs in ways.values():
        got = segmenter.predict(embedding, **ours)
        assert got.shape == (3, 1, 48, 64)
        assert got.dtype == np.float32
        expected = _expected(name, folders[name], images[0], **theirs)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
        results.append(got)
    # each kind of prompt is heard
    assert np.abs(results[0] - results[1]).max() > 1e-3
    assert np.abs(results[0] - results[2]).max() > 1e-3


def test_a_mask_is_stretched_as_the_frame_is():
    mask = np.zeros((20, 80), bool)
    mask[5:10, 40:] = True
    stretched = mask_to_low_res_logits(mask, image_size=64, mask_size=16, stretch=True)[0] > 0
    expected = np.zeros((16, 16), bool)
    expected[4:8, 8:] = True
    np.testing.assert_array_equal(stretched, expected)
    square = np.zeros((30, 30), bool)
    square[3:9, 5:27] = True
    np.testing.assert_array_equal(
        mask_to_low_res_logits(square, 64, 16), mask_to_low_res_logits(square, 64, 16, stretch=True)
    )


def test_it_takes_the_place_of_sam_in_a_run_and_in_a_correction(folders, tmp_path):
    prompts = write_dye_clip(tmp_path / "clip", DyeClip(seed=5, size=(54, 96), frames=4))
    prompts.save(tmp_path / "p.json")
    _, xmem = save_models(tmp_path)
    source = f"sam2={folders['sam2']}"
    base = ["run", str(tmp_path / "clip" / "clip.mp4"), "--prompts", str(tmp_path / "p.json")]
    base += ["--sam", source, "--xmem", str(xmem), "--device", "cpu"]
    base += ["--strategies", "sam,refined", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, base)
    assert done.exit_code == 0, done.output
    finished = Run(tmp_path / "run")
    assert finished.record.models["sam"].name == "sam2=small_sam2"
    assert finished.record.models["sam"].source == source
    segmenter, frame = load_segmenter(source, "cpu"), Frame(finished.clip()[0])
    first = segment_first_frame(segmenter, frame, prompts)
    expected = refine_labels(segmenter, frame, first)
    expected[np.isin(expected, prompts.background_ids)] = 0
    np.testing.assert_array_equal(finished.finished_track("sam")[0], expected)
    labels = np.roll(finished.finished_track("sam")[2], 7, axis=1)
    mended = correct(finished, 2, labels)
    np.testing.assert_array_equal(mended.finished_track("refined")[2], labels)


def test_other_weights_and_unknown_names_are_refused(folders):
    with pytest.raises(SamflowError, match=r"'sam_hq', sam2 needs 'sam2' or 'sam2_video'"):
        load_segmenter(f"sam2={folders['sam-hq']}", "cpu")
    with pytest.raises(SamflowError, match="weights 'tiniest' of sam-hq are no folder"):
        load_segmenter("sam-hq=tiniest", "cpu")
    with pytest.raises(SamflowError, match="checkpoint 'sam9=tiny' is no file and no known name"):
        load_segmenter("sam9=tiny", "cpu")
