"""Train XMem's demo weights on dye clips: `python -m samflow.lab.training.demo_xmem --out FILE`.

`--evaluate FILE` scores weights on the held-out clips instead.

The recipe follows the paper (Cheng & Schwing, ECCV 2022, section 4.1 and its appendix): short
sequences, memory read from the first and from random earlier frames, soft aggregation,
bootstrapped cross-entropy plus dice, a deep update of the sensory memory now and then. It differs
where the paper starts from pretrained backbones: everything starts from random weights here, so
batch normalisation learns its statistics, and is frozen for the last part.
"""

import argparse
import itertools
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from samflow.files import atomic_path
from samflow.lab.synthetic import TRAINING_SEEDS
from samflow.lab.training import data_parallel
from samflow.lab.training.clip_bank import BankRecipe, ClipBank, build_bank
from samflow.lab.training.schedule import Budget, learning_rate_share
from samflow.lab.training.sequences import Sampler, Stage
from samflow.lab.training.xmem_evaluation import LOOKS, evaluate
from samflow.xmem import load_xmem
from samflow.xmem.network import ImageFeatures, XMem, soft_aggregate
from samflow.xmem.reading import similarity

logger = logging.getLogger(__name__)

BANK = BankRecipe(
    simulations=200, first_seed=TRAINING_SEEDS.start + 500_000, shots=1, looks=2, frames=26
)
"""400 clips of 26 frames: 5.4 GB on disk, some 10 minutes of rendering on 2 cores."""

REFERENCE_FRAMES = 3  # read at once, as in the paper
DEEP_UPDATE_SHARE = 0.2  # of the frames, as in the paper; one memory frame in five at run time
FROZEN_NORM_SHARE = (
    0.25  # of the training, at the end, runs with the statistics that inference uses
)
SECONDS_BETWEEN_SNAPSHOTS = 300.0
STEPS = 2400
PEAK_RATE = 1e-3
WARM_UP = 100  # steps


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
    network : XMem
    images : (B, T, 3, H, W) float32 Tensor
        RGB in [0, 1].
    labels : (B, T, H, W) int64 Tensor
        Only the first frame is looked at.
    objects : int
        Channels N; ids 1..N.
    rng : numpy Generator
        For the memory frames and deep updates.

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

    Parameters
    ----------
    memory : sequence of ImageFeatures
        Of the memory frames, B images each.
    values : sequence of (B, N, CV, h, w) Tensor
    query : ImageFeatures
        Of the frame to segment.

    Returns
    -------
    (B, N, CV, h, w) Tensor
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
    """Bootstrapped cross-entropy plus dice, as in the paper.

    Parameters
    ----------
    logits : (B, 1 + N, H, W) float32 Tensor
    labels : (B, H, W) int64 Tensor
        -1 marks pixels that don't count.
    hard_share : float
        In (0, 1]: the share of pixels, the hardest ones, whose cross-entropy counts.

    Returns
    -------
    () Tensor
    """
    entropy = F.cross_entropy(logits, labels, ignore_index=-1, reduction="none").flatten()
    entropy = entropy.topk(max(1, int(hard_share * len(entropy)))).values.mean()
    counted = (labels >= 0)[:, None]
    truth = F.one_hot(labels.clamp(min=0), logits.shape[1]).permute(0, 3, 1, 2)[:, 1:] * counted
    p = logits.softmax(1)[:, 1:] * counted
    overlap = 2 * (p * truth).sum((2, 3)) + 1
    dice = 1 - overlap / (p.sum((2, 3)) + truth.sum((2, 3)) + 1)
    return entropy + dice.mean()


