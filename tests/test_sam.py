"""Parity of `samflow.sam` with the installed segment-anything package, on random weights."""

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.utils.transforms import ResizeLongestSide

from models import SMALL_SAM, randomise, small_sam
from samflow.errors import SamflowError
from samflow.prompts import FrameReference, Prompts, Region
from samflow.sam import Sam, SamArchitecture, architecture_from_state_dict, build_sam, load_sam


@pytest.fixture(scope="module")
def small():
    return Sam(small_sam(), device="cpu")


def _official(model, image, boxes=None, points=None, labels=None, masks=None):
    """Logits of the official predictor, as its documentation calls it."""
    predictor = SamPredictor(model)
    predictor.set_image(image)
    size = image.shape[:2]
    tensors = {
        "boxes": None if boxes is None else predictor.transform.apply_boxes(boxes, size),
        "point_coords": None if points is None else predictor.transform.apply_coords(points, size),
        "mask_input": masks,
    }
    tensors = {k: None if v is None else torch.as_tensor(v).float() for k, v in tensors.items()}
    tensors["point_labels"] = None if labels is None else torch.as_tensor(labels)
    logits, _, _ = predictor.predict_torch(**tensors, multimask_output=False, return_logits=True)
    return logits.numpy()


def _prompts(kinds, size, count, mask_size, seed=1):
    rng = np.random.default_rng(seed)
    height, width = size
    corner = rng.random((count, 2)) * [width / 2, height / 2]
    prompts = {}
    if "box" in kinds:
        extent = 1 + rng.random((count, 2)) * [width / 2 - 1, height / 2 - 1]
        prompts["boxes"] = np.concatenate([corner, corner + extent], axis=1)
    if "point" in kinds:
        prompts["points"] = rng.random((count, 3, 2)) * [width, height]
        prompts["labels"] = rng.integers(0, 2, (count, 3))
    if "mask" in kinds:
        mask = rng.random((count, 1, mask_size, mask_size)) < 0.5
        prompts["masks"] = np.where(mask, 18, -18).astype(np.float32)
    return prompts


def _ours(sam, image, boxes=None, points=None, labels=None, masks=None):
    return sam.predict(sam.embed(image), boxes, points, labels, masks)


KINDS = ["box", "point", "mask", "box+point", "box+mask", "point+mask", "box+point+mask"]


