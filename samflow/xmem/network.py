"""The XMem network, with the official parameter names.

Paper: Cheng & Schwing, "XMem: Long-Term Video Object Segmentation with an Atkinson-Shiffrin Memory
Model", ECCV 2022, arXiv 2207.07115. Reference: github.com/hkchengrex/XMem. The code here is written
from the published structure; `XMem.pth` and `XMem-s012.pth` load with `strict=True`.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from samflow.errors import SamflowError
from samflow.xmem.blocks import (
    FeatureFusion,
    HiddenReinforcer,
    HiddenUpdater,
    UpsampleBlock,
    stage,
)

STRIDE = 16
"""Pixels of the image per cell of a key, in both directions."""

_MEAN = (0.485, 0.456, 0.406)  # ImageNet, which the official backbones were trained on
_STD = (0.229, 0.224, 0.225)


class ImageFeatures(NamedTuple):
    """What the key encoder sees in an image, for B images of (16 h, 16 w) pixels.

    Attributes
    ----------
    key : (B, CK, h, w) Tensor
        Where to look in memory.
    shrinkage : (B, 1, h, w) Tensor
        At least 1; how narrowly an element of memory answers.
    selection : (B, CK, h, w) Tensor
        In (0, 1); how much each channel of a query counts.
    f16, f8, f4 : Tensors
        Features at 1/16, 1/8 and 1/4 of the image.
    """

    key: Tensor
    shrinkage: Tensor
    selection: Tensor
    f16: Tensor
    f8: Tensor
    f4: Tensor


class KeyEncoder(nn.Module):
    """ResNet-50 without its last stage."""

    def __init__(self, base: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, base, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        self.res2 = stage(Bottleneck, base, base, 3, 1)
        self.layer2 = stage(Bottleneck, 4 * base, 2 * base, 4, 2)
        self.layer3 = stage(Bottleneck, 8 * base, 4 * base, 6, 2)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, H, W) normalised -> f16, f8, f4."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(image)), inplace=True), 3, 2, 1)
        f4 = self.res2(x)
        f8 = self.layer2(f4)
        return self.layer3(f8), f8, f4


class KeyProjection(nn.Module):
    """Key, shrinkage and selection from f16."""

    def __init__(self, inner: int, key_dim: int) -> None:
        super().__init__()
        self.key_proj = nn.Conv2d(inner, key_dim, 3, padding=1)
        self.d_proj = nn.Conv2d(inner, 1, 3, padding=1)
        self.e_proj = nn.Conv2d(inner, key_dim, 3, padding=1)
        nn.init.orthogonal_(self.key_proj.weight)
        nn.init.zeros_(self.key_proj.bias)  # type: ignore[arg-type]

    def forward(self, f16: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, h, w) -> key (B, CK, h, w), shrinkage (B, 1, h, w), selection (B, CK, h, w)."""
        return self.key_proj(f16), self.d_proj(f16) ** 2 + 1, torch.sigmoid(self.e_proj(f16))


