"""Train the demo SAM: a small image encoder under SAM's own decoder, on synthetic dye clips.

    python -m samflow.lab.training.demo_sam --out sam_demo.safetensors
    python -m samflow.lab.training.demo_sam --evaluate sam_demo.safetensors

The loss is that of "Segment Anything" (Kirillov et al., 2023, appendix A) with binary cross
entropy in place of the focal loss: the logits of several regions are compared with each other
when they are merged, and cross entropy keeps them comparable.
"""

import argparse
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from segment_anything.modeling import Sam as SamModel

from samflow.lab.training import data_parallel
from samflow.lab.training.clip_bank import BankRecipe, ClipBank, build_bank
from samflow.lab.training.decoder_start import decoder_state
from samflow.lab.training.examples import (
    Crops,
    Example,
    draw_example,
    jittered_box,
    mask_prompt,
    spoil_mask,
)
from samflow.lab.training.loop import Schedule, save_weights, train_network, training_parser
from samflow.lab.training.sam_network import (
    DEMO_ARCHITECTURE,
    decode,
    encode,
    enlarge,
    new_model,
    resample,
)
from samflow.sam import load_sam

log = logging.getLogger(__name__)

# Most of the training runs on crops of the same scale: a film is wide, so half of the square input
# is padding, and a quarter of the tokens costs less than a quarter of the time.
CROP_SIZE = 352
SQUARE_CROPS = Crops(share=1.0, rows=(0.75, 1.0), aspect=(0.9, 1.25))
MIXED_CROPS = Crops(share=0.35, rows=(0.6, 1.0), aspect=(0.9, 2.0))
CROP_STEPS = 1000
WHOLE_STEPS = 500
# a step, over all processes
CROP_IMAGES, WHOLE_IMAGES = 8, 4


@dataclass(frozen=True)
class Settings:
    """What a step of one process sees: `images` cut as `crops`, each with up to 3 regions.

    Half of them are decoded a second time. The pretrained decoder learns at `decoder_share` of the
    rate.
    """

    images: int
    crops: Crops
    decoder_share: float = 0.3
    seed: int = 0


def example_loss(logits: torch.Tensor, quality: torch.Tensor, example: Example) -> torch.Tensor:
    """Loss of one example: single mask + 0.2 * best of three + error of the expected IoU.

    Masks are compared at twice the resolution of the logits, without the padding. Each mask costs
    2 * cross entropy + dice. `logits` and `quality` are from `decode`.
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

    `logits` (P, M, M) are the single masks that were predicted from it. The merged masks are
    moved and spoilt as often as not and go with their boxes; a region that vanished keeps its
    truth.
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


def train(
    model: SamModel,
    bank: ClipBank,
    schedule: Schedule,
    settings: Settings,
    snapshot: Callable[[SamModel, int], None] | None = None,
) -> tuple[SamModel, list[float]]:
    """Train a Sam on a bank of clips, changing it in place; see `train_network`."""
    rng = np.random.default_rng([settings.seed, data_parallel.rank()])
    sizes = (model.image_encoder.img_size, model.prompt_encoder.mask_input_size[0])

    def loss_of(_: float) -> torch.Tensor:
        examples = [draw_example(bank, settings.crops, sizes, rng) for _ in range(settings.images)]
        losses = []
        for example, features in zip(examples, encode(model, examples).split(1), strict=True):
            logits, quality = decode(model, features, example)
            losses.append(example_loss(logits, quality, example))
            if rng.random() < 0.5:
                again = feed_back(logits[:, 0], example, rng)
                losses.append(example_loss(*decode(model, features, again), again))
        return torch.stack(losses).mean()

    pretrained = [*model.prompt_encoder.parameters(), *model.mask_decoder.parameters()]
    encoder = list(model.image_encoder.parameters())
    groups = [
        {"params": encoder, "share": 1.0, "weight_decay": 0.02},
        {"params": pretrained, "share": settings.decoder_share, "weight_decay": 0.02},
    ]
    return train_network(model, groups, schedule, loss_of, snapshot)


def train_on_crops(
    bank: ClipBank,
    steps: int,
    decoder: dict[str, torch.Tensor],
    snapshot: Callable[[SamModel, int], None] | None = None,
) -> SamModel:
    """Train on crops of `CROP_SIZE`, then enlarge to the demo's architecture.

    The learning rate falls to a quarter only: the second stage takes over.
    """
    blocks = tuple(range(DEMO_ARCHITECTURE.depth))
    crop = replace(DEMO_ARCHITECTURE, image_size=CROP_SIZE, global_blocks=blocks)
    log.info("first stage: crops of %d px", CROP_SIZE)
    settings = Settings(max(1, CROP_IMAGES // data_parallel.workers()), SQUARE_CROPS)
    schedule = Schedule(steps, rate=8e-4, warm_up=150, last_share=0.25)
    model, _ = train(new_model(crop, decoder, seed=0), bank, schedule, settings, snapshot)
    return enlarge(model, DEMO_ARCHITECTURE)


def main(arguments: list[str] | None = None) -> None:
    """Train, or evaluate a file, as the command line says."""
    parser = training_parser(
        "samflow.lab.training.demo_sam",
        __doc__,
        out=Path("sam_demo.safetensors"),
        bank=Path("sam-bank"),
        steps=WHOLE_STEPS,
        seed=1,
    )
    parser.add_argument("--simulations", type=int, default=600, help="flows in the bank")
    parser.add_argument("--decoder", type=Path, help="wheel or .pt file with SAM's decoder")
    parser.add_argument("--crop-steps", type=int, default=CROP_STEPS, help="of stage 1 on crops")
    options = parser.parse_args(arguments)
    if options.evaluate is not None:
        from samflow.lab.training.sam_scores import report

        print(report(options.evaluate))
        return
    build_bank(options.bank, BankRecipe(options.simulations))
    decoder = None if options.start is not None else decoder_state(options.decoder)
    data_parallel.run_workers(_train_worker, options.workers, options, decoder)


def _train_worker(options: argparse.Namespace, decoder: dict[str, torch.Tensor] | None) -> None:
    bank = build_bank(options.bank, BankRecipe(options.simulations))

    def snapshot(model: SamModel, step: int) -> None:
        small = model.image_encoder.img_size < DEMO_ARCHITECTURE.image_size
        save_weights(enlarge(model, DEMO_ARCHITECTURE) if small else model, options.out)
        log.info("wrote %s after %d steps", options.out, step)

    if decoder is not None:
        model = train_on_crops(bank, options.crop_steps, decoder, snapshot)
    else:
        model = resample(load_sam(options.start, device="cpu").model, DEMO_ARCHITECTURE)
    log.info("second stage: images of %d px", model.image_encoder.img_size)
    images = max(1, WHOLE_IMAGES // data_parallel.workers())
    settings = Settings(images, MIXED_CROPS, seed=options.seed)
    schedule = Schedule(options.steps, options.minutes, rate=5e-4, warm_up=50)
    train(model, bank, schedule, settings, snapshot)


if __name__ == "__main__":
    main()
