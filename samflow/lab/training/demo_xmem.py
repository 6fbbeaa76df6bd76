"""Train XMem's demo weights on dye clips: `python -m samflow.lab.training.demo_xmem --out FILE`.

`--evaluate FILE` scores weights on the held-out clips instead.

The recipe follows the paper (Cheng & Schwing, ECCV 2022, section 4.1 and its appendix): short
sequences, memory read from the first and from random earlier frames, soft aggregation,
bootstrapped cross-entropy plus dice, a deep update of the sensory memory now and then. It differs
where the paper starts from pretrained backbones: everything starts from random weights here, so
batch normalisation learns its statistics, and is frozen for the last part.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samflow.lab.synthetic import TRAINING_SEEDS
from samflow.lab.training import data_parallel
from samflow.lab.training.clip_bank import BankRecipe, ClipBank, build_bank
from samflow.lab.training.loop import Schedule, save_weights, train_network, training_parser
from samflow.lab.training.sequences import Sampler, Stage
from samflow.lab.training.xmem_evaluation import LOOKS, evaluate
from samflow.weights import load_checkpoint
from samflow.xmem import load_xmem
from samflow.xmem.network import ImageFeatures, XMem, soft_aggregate
from samflow.xmem.reading import similarity
from samflow.xmem.xmem_checkpoint import xmem_from_state_dict

BANK = BankRecipe(
    simulations=200, first_seed=TRAINING_SEEDS.start + 500_000, shots=1, looks=2, frames=26
)
"""400 clips of 26 frames: 5.4 GB on disk, some 10 minutes of rendering on 2 cores."""

REFERENCE_FRAMES = 3  # read at once, as in the paper
DEEP_UPDATE_SHARE = 0.2  # of the frames, as in the paper; one memory frame in five at run time
# of the training, at the end, runs with the statistics that inference uses
FROZEN_NORM_SHARE = 0.25

# batches are those of each of two workers
STAGES = (
    Stage(0.48, (160, 160), batch=2, frames=3, objects=2, max_skip=8),
    Stage(0.34, (160, 224), batch=2, frames=5, objects=2, max_skip=6),
    Stage(0.18, (224, 384), batch=1, frames=6, objects=3, max_skip=5),
)


def small_xmem() -> XMem:
    """Build the demo's network: a quarter of the official width, 4.0 M values."""
    return XMem(key_dim=32, value_dim=128, hidden_dim=16, width=0.25)


def segment_sequence(
    network: XMem, images: Tensor, labels: Tensor, objects: int, rng: np.random.Generator
) -> Iterator[Tensor]:
    """Segment a batch of sequences from their first masks, as in training.

    Parameters
    ----------
    images : (B, T, 3, H, W) float32 Tensor
        RGB in [0, 1].
    labels : (B, T, H, W) int64 Tensor
        Only the first frame is looked at; ids 1 to `objects` (N).

    Yields
    ------
    (B, 1 + N, H, W) float32 Tensor
        Logits of frames 1 to T - 1.
    """
    batch, frames = images.shape[:2]
    pixels = network.normalise(images).contiguous(memory_format=torch.channels_last_3d)
    flat = pixels.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    encoded = network.encode_key(flat)
    features = [
        ImageFeatures(*(f.unflatten(0, (batch, frames))[:, t] for f in encoded))
        for t in range(frames)
    ]
    masks = torch.stack([labels[:, 0] == i for i in range(1, objects + 1)], 1).float()
    shown = masks.amax((2, 3), keepdim=True)
    hidden = masks.new_zeros(batch, objects, network.hidden_dim, *encoded.key.shape[-2:])
    values: list[Tensor] = []
    for t in range(frames):
        if t:
            chosen = _reference_frames(t, rng)
            readout = read([features[i] for i in chosen], [values[i] for i in chosen], features[t])
            raw, hidden = network.decoder(features[t], readout, hidden, True)
            logits = soft_aggregate(torch.sigmoid(raw.float()) * shown)
            masks = logits.softmax(1)[:, 1:]
            yield logits
        if t < frames - 1:
            deep = t == 0 or rng.random() < DEEP_UPDATE_SHARE
            value, hidden = network.encode_value(pixels[:, t], features[t].f16, masks, hidden, deep)
            values.append(value)


def _reference_frames(t: int, rng: np.random.Generator) -> list[int]:
    if t <= REFERENCE_FRAMES:
        return list(range(t))
    others = rng.choice(np.arange(1, t), REFERENCE_FRAMES - 1, replace=False)
    return [0, *sorted(int(i) for i in others)]