@pytest.mark.parametrize("size", [(60, 107), (131, 40), (5, 9), (1080, 1920)])
@pytest.mark.parametrize("kinds", KINDS)
def test_small_models_equal_the_official_predictor(small, kinds, size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    prompts = _prompts(kinds, size, 3, small.mask_size)
    ours = _ours(small, image, **prompts)
    official = _official(small.model, image, **prompts)
    assert ours.shape == (3, 1, *size)
    assert ours.dtype == np.float32
    assert np.ptp(official) > 0.01, "the random model must tell pixels apart"
    np.testing.assert_allclose(ours, official, atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def vit_b_file(tmp_path_factory):
    """Random ViT-B weights, saved like the official checkpoint."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "sam_vit_b_random.pth"
    torch.save(randomise(sam_model_registry["vit_b"]()).state_dict(), path)
    return path


@pytest.mark.slow
def test_a_vit_b_file_equals_the_official_model(vit_b_file):
    sam = load_sam(vit_b_file, device="cpu")
    official = sam_model_registry["vit_b"](str(vit_b_file))
    assert (sam.image_size, sam.mask_size, sam.mask_threshold) == (1024, 256, 0.0)
    image = np.random.default_rng(3).integers(0, 256, (120, 213, 3), np.uint8)
    embedding = sam.embed(image)
    for kinds in ("box", "box+point", "box+mask"):
        prompts = _prompts(kinds, (120, 213), 2, 256)
        ours = sam.predict(
            embedding, *(prompts.get(k) for k in ("boxes", "points", "labels", "masks"))
        )
        np.testing.assert_allclose(
            ours, _official(official, image, **prompts), atol=1e-4, rtol=0, err_msg=kinds
        )


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_official_architectures_are_read_off_their_tensors(name):
    with torch.device("meta"):
        official = sam_model_registry[name]()
    state = official.state_dict()
    architecture = architecture_from_state_dict(state)
    expected = {
        "vit_b": (768, 12, 12, (2, 5, 8, 11)),
        "vit_l": (1024, 24, 16, (5, 11, 17, 23)),
        "vit_h": (1280, 32, 16, (7, 15, 23, 31)),
    }[name]
    assert architecture == SamArchitecture(1024, 16, *expected[:3], 14, expected[3])
    with torch.device("meta"):
        built = build_sam(architecture)
    assert {k: v.shape for k, v in built.state_dict().items()} == {
        k: v.shape for k, v in state.items()
    }
    windows = [block.window_size for block in built.image_encoder.blocks]
    assert windows == [block.window_size for block in official.image_encoder.blocks]


def test_small_architecture_round_trip():
    assert architecture_from_state_dict(build_sam(SMALL_SAM).state_dict()) == SMALL_SAM


def test_regions_with_different_prompts_are_each_as_if_alone(small):
    size = (50, 80)
    image = np.random.default_rng(5).integers(0, 256, (*size, 3), np.uint8)
    embedding = small.embed(image)
    regions = [
        Region(id=1, name="a", box=(5, 5, 40, 30)),
        Region(id=4, name="b", box=(10, 20, 70, 45), points=[(20, 30)], point_labels=[1]),
        Region(id=2, name="c", points=[(60, 10), (9, 9)], point_labels=[1, 0]),
    ]
    frame = FrameReference(width=80, height=50)
    prompts = Prompts(regions=regions, frame=frame, background_points=[(3, 3), (70, 4)])
    together = small.predict_regions(embedding, prompts, use_points=True)
    for index, region in enumerate(regions):
        alone = small.predict(
            embedding,
            boxes=None if region.box is None else np.array([region.box]),
            points=np.array([[*region.points, (3, 3), (70, 4)]]),
            point_labels=np.array([[*region.point_labels, 0, 0]]),
        )
        np.testing.assert_allclose(together[index], alone[0], atol=1e-4, rtol=0)
    boxes_only = small.predict_regions(
        embedding, prompts.model_copy(update={"regions": regions[:2]})
    )
    expected = small.predict(embedding, boxes=np.array([r.box for r in regions[:2]]))
    np.testing.assert_array_equal(boxes_only, expected)
    with pytest.raises(SamflowError, match=r"region 2 'c' has no prompt.*points are switched off"):
        small.predict_regions(embedding, prompts)


def test_input_size_is_that_of_the_official_transform(small):
    embedding = small.embed(np.zeros((37, 99, 3), np.uint8))
    assert embedding.input_size == ResizeLongestSide.get_preprocess_shape(37, 99, 128)
    assert embedding.image_size == (37, 99)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4), np.uint8), r"RGB image \(H, W, 3\) of uint8, got \(4, 4\)"),
        (np.zeros((4, 4, 3), np.float32), "got .* of float32"),
        (np.zeros((4, 4, 4), np.uint8), r"got \(4, 4, 4\)"),
        (np.zeros((1, 2000, 3), np.uint8), "too narrow"),
    ],
)
def test_images_that_cannot_be_encoded(small, image, message):
    with pytest.raises(SamflowError, match=message):
        small.embed(image)


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ({}, "nothing to predict from"),
        ({"boxes": np.zeros((2, 3))}, r"boxes: expected shape \(N, 4\), got \(2, 3\)"),
        ({"boxes": np.zeros((0, 4))}, r"boxes: expected"),
        ({"points": np.zeros((1, 2, 2))}, "go together"),
        ({"points": np.zeros((1, 2, 2)), "labels": np.zeros((1, 3))}, "go together"),
        (
            {"masks": np.zeros((1, 1, 256, 256))},
            r"mask_logits: expected shape \(N, 1, 32, 32\), got",
        ),
        (
            {"boxes": np.zeros((2, 4)), "masks": np.zeros((1, 1, 32, 32))},
            "different numbers of regions",
        ),
    ],
)
def test_prompts_that_do_not_fit(small, prompts, message):
    with pytest.raises(SamflowError, match=message):
        _ours(small, np.zeros((8, 8, 3), np.uint8), **prompts)
