import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models import SMALL_SAM
from samflow.errors import SamflowError
from samflow.files import sha256_of_file
from samflow.lab.synthetic import TRAINING_SEEDS, DyeClip, Look
from samflow.lab.training import decoder_start, sam_scores
from samflow.lab.training.clip_bank import BankRecipe, ClipBank, build_bank, render_clips
from samflow.lab.training.demo_sam import (
    MIXED_CROPS,
    Settings,
    example_loss,
    feed_back,
    main,
    train,
)
from samflow.lab.training.examples import (
    KINDS,
    Crops,
    Example,
    draw_example,
    jittered_box,
    mask_prompt,
    spoil_mask,
)
from samflow.lab.training.loop import Schedule, save_weights
from samflow.lab.training.sam_network import (
    decode,
    encode,
    enlarge,
    new_model,
    resample,
)
from samflow.masks import labels_to_boxes, mask_to_low_res_logits
from samflow.sam import Sam, build_sam, load_sam
from samflow.strategies import ColorStrategy, Frame

# as small as the bank's pictures
TINY = replace(SMALL_SAM, image_size=64, patch_size=8, depth=2, prompt_dim=32)
RECIPE = BankRecipe(2, shots=2, looks=2, frames=2, size=(54, 96))
SIZES = (64, 16)


@pytest.fixture(scope="module")
def bank() -> ClipBank:
    clips = [c for seed in (1, 2) for c in render_clips(TRAINING_SEEDS.start + seed, RECIPE)]
    return ClipBank(*(np.stack(part) for part in zip(*clips, strict=True)))


def examples(bank: ClipBank, count: int, crops: Crops = MIXED_CROPS) -> list[Example]:
    rng = np.random.default_rng(0)
    return [draw_example(bank, crops, SIZES, rng) for _ in range(count)]


def test_a_bank_is_the_rendered_clips_for_any_number_of_workers(tmp_path):
    bank = build_bank(tmp_path, RECIPE, workers=2)
    assert bank.images.shape == (8, 2, 54, 96, 3)
    clips = [c for i in range(2) for c in render_clips(TRAINING_SEEDS.start + i, RECIPE)]
    for number, (images, labels) in enumerate(clips):
        np.testing.assert_array_equal(bank.images[number], images)
        np.testing.assert_array_equal(bank.labels[number], labels)


def test_a_bank_is_opened_again_and_replaced_for_another_recipe(tmp_path):
    recipe = replace(RECIPE, simulations=1, shots=1, looks=1)
    build_bank(tmp_path, recipe, workers=1)
    written = (tmp_path / "images.npy").stat().st_mtime_ns
    assert len(build_bank(tmp_path, recipe, workers=1)) == 1
    assert (tmp_path / "images.npy").stat().st_mtime_ns == written
    assert len(build_bank(tmp_path, replace(recipe, looks=3), workers=1)) == 3


def test_looks_of_one_shot_share_the_truth_and_differ_in_the_picture(bank):
    np.testing.assert_array_equal(bank.labels[0], bank.labels[1])
    assert np.abs(bank.images[0].astype(int) - bank.images[1]).mean() > 3


def test_examples_hold_what_their_kind_says(bank):
    kinds = set()
    for example in examples(bank, 80):
        count = len(example.truth)
        assert example.truth.shape == (count, 64, 64)
        height, width = example.image.shape[:2]
        assert max(height, width) == 64
        assert not example.truth[:, height:].any()
        assert not example.truth[:, :, width:].any()
        given = (example.boxes, example.points, example.masks)
        assert any(part is not None for part in given)
        kinds.add(tuple(part is not None for part in given))
        if example.masks is not None:
            assert example.masks.shape == (count, 1, 16, 16)
            assert set(np.unique(example.masks)) <= {-18.0, 18.0}
        if example.boxes is not None:
            assert (example.boxes[:, :2] < example.boxes[:, 2:]).all()
            assert (example.boxes >= 0).all()
            assert (example.boxes <= [width, height, width, height]).all()
        if example.points is not None:
            for mask, points, labels in zip(
                example.truth, example.points.astype(int), example.point_labels, strict=True
            ):
                assert mask[points[labels == 1][:, 1], points[labels == 1][:, 0]].all()
                other = points[labels == 0]
                assert not example.truth[:, other[:, 1], other[:, 0]].any()
    assert len(kinds) >= 5  # box, points and mask, alone and together
    assert sum(KINDS.values()) == pytest.approx(1.0)


