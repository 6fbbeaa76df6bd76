"""An XMem made ready for tracking: batch norms folded into convolutions, another precision."""

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from samflow.xmem.network import XMem


def fold_batch_norms(network: nn.Module) -> None:
    """Fold each batch norm into the convolution before it, in place.

    Parameters
    ----------
    network : Module
        In evaluation mode. A `bn1` follows the `conv1` beside it; in a `Sequential` the module
        before. What was a batch norm does nothing any more, so that the network can't be trained
        on.

    Notes
    -----
    With fixed statistics a batch norm is a scale and an offset of each channel: the convolution's
    weights take them in (Jacob et al., "Quantization and training of neural networks", CVPR 2018,
    section 3.2).
    """
    for module in list(network.modules()):
        for name, norm in list(module.named_children()):
            if isinstance(norm, nn.BatchNorm2d):
                before = str(int(name) - 1) if name.isdigit() else name.replace("bn", "conv")
                conv = module.get_submodule(before)
                assert isinstance(conv, nn.Conv2d)
                module.register_module(before, fuse_conv_bn_eval(conv, norm))
                module.register_module(name, nn.Identity())


def prepare(network: XMem, device: torch.device, precision: torch.dtype) -> XMem:
    """Make a network ready for tracking, in place.

    Parameters
    ----------
    network : XMem
    device : torch.device
    precision : torch.dtype
        Of the value encoder and the decoder. The key encoder stays float32, on which it depends
        what is found in memory (in bfloat16 the demo clips' masks change by up to 2 %, without it
        by 0.4 %), and so do memory and sensory memory, where errors would add up.

    Returns
    -------
    XMem
        The same network, without gradients.
    """
    network.eval().requires_grad_(False)
    fold_batch_norms(network)
    network.to(device)
    for part in (network.value_encoder, network.decoder):
        part.to(precision)
    if device.type == "cpu":
        # oneDNN's own layout: a tenth faster
        network.to(memory_format=torch.channels_last)
    return network