def train(
    network: XMem,
    bank: ClipBank,
    budget: Budget,
    seed: int,
    out: Path,
) -> XMem:
    """Train a network; write its average now and then.

    Parameters
    ----------
    network : XMem
        From random weights, or to go on with.
    bank : ClipBank
    budget : Budget
        When to stop; the stages and the learning rate follow its progress.
    seed : int
        Of the sequences drawn.
    out : Path
        The file of the average, rewritten every five minutes and at the end.

    Returns
    -------
    XMem
        The exponential average of the weights.
    """
    rng = np.random.default_rng([seed, data_parallel.rank()])
    sampler = Sampler(bank, rng)
    network = network.to(memory_format=torch.channels_last).train()
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995), use_buffers=True
    )
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=PEAK_RATE)
    ends = np.cumsum([stage.share for stage in STAGES])
    started = saved = time.monotonic()
    recent: list[float] = []
    for step in itertools.count():
        progress = data_parallel.agree(budget.progress(step, time.monotonic() - started))
        if progress >= 1:
            break
        if progress >= 1 - FROZEN_NORM_SHARE:
            _freeze_norms(network)
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * learning_rate_share(progress, step, WARM_UP)
        stage = STAGES[min(int(np.searchsorted(ends, progress, side="right")), len(STAGES) - 1)]
        images, labels = sampler.draw(stage)
        hard = float(np.interp(progress, [0.2, 0.7], [1.0, 0.3]))
        predictions = segment_sequence(network, images, labels, stage.objects, rng)
        losses = [loss(p, labels[:, 1 + t], hard) for t, p in enumerate(predictions)]
        total = torch.stack(losses).mean()
        optimizer.zero_grad()
        total.backward()
        data_parallel.average_gradients(network)
        nn.utils.clip_grad_norm_(network.parameters(), 3.0)
        optimizer.step()
        average.update_parameters(network)
        recent.append(total.item())
        if data_parallel.rank():
            continue
        if step % 20 == 19:
            seconds = time.monotonic() - started
            logger.info(
                "step %d, %.0f %%, loss %.4f, %.3f s a step",
                step + 1,
                100 * progress,
                np.mean(recent[-20:]),
                seconds / (step + 1),
            )
        if time.monotonic() - saved > SECONDS_BETWEEN_SNAPSHOTS:
            save(average.module, out)
            saved = time.monotonic()
    if data_parallel.rank() == 0:
        save(average.module, out)
    trained = average.module
    assert isinstance(trained, XMem)
    return trained.eval()


def _freeze_norms(network: XMem) -> None:
    if not network.key_encoder.bn1.training:
        return
    data_parallel.share_buffers(network)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def save(network: nn.Module, path: Path) -> None:
    """Write a network's entries as safetensors, floats in float16."""
    entries = {
        name: (t.half() if t.is_floating_point() else t).detach().contiguous().clone()
        for name, t in network.state_dict().items()
    }
    with atomic_path(path) as part:
        save_file(entries, part)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train or evaluate from the command line."""
    parser = argparse.ArgumentParser(description="Train XMem's demo weights on dye clips.")
    parser.add_argument("--evaluate", metavar="FILE", help="score weights on the held-out clips")
    parser.add_argument("--out", type=Path, default=Path("data/xmem_demo.safetensors"))
    parser.add_argument("--bank", type=Path, default=Path("data/xmem_bank"), help="rendered clips")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--minutes", type=float, help="train for this long instead of --steps")
    parser.add_argument("--start", metavar="FILE", help="weights to go on with")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    options = parser.parse_args(arguments)
    if options.evaluate:
        _print_scores(load_xmem(options.evaluate, device="cpu"))
        return
    build_bank(options.bank, BANK)
    budget = Budget(options.steps, options.minutes)
    data_parallel.run_workers(
        _train_worker,
        options.workers,
        options.bank,
        budget,
        options.seed,
        options.out,
        options.start,
    )


def _train_worker(folder: Path, budget: Budget, seed: int, out: Path, start: str | None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    cv2.setNumThreads(1)
    torch.manual_seed(seed)
    network = small_xmem()
    if start is not None:
        network = load_xmem(start, device="cpu").requires_grad_(True)
    train(network, build_bank(folder, BANK), budget, seed, out)


def _print_scores(network: XMem) -> None:
    for look in LOOKS:
        scores = evaluate(network, look=look)
        print(f"{len(scores)} held-out clips of 120 frames, look {look}: mean J of both dyes")
        print(scores.round(3).to_string(index=False))
        print(scores.drop(columns="seed").mean().round(3).to_string())


if __name__ == "__main__":
    main()
