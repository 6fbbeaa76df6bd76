"""Train the demo SAM: a small image encoder under SAM's own decoder, on synthetic dye clips.

    python -m samflow.training.sam --out sam_demo.safetensors
    python -m samflow.training.sam --evaluate sam_demo.safetensors

The loss is that of "Segment Anything" (Kirillov et al., 2023, appendix A) with binary cross
entropy in the place of the focal loss: the logits of several regions are compared with each other
when they are merged, and cross entropy keeps them comparable.
"""

import argparse
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from segment_anything.modeling import Sam as SamModel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from samflow.files import atomic_path
from samflow.sam import SamArchitecture, build_sam
from samflow.training.clips import BankRecipe, ClipBank, build_bank
from samflow.training.decoder_start import decoder_state
from samflow.training.examples import (
    Crops,
    Example,
    draw_example,
    jittered_box,
    mask_prompt,
    spoil_mask,
)

log = logging.getLogger(__name__)

DEMO_ARCHITECTURE = SamArchitecture(
    image_size=512,
    patch_size=16,
    embed_dim=192,
    depth=5,
    num_heads=3,
    window_size=16,
    global_blocks=(2, 4),
)
# Most of the training runs on crops of the same scale: a film is wide, so half of the square input
# is padding, and a quarter of the tokens costs less than a quarter of the time.
CROP_SIZE = 256
SQUARE_CROPS = Crops(share=1.0, rows=(0.75, 1.0), aspect=(0.9, 1.25))
MIXED_CROPS = Crops(share=0.35, rows=(0.6, 1.0), aspect=(0.9, 2.0))
CROP_STEPS = 1400
WHOLE_STEPS = 650


@dataclass(frozen=True)
class Settings:
    """How to train.

    Parameters
    ----------
    steps : int
        Optimiser steps.
    pictures : int
        Pictures a step, each with up to 3 regions; half of them are decoded a second time.
    learning_rate : float
        Highest rate of the encoder.
    decoder_share : float
        Share of it for the pretrained decoder.
    weight_decay : float
    warm_up : int
        Steps of rising learning rate; it falls along a cosine afterwards.
    averaging : float
        Decay of the exponential average of the weights, which is what is saved.
    seed : int
    crops : Crops
        How pictures are cut.
    snapshot_every : int
        Steps between two snapshots.
    """

    steps: int
    pictures: int
    crops: Crops
    learning_rate: float = 8e-4
    decoder_share: float = 0.3
    weight_decay: float = 0.02
    warm_up: int = 150
    averaging: float = 0.997
    seed: int = 0
    snapshot_every: int = 200


def new_model(
    architecture: SamArchitecture, decoder: dict[str, torch.Tensor] | None, seed: int
) -> SamModel:
    """Build a Sam with a random encoder and, when given, a decoder that has been trained."""
    torch.manual_seed(seed)
    model = build_sam(architecture)
    for module in model.image_encoder.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.trunc_normal_(module.weight, std=0.02)
    torch.nn.init.trunc_normal_(model.image_encoder.pos_embed, std=0.02)
    if decoder is not None:
        missing, unexpected = model.load_state_dict(decoder, strict=False)
        odd = [key for key in missing if not key.startswith("image_encoder.")] + list(unexpected)
        if odd:
            raise ValueError(f"the decoder does not fit this architecture: {odd[:3]}")
    return model


def enlarge(small: SamModel, architecture: SamArchitecture) -> SamModel:
    """Turn a Sam for small inputs into one for larger inputs of the same scale.

    Parameters
    ----------
    small : Sam
        Trained on crops.
    architecture : SamArchitecture
        Like that of `small`, with a larger image.

    Returns
    -------
    Sam
        With the same weights. The tables of positions grow: rows keep their place and the last
        one is repeated, columns are stretched, and relative positions beyond the small input's
        take the value of the farthest one known.
    """
    model = build_sam(architecture)
    state = small.state_dict()
    for key, target in model.state_dict().items():
        source = state[key]
        if key.endswith("pos_embed"):  # (1, rows, columns, channels)
            table = source.permute(0, 3, 1, 2)
            table = F.interpolate(table, (source.shape[1], target.shape[2]), mode="bilinear")
            table = F.pad(table, (0, 0, 0, target.shape[1] - source.shape[1]), mode="replicate")
            state[key] = table.permute(0, 2, 3, 1)
        elif "rel_pos" in key and source.shape != target.shape:  # (2 * side - 1, channels)
            beyond = (target.shape[0] - source.shape[0]) // 2
            state[key] = F.pad(source.T[None], (beyond, beyond), mode="replicate")[0].T
    model.load_state_dict(state)
    return model


