"""A small U-Net that is fitted to a few frames of one clip, whose label maps are known.

O. Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", MICCAI
2015; fitted to the clip's own frames as S. Caelles et al. do, "One-shot video object segmentation",
CVPR 2017, but from nothing: what dye looks like on a film is learnt on that film. Where a pixel
lies is an input too (R. Liu et al., "An intriguing failing of convolutional neural networks and the
CoordConv solution", NeurIPS 2018): the camera stands still, and so do walls and uneven light.
"""

import math
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from samflow.device import resolve_precision
from samflow.weights import counted

# Channels at full size; twice that at half of it, four times that below
_WIDTH = 24
_HALVINGS = 3
# Of the frame, the two beside it, and two weaves; and where a pixel lies
_COLORS = 15
_PLACES = 3
# The largest part of a frame that a step sees, rows and columns: a whole frame of 480x270. Smaller
# parts would end where frames do not, with other means and variances than theirs
_PART = (288, 512)
_RATE = 1.5e-3
_DECAY = 1e-3
# Half a wave is over after a fifth of the steps: 0.2 ** _PEAK = 0.5
_PEAK = math.log(0.5) / math.log(0.2)
# The network that is used is a mean over about the last 50 steps
_AVERAGED = 0.98
# Standard deviations of light's change, as shares: everywhere, from the middle to the right edge,
# to the bottom, when there is one frame; several show by themselves how it changes, and want less.
# Then the least that is left of it
_LIGHT = (0.15, 0.3, 0.1)
_DIMMEST = 0.2


class UNet(nn.Module):
    """A U-Net with three halvings and 0.7 million parameters.

    Parameters
    ----------
    labels : int
        Labels to tell apart, the background among them.
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        widths = [_WIDTH * min(2**level, 4) for level in range(_HALVINGS + 1)]
        inputs = [_COLORS + _PLACES, *widths[:-1]]
        self.down = nn.ModuleList(map(_convolutions, inputs, widths))
        below, beside = widths[:0:-1], widths[-2::-1]
        self.up = nn.ModuleList(_convolutions(a + b, b) for a, b in zip(below, beside, strict=True))
        self.head = nn.Conv2d(_WIDTH, labels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, labels, H, W) of inputs (B, 18, H, W); sides are multiples of 8 px."""
        passed: list[Tensor] = []
        for layers in self.down:
            passed.append(layers(F.avg_pool2d(passed[-1], 2) if passed else images))
        x = passed.pop()
        for layers in self.up:
            beside = passed.pop()
            x = F.interpolate(x, beside.shape[-2:], mode="bilinear")
            x = layers(torch.cat([x, beside], 1))
        logits: Tensor = self.head(x)
        return logits


def _convolutions(inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions; at full size, where they cost most, one."""
    layers: list[nn.Module] = []
    for channels in (inputs,) if outputs == _WIDTH else (inputs, outputs):
        layers += [
            nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)


def woven(before: np.ndarray, image: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Join a frame, those beside it, and the frame woven with the one after it in both ways.

    A frame of an interlaced film holds lines of two moments, the later of which has its other lines
    on the frame after. One of the weaves is the whole picture of that moment, whichever field comes
    first; on a film that is not interlaced neither is of use.

    Parameters
    ----------
    before, image, after : (H, W, 3) ndarray

    Returns
    -------
    (H, W, 15) ndarray
        `before`, `image`, `after`; even lines of `image` with odd ones of `after`; the other ones.
    """
    even, odd = image.copy(), after.copy()
    even[1::2], odd[1::2] = after[1::2], image[1::2]
    return np.concatenate([before, image, after, even, odd], 2)


def with_places(colors: Tensor) -> Tensor:
    """Say of each pixel where it lies: how far down and across, and on which field's lines.

    Parameters
    ----------
    colors : (15, H, W) float32
        RGB in [-0.5, 0.5], as `woven` joins them.

    Returns
    -------
    (18, H, W) float32
        In [-0.5, 0.5].
    """
    height, width = colors.shape[1:]
    down, across = (torch.linspace(-0.5, 0.5, n, device=colors.device) for n in (height, width))
    field = torch.arange(height, device=colors.device) % 2 - 0.5
    places = [each.expand(height, width) for each in (down[:, None], across, field[:, None])]
    return torch.cat([colors, torch.stack(places)])


def fit_unet(
    images: Sequence[Tensor],
    labels: Sequence[Tensor],
    count: int,
    steps: int,
    doing: str = "fitting a U-Net",
) -> UNet:
    """Fit a U-Net to frames and their label maps.

    Parameters
    ----------
    images : sequence of (18, H, W) float32
        As `with_places` gives them, on the device that is to do the work; H, W multiples of 8.
    labels : sequence of (H, W) int64
        In [0, count).
    count : int
        Labels to tell apart.
    steps : int
        Each with one of the frames, or a part of 512x288 px where it is larger, mirrored by chance
        and in light that varies. The step size goes up and down once (L. N. Smith, arXiv
        1708.07120).
    doing : str
        What the progress bar says.

    Returns
    -------
    UNet
        Ready to use, in float32. On one machine's CPU, the same input gives the same network.

    Notes
    -----
    Convolutions of the fit are computed in bfloat16 where the device has instructions for it.
    """
    device = images[0].device
    precision = resolve_precision("auto", device)
    half = nullcontext() if precision == torch.float32 else torch.autocast(device.type, precision)
    random = np.random.default_rng(0)
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(0)
        network = UNet(count).to(device).to(memory_format=torch.channels_last)
        averaged = AveragedModel(network, avg_fn=_average, use_buffers=True)
        optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: _share(i, steps))
        for _ in counted(range(steps), doing):
            image, truth = _part(images, labels, random)
            with half:
                logits = network(image[None].contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits.float(), truth[None])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            averaged.update_parameters(network)
    fitted = averaged.module
    assert isinstance(fitted, UNet)
    return fitted.eval().requires_grad_(False)


def _share(step: int, steps: int) -> float:
    """Share of the step size: from 0 up to 1 after a fifth of the steps, and down to 0 again."""
    return 0.5 - 0.5 * math.cos(2 * math.pi * ((step + 1) / (steps + 1)) ** _PEAK)


def _average(mean: Tensor, latest: Tensor, count: Tensor | int) -> Tensor:
    """The mean, with the latest value in it: first over all steps, then one that forgets."""
    if not mean.is_floating_point():  # batches that were counted
        return latest
    return torch.lerp(latest, mean, min(_AVERAGED, float(count / (count + 10))))


def _part(
    images: Sequence[Tensor], labels: Sequence[Tensor], random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """One of the images, or a part of it, and its labels."""
    index = int(random.integers(len(images)))
    image, truth = images[index], labels[index]
    height, width = map(min, _PART, truth.shape)
    # even: a film woven from two fields keeps its order of lines
    top = 2 * int(random.integers((truth.shape[0] - height) // 2 + 1))
    left = int(random.integers(truth.shape[1] - width + 1))
    image = image[:, top : top + height, left : left + width]
    truth = truth[top : top + height, left : left + width]
    if random.random() < 0.5:
        image, truth = image.flip(-1), truth.flip(-1)
    spread = np.array(_LIGHT) / len(images) ** 0.5
    everywhere, right, down = (random.standard_normal(3) * spread).tolist()
    rows, columns = (torch.linspace(-1, 1, side, device=image.device) for side in truth.shape)
    gain = (1 + everywhere + right * columns + down * rows[:, None]).clamp(min=_DIMMEST)
    # black stays black
    colors = (image[:_COLORS] + 0.5) * gain - 0.5
    return torch.cat([colors, image[_COLORS:]]), truth