def test_boxes_stray_little_from_the_tight_box():
    mask = np.zeros((64, 64), bool)
    mask[20:40, 10:50] = True
    rng = np.random.default_rng(1)
    boxes = np.stack([jittered_box(mask, rng, (64, 64)) for _ in range(300)])
    np.testing.assert_allclose(np.median(boxes, 0), [10, 20, 50, 40], atol=0.5)
    assert np.abs(boxes - [10, 20, 50, 40]).max() <= 8.0 + 1e-4
    assert boxes.std(0).min() > 0.3


def test_mask_prompts_are_those_of_the_conversion():
    mask = np.zeros((64, 64), bool)
    mask[5:30, 7:41] = True
    expected = {c: mask_to_low_res_logits(mask, 64, 16, coverage=c) for c in (0.0, 0.5)}
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(20):
        prompt = mask_prompt(mask, 16, rng)
        same = [c for c, logits in expected.items() if np.array_equal(prompt, logits)]
        assert len(same) == 1
        seen.update(same)
    assert seen == {0.0, 0.5}


def test_spoilt_masks_still_show_their_region():
    mask = np.zeros((256, 256), bool)
    mask[60:180, 20:240] = True
    rng = np.random.default_rng(2)
    scores = []
    for _ in range(60):
        spoilt = spoil_mask(mask, rng)
        scores.append((spoilt & mask).sum() / (spoilt | mask).sum())
    assert 0.7 < np.mean(scores) < 0.97
    assert np.std(scores) > 0.02


def test_loss_is_least_for_the_truth(bank):
    example = examples(bank, 1)[0]
    cells = torch.nn.functional.interpolate(
        torch.from_numpy(example.truth)[:, None].float(), (16, 16), mode="area"
    )
    right = (cells * 40 - 20).expand(-1, 4, -1, -1)
    perfect = torch.ones(right.shape[:2])
    losses = [example_loss(logits, perfect, example) for logits in (right, 0 * right, -right)]
    assert losses[0] < 0.5 * losses[1] < losses[2]


def test_feed_back_prompts_with_the_merged_answer(bank):
    example = next(e for e in examples(bank, 20) if len(e.truth) == 3)
    answer = torch.nn.functional.interpolate(
        torch.from_numpy(example.truth)[:, None].float(), (16, 16), mode="area"
    )[:, 0]
    again = feed_back(answer * 36 - 18, example, np.random.default_rng(0))
    assert again.points is None
    np.testing.assert_array_equal(again.truth, example.truth)
    for prompt, cells in zip(again.masks[:, 0] > 0, answer.numpy() > 0.5, strict=True):
        assert (prompt & cells).sum() > 0.6 * cells.sum()
    nothing = feed_back(torch.full_like(answer, -18.0), example, np.random.default_rng(0))
    assert (nothing.masks > 0).any((1, 2, 3)).all()  # a vanished region keeps its truth


