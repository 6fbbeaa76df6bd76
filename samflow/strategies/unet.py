"""A small U-Net that is fitted to a few frames of one clip, whose label maps are known.

O. Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", MICCAI
2015; fitted to the clip's own frames as S. Caelles et al. do, "One-shot video object segmentation",
CVPR 2017, but from nothing: what dye looks like on a film is learnt on that film. Where a pixel
lies is an input too (R. Liu et al., "An intriguing failing of convolutional neural networks and the
CoordConv solution", NeurIPS 2018): the camera stands still, and so do walls and uneven light.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from samflow.weights import counted

# Channels at full size; twice that at half of it, four times that below
_WIDTH = 24
_HALVINGS = 3
# Of the frame and the two beside it; and where a pixel lies
_COLORS = 9
_PLACES = 3
# Crops of a step, and their longest side, px: more pixels in one step than in a frame of 480x270
_CROPS = 8
_CROP = 128
_RATE = 1.5e-3
_DECAY = 1e-3
# Half a wave is over after a fifth of the steps: 0.2 ** _PEAK = 0.5
_PEAK = math.log(0.5) / math.log(0.2)
# The network that is used is a mean over about the last 50 steps
_AVERAGED = 0.98
# Standard deviations of a crop's contrast (relative) and brightness (of the full range), when
# there is one frame; several frames show by themselves how the light changes, and want less
_CONTRAST = 0.1
_BRIGHTNESS = 0.05


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
        """Logits (B, labels, H, W) of inputs (B, 12, H, W); sides are multiples of 8 px."""
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


def with_places(colors: Tensor) -> Tensor:
    """Say of each pixel where it lies: how far down and across, and on which field's lines.

    Parameters
    ----------
    colors : (9, H, W) float32
        RGB in [-0.5, 0.5] of the frame before, the frame itself, and the one after it. An
        interlaced film shows some lines of a moment there.

    Returns
    -------
    (12, H, W) float32
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
    images : sequence of (12, H, W) float32
        As `with_places` gives them, on the device that is to do the work; H, W multiples of 8.
    labels : sequence of (H, W) int64
        In [0, count).
    count : int
        Labels to tell apart.
    steps : int
        Each with 8 crops of at most 128x128 px, mirrored by chance and of random brightness. The
        step size goes up and down once (L. N. Smith, arXiv 1708.07120).
    doing : str
        What the progress bar says.

    Returns
    -------
    UNet
        Ready to use. On one machine's CPU, the same input gives the same network.
    """
    device = images[0].device
    random = np.random.default_rng(0)
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(0)
        network = UNet(count).to(device).to(memory_format=torch.channels_last)
        averaged = AveragedModel(network, avg_fn=_average, use_buffers=True)
        optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: _share(i, steps))
        for _ in counted(range(steps), doing):
            crops = [_crop(images, labels, random) for _ in range(_CROPS)]
            seen = torch.stack([image for image, _ in crops])
            logits = network(seen.contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits, torch.stack([truth for _, truth in crops]))
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


def _crop(
    images: Sequence[Tensor], labels: Sequence[Tensor], random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """A part of one of the images, and its labels."""
    index = int(random.integers(len(images)))
    image, truth = images[index], labels[index]
    height, width = (min(_CROP, side) for side in truth.shape)
    # even: a film woven from two fields keeps its order of lines
    top = 2 * int(random.integers((truth.shape[0] - height) // 2 + 1))
    left = int(random.integers(truth.shape[1] - width + 1))
    image = image[:, top : top + height, left : left + width]
    truth = truth[top : top + height, left : left + width]
    if random.random() < 0.5:
        image, truth = image.flip(-1), truth.flip(-1)
    spread = np.array([_CONTRAST, _BRIGHTNESS]) / len(images) ** 0.5
    contrast, brightness = random.standard_normal(2) * spread
    colors = image[:_COLORS] * float(1 + contrast) + float(brightness)
    return torch.cat([colors, image[_COLORS:]]), truth