def save_weights(model: torch.nn.Module, file: str | Path) -> None:
    """Write a model's parameters as float16 safetensors."""
    state = {key: value.detach().half().contiguous() for key, value in model.state_dict().items()}
    with atomic_path(file) as part:
        save_file(state, part)


def encode(model: SamModel, examples: list[Example]) -> torch.Tensor:
    """Image embeddings (B, C, h, w) of the examples' pictures."""
    pictures = [
        model.preprocess(torch.from_numpy(example.image).permute(2, 0, 1).float())
        for example in examples
    ]
    return model.image_encoder(torch.stack(pictures))


def decode(
    model: SamModel, features: torch.Tensor, example: Example
) -> tuple[torch.Tensor, torch.Tensor]:
    """Decode one example.

    Parameters
    ----------
    model : Sam
    features : (1, C, h, w) Tensor
        Embedding of its picture.
    example : Example
        Its P regions' prompts.

    Returns
    -------
    logits : (P, 4, M, M) float32 Tensor
        The single mask first, then the three of the ambiguous answer.
    quality : (P, 4) float32 Tensor
        The IoU that the model expects.
    """

    def tensor(values: np.ndarray | None) -> torch.Tensor | None:
        return None if values is None else torch.from_numpy(values)

    points = None
    if example.points is not None:
        points = (tensor(example.points), tensor(example.point_labels))
    sparse, dense = model.prompt_encoder(
        points=points, boxes=tensor(example.boxes), masks=tensor(example.masks)
    )
    logits, quality = model.mask_decoder.predict_masks(
        image_embeddings=features,
        image_pe=model.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
    )
    return logits, quality


