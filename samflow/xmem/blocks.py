"""The building blocks of the XMem network.

Structure and parameter names follow XMem (Cheng & Schwing, ECCV 2022, arXiv 2207.07115), so that
the official checkpoints load unchanged. Group tensors have shape (B, N, C, h, w): B clips, N
objects. A group convolution is an ordinary one with B and N folded together.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck


def stage(
    block: type[BasicBlock | Bottleneck], inner: int, middle: int, count: int, stride: int
) -> nn.Sequential:
    """`count` residual blocks in a row, the stride in the first."""
    outer = block.expansion * middle
    first = block(inner, middle, stride)
    if stride != 1 or inner != outer:
        first.downsample = nn.Sequential(
            nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer)
        )
    return nn.Sequential(first, *(block(outer, middle) for _ in range(count - 1)))


class GroupConv(nn.Conv2d):
    """A convolution that every object goes through: (B, N, C, h, w) -> (B, N, C', h', w')."""

    def forward(self, g: Tensor) -> Tensor:
        """Fold the objects into the batch and back."""
        return super().forward(g.flatten(0, 1)).unflatten(0, g.shape[:2])


class GroupResBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut, on a group tensor."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.downsample = GroupConv(inner, outer, 3, padding=1) if inner != outer else None
        self.conv1 = GroupConv(inner, outer, 3, padding=1)
        self.conv2 = GroupConv(outer, outer, 3, padding=1)

    def forward(self, g: Tensor) -> Tensor:
        """(B, N, inner, h, w) -> (B, N, outer, h, w)."""
        out = self.conv2(F.relu(self.conv1(F.relu(g)), inplace=True))
        return out + (g if self.downsample is None else self.downsample(g))


class _ChannelGate(nn.Module):
    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels, channels // reduction),
            nn.ReLU(),
            nn.Linear(channels // reduction, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        gate = self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))
        return x * torch.sigmoid(gate)[:, :, None, None]


class _SpatialGate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        # the checkpoint calls this layer `spatial.conv`
        self.spatial = nn.ModuleDict({"conv": nn.Conv2d(2, 1, 7, padding=3)})

    def forward(self, x: Tensor) -> Tensor:
        pooled = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.spatial["conv"](pooled))


class CBAM(nn.Module):
    """Convolutional block attention (Woo et al., ECCV 2018): a channel gate, a spatial gate."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.ChannelGate = _ChannelGate(channels, reduction)
        self.SpatialGate = _SpatialGate()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w), every value scaled by its two gates in (0, 1)."""
        return self.SpatialGate(self.ChannelGate(x))


class JointResBlock(GroupResBlock):
    """The group residual block on image features and a group, as if they were concatenated.

    A convolution of concatenated channels is the sum of two convolutions: that of the image
    features, the same for all objects, is done once.
    """

    def forward(self, x: Tensor, g: Tensor) -> Tensor:  # type: ignore[override]
        """(B, Cx, h, w) and (B, N, Cg, h, w), Cx + Cg = inner -> (B, N, outer, h, w)."""
        out = _joint(self.conv1, F.relu(x), F.relu(g))
        out = self.conv2(F.relu(out, inplace=True))
        return out + _joint(self.downsample, x, g)


def _joint(conv: nn.Conv2d | None, x: Tensor, g: Tensor) -> Tensor:
    """Convolve the concatenation of x, repeated for every object, and g."""
    if conv is None:
        return torch.cat([x[:, None].expand(-1, g.shape[1], -1, -1, -1), g], 2)
    of_image, of_group = conv.weight.split([x.shape[1], g.shape[2]], 1)
    shared = F.conv2d(x, of_image, conv.bias, padding=conv.padding)
    own = F.conv2d(g.flatten(0, 1), of_group, padding=conv.padding)
    return own.unflatten(0, g.shape[:2]) + shared[:, None]


class FeatureFusion(nn.Module):
    """Join image features, the same for all objects, with features of each object."""

    def __init__(self, image_channels: int, group_channels: int, outer: int) -> None:
        super().__init__()
        self.block1 = JointResBlock(image_channels + group_channels, outer)
        self.attention = CBAM(outer)
        self.block2 = GroupResBlock(outer, outer)

    def forward(self, x: Tensor, g: Tensor) -> Tensor:
        """(B, Cx, h, w) and (B, N, Cg, h, w) -> (B, N, outer, h, w)."""
        g = self.block1(x, g)
        gated = self.attention(g.flatten(0, 1)).unflatten(0, g.shape[:2])
        return self.block2(g + gated)


class HiddenCell(nn.Module):
    """The gated recurrent cell of the sensory memory (a GRU variant).

    Attributes
    ----------
    transform : GroupConv
        3x3 convolution to the three gates: forget f, update u, candidate n, in that order.
    """

    def __init__(self, inner: int, hidden_dim: int) -> None:
        super().__init__()
        self.transform = GroupConv(inner + hidden_dim, 3 * hidden_dim, 3, padding=1)
        nn.init.xavier_normal_(self.transform.weight)

    def update(self, g: Tensor, hidden: Tensor) -> Tensor:
        """(B, N, inner, h, w) and the state (B, N, CH, h, w) -> the next state, same shape."""
        gates = self.transform(torch.cat([g, hidden.to(g)], 2)).to(hidden)
        forget, update, candidate = gates.chunk(3, dim=2)
        update = torch.sigmoid(update)
        return torch.sigmoid(forget) * hidden * (1 - update) + update * torch.tanh(candidate)


class HiddenReinforcer(HiddenCell):
    """The deep update: the state takes in the value of a memory frame."""

    def forward(self, value: Tensor, hidden: Tensor) -> Tensor:
        """(B, N, CV, h, w) and the state -> the next state."""
        return self.update(value, hidden)


class HiddenUpdater(HiddenCell):
    """The update of every other frame: the state takes in three scales of the decoder."""

    def __init__(self, inner: Sequence[int], middle: int, hidden_dim: int) -> None:
        super().__init__(middle, hidden_dim)
        self.g16_conv = GroupConv(inner[0], middle, 1)
        self.g8_conv = GroupConv(inner[1], middle, 1)
        self.g4_conv = GroupConv(inner[2], middle, 1)

    def forward(self, g16: Tensor, g8: Tensor, g4: Tensor, hidden: Tensor) -> Tensor:
        """Take in decoder features at 1/16, 1/8 and 1/4: state -> next state."""
        g = self.g16_conv(g16)
        g = g + self.g8_conv(_shrink(g8, 2)) + self.g4_conv(_shrink(g4, 4))
        return self.update(g, hidden)


def _shrink(g: Tensor, factor: int) -> Tensor:
    # area interpolation by a whole factor is average pooling
    return F.avg_pool2d(g.flatten(0, 1), factor).unflatten(0, g.shape[:2])


class UpsampleBlock(nn.Module):
    """Double the resolution of a group tensor and add the image's skip features."""

    def __init__(self, skip: int, inner: int, outer: int) -> None:
        super().__init__()
        self.skip_conv = nn.Conv2d(skip, inner, 3, padding=1)
        self.out_conv = GroupResBlock(inner, outer)

    def forward(self, x: Tensor, g: Tensor) -> Tensor:
        """(B, skip, 2h, 2w) and (B, N, inner, h, w) -> (B, N, outer, 2h, 2w)."""
        up = F.interpolate(g.flatten(0, 1), scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.out_conv(up.unflatten(0, g.shape[:2]) + self.skip_conv(x)[:, None])