def test_a_few_steps_lower_the_loss_and_the_file_loads(bank, tmp_path):
    model = new_model(TINY, None, seed=0)
    schedule = Schedule(40, rate=3e-3, warm_up=5, averaging=0.9, snapshot_every=20)
    settings = Settings(4, MIXED_CROPS, decoder_share=1.0)
    steps = []
    averaged, losses = train(model, bank, schedule, settings, lambda _, step: steps.append(step))
    assert steps == [20, 40]
    assert np.mean(losses[-8:]) < 0.93 * np.mean(losses[:4])
    save_weights(averaged, tmp_path / "sam.safetensors")
    stored = load_file(tmp_path / "sam.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    loaded = load_sam(tmp_path / "sam.safetensors", device="cpu")
    assert loaded.model.load_state_dict(stored, strict=True)
    for key, tensor in loaded.model.state_dict().items():
        torch.testing.assert_close(tensor, averaged.state_dict()[key].half().float())


def test_training_decodes_what_prediction_decodes(bank):
    model = new_model(TINY, None, seed=0)
    example = next(e for e in examples(bank, 40) if e.boxes is not None and e.points is not None)
    with torch.no_grad():
        logits, _ = decode(model, encode(model, [example]), example)
    logits = logits[:, :1]
    sam = Sam(model, "cpu")
    masks = example.masks
    predicted = sam.predict(
        sam.embed(example.image), example.boxes, example.points, example.point_labels, masks
    )
    full = model.postprocess_masks(logits, example.image.shape[:2], example.image.shape[:2])
    np.testing.assert_allclose(predicted, full.numpy(), atol=1e-4)


def test_enlarging_keeps_weights_and_the_place_of_positions():
    small = new_model(TINY, None, seed=0)
    for parameter in small.parameters():
        torch.nn.init.normal_(parameter)
    large = enlarge(small, replace(TINY, image_size=128))
    old, grown = small.state_dict(), large.state_dict()
    changed = {key for key in old if old[key].shape != grown[key].shape}
    assert changed == {
        "image_encoder.pos_embed",
        "image_encoder.blocks.1.attn.rel_pos_h",
        "image_encoder.blocks.1.attn.rel_pos_w",
    }
    assert all(torch.equal(old[key], grown[key]) for key in set(old) - changed)
    key = "image_encoder.blocks.1.attn.rel_pos_h"
    torch.testing.assert_close(grown[key][8:23], old[key])
    torch.testing.assert_close(grown[key][0], old[key][0])
    position = grown["image_encoder.pos_embed"]
    assert position.shape == (1, 16, 16, 48)
    torch.testing.assert_close(position[0, 3, 0], old["image_encoder.pos_embed"][0, 3, 0])
    torch.testing.assert_close(position[0, 15], position[0, 7])


def test_resampling_sees_the_same_part_of_the_picture():
    coarse = new_model(TINY, None, seed=0)
    for parameter in coarse.parameters():
        torch.nn.init.normal_(parameter)
    unchanged = resample(coarse, TINY).state_dict()
    assert all(torch.equal(value, unchanged[key]) for key, value in coarse.state_dict().items())
    with torch.no_grad():
        coarse.image_encoder.pos_embed.copy_(torch.linspace(-1, 1, 8)[None, None, :, None])
        for block in coarse.image_encoder.blocks:
            span = block.attn.rel_pos_h.shape[0]
            block.attn.rel_pos_h.copy_(torch.linspace(-1, 1, span)[:, None])
    fine = resample(coarse, replace(TINY, image_size=128, window_size=8)).image_encoder
    # positions in between the old ones; beyond the outermost ones their value is kept
    expected = torch.linspace(-1, 1, 8)[0] + torch.arange(-0.25, 7.5, 0.5).clip(0, 7) * 2 / 7
    torch.testing.assert_close(fine.pos_embed[0, 5, :, 0].detach(), expected)
    for block, side in zip(fine.blocks, (8, 16), strict=True):
        table = block.attn.rel_pos_h[:, 0].detach()
        assert table.shape == (2 * side - 1,)
        # the offset of nothing stays in the middle, and growing offsets keep their order
        torch.testing.assert_close(table, -table.flip(0))
        assert (table.diff() >= 0).all()


@pytest.fixture(scope="module")
def decoder_path(tmp_path_factory):
    state = build_sam(replace(TINY, prompt_dim=256, mask_channels=16, decoder_mlp_dim=2048))
    parts = {
        "PromtEncoder": state.prompt_encoder.state_dict(),
        "MaskDecoder": state.mask_decoder.state_dict(),
    }
    file = tmp_path_factory.mktemp("decoder") / "decoder.pt"
    torch.save(parts, file)
    return file


@pytest.fixture
def decoder_file(decoder_path, monkeypatch):
    """A decoder of random weights, whose hash is taken for the right one."""
    monkeypatch.setattr(decoder_start, "SHA256", sha256_of_file(decoder_path))
    return decoder_path


def test_decoder_is_read_from_file_and_from_wheel(decoder_file, tmp_path):
    wheel = tmp_path / "segment_everything-0.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(decoder_file, decoder_start.MEMBER)
    first, second = (decoder_start.decoder_state(f) for f in (decoder_file, wheel))
    assert first.keys() == second.keys()
    model = new_model(
        replace(TINY, prompt_dim=256, mask_channels=16, decoder_mlp_dim=2048), first, 0
    )
    for key, tensor in first.items():
        assert torch.equal(model.state_dict()[key], tensor)


def test_another_decoder_is_refused_before_it_is_read(decoder_path, tmp_path):
    wheel = tmp_path / "segment_everything-0.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(decoder_path, decoder_start.MEMBER)
    for path in (decoder_path, wheel):
        with pytest.raises(
            SamflowError, match=r"expected SHA-256 8771b38a57ad6775.*, got [0-9a-f]{64}"
        ):
            decoder_start.decoder_state(path)


def test_a_file_without_decoder_is_refused(tmp_path, monkeypatch):
    torch.save({"other": 1}, tmp_path / "other.pt")
    monkeypatch.setattr(decoder_start, "SHA256", sha256_of_file(tmp_path / "other.pt"))
    with pytest.raises(SamflowError, match="holds no SAM decoder"):
        decoder_start.decoder_state(tmp_path / "other.pt")
    with pytest.raises(SamflowError, match="holds no SAM decoder"):
        decoder_start.decoder_state(tmp_path / "missing.pt")


def test_the_command_trains_both_stages_into_a_file(decoder_file, tmp_path):
    out = tmp_path / "sam.safetensors"
    arguments = ["--out", out, "--bank", tmp_path / "bank", "--simulations", 1]
    arguments += ["--decoder", decoder_file, "--crop-steps", 1, "--steps", 1, "--workers", 2]
    main([str(argument) for argument in arguments])
    assert load_sam(out, device="cpu").image_size == 704
    assert out.stat().st_size < 20e6
    # no further steps: the same weights again
    again = tmp_path / "again.safetensors"
    arguments[:6] = ["--out", again, "--bank", tmp_path / "bank", "--start", out]
    arguments = [*arguments, "--simulations", 1, "--steps", 0]
    main([str(argument) for argument in arguments])
    assert again.read_bytes() == out.read_bytes()


def test_nearest_color_solves_a_film_without_difficulty():
    look = Look(
        fluid=(1, 1, 1), dye1=(0, 0, 1), dye2=(1, 0, 0), wall=(0, 0.6, 0),
        opacity=(1, 1), streaks=0, fade=0, gradient=(0, 0), vignette=0, blur=0.3, grain=0,
    )  # fmt: skip
    (first, labels), (image, truth) = DyeClip(3, (108, 192), frames=2, look=look)
    colors = ColorStrategy("nearest-colour")
    colors.start(Frame(first), labels)
    found = colors.step(Frame(image))
    assert (found == truth).mean() > 0.9


def test_scores_of_a_perfect_model_are_one(monkeypatch):
    clip = DyeClip(5, (54, 96), frames=2)
    truth = list(clip.labels())
    sam = Sam(build_sam(TINY), "cpu")

    def perfect(embedding, boxes, points=None, point_labels=None, mask_logits=None):
        return np.stack([np.where(truth[1] == i, 9.0, -9.0)[None] for i in (1, 2, 3)])

    monkeypatch.setattr(sam, "predict", perfect)
    rows = sam_scores.score_clip(sam, clip)
    assert len(rows) == 15
    model = [row["iou"] for row in rows if row["prompt"] != "nearest colour"]
    assert model == [1.0] * 12
    assert all(0 < row["iou"] < 1 for row in rows if row["prompt"] == "nearest colour")


def test_score_prompts_has_a_row_for_each_prompt_and_the_mean_of_both_dyes():
    sam = Sam(build_sam(TINY), "cpu")
    table = sam_scores.score_prompts(sam, seeds=[41])
    assert list(table.index) == [
        "box",
        "box + points",
        "box + previous mask",
        "box + damaged mask",
        "nearest colour",
    ]
    expected = (table["upper dye"] + table["lower dye"]) / 2
    np.testing.assert_allclose(table["dyes"], expected)


def test_loop_scores_come_from_its_own_masks():
    clip = DyeClip(6, (54, 96), frames=3)
    watched = []
    sam = Sam(new_model(TINY, None, 0), "cpu")
    table = sam_scores.score_loop(sam, clip, lambda image, labels: watched.append(labels))
    assert len(table) == len(watched) == 3
    ids = labels_to_boxes(watched[0], [1, 2, 3])
    for (_, truth), labels, (_, row) in zip(clip, watched, table.iterrows(), strict=True):
        union = (labels == 2) | (truth == 2)
        assert row["lower dye"] == pytest.approx(((labels == 2) & (truth == 2)).sum() / union.sum())
    assert set(ids) == {1, 2, 3}