def read(memory: Sequence[ImageFeatures], values: Sequence[Tensor], query: ImageFeatures) -> Tensor:
    """Read memory frames with a softmax over all of their elements.

    `memory` and `values` (B, N, CV, h, w) are of the memory frames, `query` of the frame to
    segment: (B, N, CV, h, w).
    """

    def rows(x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)  # (B, C, h, w) -> (B, h * w, C)

    with torch.autocast(query.key.device.type, enabled=False):
        key = torch.cat([rows(f.key.float()) for f in memory], 1)
        shrinkage = torch.cat([rows(f.shrinkage.float())[..., 0] for f in memory], 1)
        scores = similarity(key, shrinkage, rows(query.key.float()), rows(query.selection.float()))
        affinity = scores.softmax(-1)  # (B, Q, M)
    value = torch.cat([v.flatten(3) for v in values], 3).flatten(1, 2)  # (B, N * CV, M)
    readout = value @ affinity.transpose(1, 2).to(value.dtype)
    return readout.unflatten(1, values[0].shape[1:3]).unflatten(3, query.key.shape[-2:])


def loss(logits: Tensor, labels: Tensor, hard_share: float) -> Tensor:
    """Bootstrapped cross-entropy plus dice, as in the paper, of logits (B, 1 + N, H, W).

    -1 in `labels` (B, H, W) int64 marks pixels that don't count. The cross-entropy is that of
    `hard_share` of the pixels, the hardest ones.
    """
    entropy = F.cross_entropy(logits, labels, ignore_index=-1, reduction="none").flatten()
    entropy = entropy.topk(max(1, int(hard_share * len(entropy)))).values.mean()
    counted = (labels >= 0)[:, None]
    truth = F.one_hot(labels.clamp(min=0), logits.shape[1]).permute(0, 3, 1, 2)[:, 1:] * counted
    p = logits.softmax(1)[:, 1:] * counted
    overlap = 2 * (p * truth).sum((2, 3)) + 1
    dice = 1 - overlap / (p.sum((2, 3)) + truth.sum((2, 3)) + 1)
    return entropy + dice.mean()


def train(network: XMem, bank: ClipBank, schedule: Schedule, seed: int, out: Path) -> XMem:
    """Train a network, from random weights or trained ones; write its average now and then.

    The stages, the hardness of the loss and the learning rate follow the schedule's progress.
    """
    rng = np.random.default_rng([seed, data_parallel.rank()])
    sampler = Sampler(bank, rng)
    network = network.to(memory_format=torch.channels_last).train()
    ends = np.cumsum([stage.share for stage in STAGES])

    def loss_of(progress: float) -> Tensor:
        if progress >= 1 - FROZEN_NORM_SHARE:
            _freeze_norms(network)
        stage = STAGES[min(int(np.searchsorted(ends, progress, side="right")), len(STAGES) - 1)]
        images, labels = sampler.draw(stage)
        hard = float(np.interp(progress, [0.2, 0.7], [1.0, 0.3]))
        predictions = segment_sequence(network, images, labels, stage.objects, rng)
        losses = [loss(p, labels[:, 1 + t], hard) for t, p in enumerate(predictions)]
        return torch.stack(losses).mean()

    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "share": 1.0, "weight_decay": 0.02},
        {"params": plain, "share": 1.0, "weight_decay": 0.0},
    ]
    trained, _ = train_network(
        network, groups, schedule, loss_of, lambda average, _: save_weights(average, out)
    )
    assert isinstance(trained, XMem)
    return trained.eval()


def _freeze_norms(network: XMem) -> None:
    if not network.key_encoder.bn1.training:
        return
    data_parallel.share_buffers(network)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def main(arguments: Sequence[str] | None = None) -> None:
    """Train or evaluate from the command line."""
    parser = training_parser(
        "samflow.lab.training.demo_xmem",
        "Train XMem's demo weights on dye clips.",
        out=Path("data/xmem_demo.safetensors"),
        bank=Path("data/xmem_bank"),
        steps=2400,
        seed=0,
    )
    options = parser.parse_args(arguments)
    if options.evaluate:
        _print_scores(load_xmem(options.evaluate, device="cpu"))
        return
    build_bank(options.bank, BANK)
    data_parallel.run_workers(_train_worker, options.workers, options)


def _train_worker(options: argparse.Namespace) -> None:
    torch.manual_seed(options.seed)
    network = small_xmem()
    if options.start is not None:
        weights = load_checkpoint(options.start, kind="xmem").state_dict
        network = xmem_from_state_dict(weights, options.start)
    schedule = Schedule(options.steps, options.minutes, averaging=0.995, largest_gradient=3.0)
    train(network, build_bank(options.bank, BANK), schedule, options.seed, options.out)


def _print_scores(network: XMem) -> None:
    for look in LOOKS:
        scores = evaluate(network, look=look)
        print(f"{len(scores)} held-out clips of 120 frames, look {look}: mean J of both dyes")
        print(scores.round(3).to_string(index=False))
        print(scores.drop(columns="seed").mean().round(3).to_string())


if __name__ == "__main__":
    main()