class ValueEncoder(nn.Module):
    """ResNet-18 without its last stage on image and masks, then fused with f16."""

    def __init__(self, base: int, value_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(5, base, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        self.layer1 = stage(BasicBlock, base, base, 2, 1)
        self.layer2 = stage(BasicBlock, base, 2 * base, 2, 2)
        self.layer3 = stage(BasicBlock, 2 * base, 4 * base, 2, 2)
        self.fuser = FeatureFusion(16 * base, 4 * base, value_dim)
        self.hidden_reinforce = HiddenReinforcer(value_dim, hidden_dim) if hidden_dim else None

    def forward(self, image: Tensor, f16: Tensor, masks: Tensor) -> Tensor:
        """(B, 3, H, W), f16 and object masks (B, N, H, W) in [0, 1] -> (B, N, CV, h, w)."""
        others = masks.sum(1, keepdim=True) - masks
        images = image[:, None].expand(-1, masks.shape[1], -1, -1, -1)
        x = torch.cat([images, masks[:, :, None], others[:, :, None]], 2).flatten(0, 1)
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, 1)
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fuser(f16, x.unflatten(0, masks.shape[:2]))


class Decoder(nn.Module):
    """From the memory readout to one logit map per object, and the sensory memory's update."""

    def __init__(self, base: int, value_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.fuser = FeatureFusion(16 * base, value_dim + hidden_dim, 8 * base)
        self.hidden_update = (
            HiddenUpdater((8 * base, 4 * base, 4 * base + 1), 4 * base, hidden_dim)
            if hidden_dim
            else None
        )
        self.up_16_8 = UpsampleBlock(8 * base, 8 * base, 4 * base)
        self.up_8_4 = UpsampleBlock(4 * base, 4 * base, 4 * base)
        self.pred = nn.Conv2d(4 * base, 1, 3, padding=1)

    def forward(
        self, features: ImageFeatures, readout: Tensor, hidden: Tensor, update_hidden: bool
    ) -> tuple[Tensor, Tensor]:
        """Readout (B, N, CV, h, w), state -> logits (B, N, 16 h, 16 w), the next state."""
        precision = self.pred.weight.dtype
        f16, f8, f4 = (f.to(precision) for f in (features.f16, features.f8, features.f4))
        g16 = self.fuser(f16, torch.cat([readout, hidden], 2).to(precision))
        g8 = self.up_16_8(f8, g16)
        g4 = self.up_8_4(f4, g8)
        logits = self.pred(F.relu(g4.flatten(0, 1)))
        if update_hidden and self.hidden_update is not None:
            g4 = torch.cat([g4, logits.unflatten(0, g4.shape[:2])], 2)
            hidden = self.hidden_update(g16, g8, g4, hidden)
        logits = F.interpolate(
            logits.float(), scale_factor=4.0, mode="bilinear", align_corners=False
        )
        return logits[:, 0].unflatten(0, readout.shape[:2]), hidden


class XMem(nn.Module):
    """The network of XMem. `Tracker` runs it over a clip.

    Parameters
    ----------
    key_dim, value_dim, hidden_dim : int
        Channels of keys, values and the sensory memory; `hidden_dim` 0 leaves the latter out.
    width : float
        Factor on the channels of both backbones and the decoder; the official networks have 1.

    Attributes
    ----------
    name, sha256 : str
        What the weights are called and their hash, set by `load_xmem` for the record of a run.

    Raises
    ------
    SamflowError
        For sizes that make no network.

    Examples
    --------
    >>> sum(v.numel() for v in XMem().state_dict().values())
    62220354
    """

    name = ""
    sha256 = ""

    def __init__(
        self, key_dim: int = 64, value_dim: int = 512, hidden_dim: int = 64, width: float = 1.0
    ) -> None:
        super().__init__()
        base = round(64 * width)
        if key_dim < 1 or value_dim < 16 or hidden_dim < 0 or base < 2:
            raise SamflowError(
                "XMem needs key_dim >= 1, value_dim >= 16, hidden_dim >= 0 and width >= 1/32, "
                f"got {key_dim}, {value_dim}, {hidden_dim} and {width}."
            )
        self.key_dim, self.value_dim, self.hidden_dim = key_dim, value_dim, hidden_dim
        self.width = base / 64
        self.key_encoder = KeyEncoder(base)
        self.key_proj = KeyProjection(16 * base, key_dim)
        self.value_encoder = ValueEncoder(base, value_dim, hidden_dim)
        self.decoder = Decoder(base, value_dim, hidden_dim)
        self.register_buffer("mean", torch.tensor(_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(3, 1, 1), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return self.decoder.pred.weight.device

    @property
    def precision(self) -> torch.dtype:
        """Of the value encoder and the decoder; keys and all memory are float32."""
        return self.decoder.pred.weight.dtype

    def normalise(self, image: Tensor) -> Tensor:
        """RGB (..., 3, H, W) in [0, 1] -> ImageNet's zero mean and unit deviation."""
        return (image - self.get_buffer("mean")) / self.get_buffer("std")

    def encode_key(self, image: Tensor) -> ImageFeatures:
        """Encode normalised images (B, 3, H, W); H and W multiples of 16."""
        f16, f8, f4 = self.key_encoder(image)
        key, shrinkage, selection = self.key_proj(f16)
        return ImageFeatures(key, shrinkage, selection, f16, f8, f4)

    def encode_value(
        self, image: Tensor, f16: Tensor, masks: Tensor, hidden: Tensor, deep_update: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Encode what the masks show on an image.

        Parameters
        ----------
        image : (B, 3, H, W) Tensor
            Normalised.
        f16 : (B, C, h, w) Tensor
            From `encode_key` of the same image.
        masks : (B, N, H, W) Tensor
            Each object's probability.
        hidden : (B, N, CH, h, w) Tensor
            The sensory memory; CH may be 0.
        deep_update : bool
            Whether the sensory memory takes the value in.

        Returns
        -------
        value : (B, N, CV, h, w) Tensor
        hidden : (B, N, CH, h, w) Tensor
        """
        image, f16, masks = (t.to(self.precision) for t in (image, f16, masks))
        value = self.value_encoder(image, f16, masks)
        reinforce = self.value_encoder.hidden_reinforce
        if deep_update and reinforce is not None:
            hidden = reinforce(value, hidden)
        return value.float(), hidden

    def segment(
        self, features: ImageFeatures, readout: Tensor, hidden: Tensor, update_hidden: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Decode a memory readout (B, N, CV, h, w).

        Returns
        -------
        logits : (B, 1 + N, H, W) Tensor
            Background first; their softmax gives probabilities.
        hidden : (B, N, CH, h, w) Tensor
        """
        logits, hidden = self.decoder(features, readout, hidden, update_hidden)
        return soft_aggregate(torch.sigmoid(logits)), hidden


def soft_aggregate(probabilities: Tensor) -> Tensor:
    """Logits of background and objects from independent object probabilities.

    The background's probability is the product of all 1 - p (Oh et al., CVPR 2018, "soft
    aggregation"); each probability is clamped to [1e-7, 1 - 1e-7] and turned into a logit.

    Parameters
    ----------
    probabilities : (B, N, H, W) Tensor
        In [0, 1].

    Returns
    -------
    (B, 1 + N, H, W) Tensor
        Background first. The softmax over axis 1 sums to 1.

    Examples
    --------
    >>> p = torch.tensor([0.5, 0.5]).view(1, 2, 1, 1)
    >>> soft_aggregate(p).softmax(1).flatten().tolist()
    [0.1428..., 0.4285..., 0.4285...]
    """
    background = (1 - probabilities).prod(1, keepdim=True)
    p = torch.cat([background, probabilities], 1).clamp(1e-7, 1 - 1e-7)
    return torch.log(p / (1 - p))