def example_loss(logits: torch.Tensor, quality: torch.Tensor, example: Example) -> torch.Tensor:
    """Loss of one example: single mask + 0.2 * best of three + error of the expected IoU.

    Masks are compared at twice the resolution of the logits, without the padding. Each mask costs
    2 * cross entropy + dice.

    Parameters
    ----------
    logits, quality : Tensor
        From `decode`.
    example : Example
        With the truth.

    Returns
    -------
    Tensor
        Scalar.
    """
    side = 2 * logits.shape[-1]
    stride = example.truth.shape[-1] // side
    truth = F.avg_pool2d(torch.from_numpy(example.truth)[:, None].float(), stride)
    height, width = (-(-edge // stride) for edge in example.image.shape[:2])
    truth = truth[..., :height, :width].expand(-1, logits.shape[1], -1, -1)  # (P, 4, h, w)
    fine = F.interpolate(logits, (side, side), mode="bilinear", align_corners=False)
    fine = fine[..., :height, :width]
    entropy = F.binary_cross_entropy_with_logits(fine, truth, reduction="none").mean((2, 3))
    chance = torch.sigmoid(fine)
    overlap = (chance * truth).sum((2, 3))
    dice = 1 - (2 * overlap + 1) / ((chance + truth).sum((2, 3)) + 1)
    cost = 2 * entropy + dice  # (P, 4)
    with torch.no_grad():
        found, real = fine > 0, truth > 0.5
        iou = (found & real).sum((2, 3)) / (found | real).sum((2, 3)).clamp(min=1)
    expected = F.mse_loss(quality, iou)
    return cost[:, 0].mean() + 0.2 * cost[:, 1:].min(1).values.mean() + expected


def feed_back(logits: torch.Tensor, example: Example, rng: np.random.Generator) -> Example:
    """Prompt an example with the model's own answer, as strategy `sam` does on the next frame.

    Parameters
    ----------
    logits : (P, M, M) Tensor
        The single masks of the P regions.
    example : Example
        What they were predicted from.
    rng : numpy.random.Generator

    Returns
    -------
    Example
        The same picture with the merged masks, moved and spoilt as often as not, and their boxes.
        A region that vanished keeps its truth.
    """
    size = example.truth.shape[-1]
    fine = np.stack([cv2.resize(mask.numpy(), (size, size)) for mask in logits.detach()])
    height, width = example.image.shape[:2]
    fine[:, height:], fine[:, :, width:] = -1, -1
    winner = np.where(fine.max(0) > 0, fine.argmax(0), -1)
    masks, boxes = [], []
    for number, truth in enumerate(example.truth):
        mask = winner == number
        mask = mask if mask.any() else truth
        prompt = spoil_mask(mask, rng) if rng.random() < 0.5 else mask
        masks.append(mask_prompt(prompt, logits.shape[-1], rng))
        boxes.append(jittered_box(mask, rng, (height, width)))
    return replace(
        example, boxes=np.stack(boxes), masks=np.stack(masks), points=None, point_labels=None
    )


def learning_rate_share(step: int, settings: Settings) -> float:
    """Share of the highest learning rate at a step: linear warm-up, then a cosine to 2 %."""
    if step < settings.warm_up:
        return (step + 1) / settings.warm_up
    done = (step - settings.warm_up) / max(1, settings.steps - settings.warm_up)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def train(
    model: SamModel,
    bank: ClipBank,
    settings: Settings,
    snapshot: Callable[[SamModel, int], None] | None = None,
) -> tuple[torch.nn.Module, list[float]]:
    """Train a Sam on a bank of clips.

    Parameters
    ----------
    model : Sam
        Changed in place.
    bank : ClipBank
    settings : Settings
    snapshot : callable, optional
        Called with the averaged model and the number of steps made.

    Returns
    -------
    Module
        The exponential average of the weights along the way.
    list of float
        The loss of each step.
    """
    rng = np.random.default_rng(settings.seed)
    pretrained = [*model.prompt_encoder.parameters(), *model.mask_decoder.parameters()]
    groups = [
        {"params": list(model.image_encoder.parameters()), "lr": settings.learning_rate},
        {"params": pretrained, "lr": settings.learning_rate * settings.decoder_share},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_share(step, settings)
    )
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(settings.averaging))
    losses: list[float] = []
    started = time.monotonic()
    for step in range(1, settings.steps + 1):
        losses.append(_step(model, bank, settings, optimizer, rng))
        schedule.step()
        averaged.update_parameters(model)
        if step % 50 == 0:
            seconds = (time.monotonic() - started) / step
            log.info("step %d loss %.4f, %.3f s/step", step, np.mean(losses[-50:]), seconds)
        if snapshot is not None and (step % settings.snapshot_every == 0 or step == settings.steps):
            snapshot(averaged.module, step)
    return averaged.module, losses


def _step(
    model: SamModel,
    bank: ClipBank,
    settings: Settings,
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
) -> float:
    sizes = (model.image_encoder.img_size, model.prompt_encoder.mask_input_size[0])
    examples = [draw_example(bank, settings.crops, sizes, rng) for _ in range(settings.pictures)]
    losses = []
    for example, features in zip(examples, encode(model, examples).split(1), strict=True):
        logits, quality = decode(model, features, example)
        losses.append(example_loss(logits, quality, example))
        if rng.random() < 0.5:
            again = feed_back(logits[:, 0], example, rng)
            losses.append(example_loss(*decode(model, features, again), again))
    loss = torch.stack(losses).mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def main(arguments: list[str] | None = None) -> None:
    """Train, or evaluate a file, as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m samflow.training.sam", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("sam_demo.safetensors"))
    parser.add_argument("--bank", type=Path, default=Path("sam-bank"), help="rendered clips")
    parser.add_argument("--simulations", type=int, default=600, help="flows in the bank")
    parser.add_argument("--decoder", type=Path, help="wheel or .pt file with SAM's decoder")
    parser.add_argument("--crop-steps", type=int, default=CROP_STEPS)
    parser.add_argument("--steps", type=int, default=WHOLE_STEPS)
    parser.add_argument("--evaluate", type=Path, metavar="FILE", help="score FILE instead")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if options.evaluate is not None:
        from samflow.training.sam_scores import report

        print(report(options.evaluate))
        return
    bank = build_bank(options.bank, BankRecipe(options.simulations))

    def snapshot(model: SamModel, step: int) -> None:
        small = model.image_encoder.img_size < DEMO_ARCHITECTURE.image_size
        save_weights(enlarge(model, DEMO_ARCHITECTURE) if small else model, options.out)
        log.info("wrote %s after %d steps", options.out, step)

    crop = replace(
        DEMO_ARCHITECTURE, image_size=CROP_SIZE, global_blocks=tuple(range(DEMO_ARCHITECTURE.depth))
    )
    model = new_model(crop, decoder_state(options.decoder), seed=0)
    log.info("first stage: %d steps on crops of %d px", options.crop_steps, CROP_SIZE)
    model, _ = train(model, bank, Settings(options.crop_steps, 8, SQUARE_CROPS), snapshot)
    model = enlarge(model, DEMO_ARCHITECTURE)
    log.info(
        "second stage: %d steps on pictures of %d px", options.steps, model.image_encoder.img_size
    )
    whole = Settings(options.steps, 3, MIXED_CROPS, learning_rate=5e-4, warm_up=50, seed=1)
    train(model, bank, whole, snapshot)


if __name__ == "__main__":
    main()
