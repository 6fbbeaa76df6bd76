"""The sizes of a SAM, read off a checkpoint, and the official modules built with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer
from segment_anything.modeling import Sam as SamModel

from samflow.errors import SamflowError

# ImageNet statistics in 0..255, as in segment_anything/build_sam.py
PIXEL_MEAN = [123.675, 116.28, 103.53]
PIXEL_STD = [58.395, 57.12, 57.375]


@dataclass(frozen=True)
class SamArchitecture:
    """The sizes that make one SAM differ from another.

    Parameters
    ----------
    image_size : int
        Side of the square input, px.
    patch_size : int
        Side of one token's patch, px.
    embed_dim, depth, num_heads : int
        Width, number of blocks and attention heads of the image encoder.
    window_size : int
        Tokens along a side of the attention window; 0 when every block is global.
    global_blocks : tuple of int
        Indices of the blocks with global attention.
    prompt_dim : int
        Channels of the image embedding and of the prompt tokens.
    mask_channels : int
        Hidden channels of the mask prompt's encoder.
    decoder_mlp_dim : int
        Hidden width of the mask decoder's transformer.
    """

    image_size: int
    patch_size: int
    embed_dim: int
    depth: int
    num_heads: int
    window_size: int
    global_blocks: tuple[int, ...]
    prompt_dim: int = 256
    mask_channels: int = 16
    decoder_mlp_dim: int = 2048


def architecture_from_state_dict(state_dict: Mapping[str, torch.Tensor]) -> SamArchitecture:
    """Read a SAM's architecture off the shapes in its state dict.

    Parameters
    ----------
    state_dict : mapping of str to Tensor
        With the official parameter names.

    Returns
    -------
    SamArchitecture

    Raises
    ------
    SamflowError
        When a tensor that tells a size is missing.
    """
    try:
        position = state_dict["image_encoder.pos_embed"]  # (1, grid, grid, embed_dim)
        patch = state_dict["image_encoder.patch_embed.proj.weight"]  # (embed_dim, 3, p, p)
        grid, embed_dim, patch_size = position.shape[1], patch.shape[0], patch.shape[-1]
        # a block's relative positions span 2 * side - 1 offsets, side = window or whole grid
        spans: list[int] = []
        while (key := f"image_encoder.blocks.{len(spans)}.attn.rel_pos_h") in state_dict:
            spans.append((state_dict[key].shape[0] + 1) // 2)
        head_dim = state_dict["image_encoder.blocks.0.attn.rel_pos_h"].shape[1]
        windows = [span for span in spans if span != grid]
        return SamArchitecture(
            image_size=grid * patch_size,
            patch_size=patch_size,
            embed_dim=embed_dim,
            depth=len(spans),
            num_heads=embed_dim // head_dim,
            window_size=windows[0] if windows else 0,
            global_blocks=tuple(i for i, span in enumerate(spans) if span == grid),
            prompt_dim=state_dict["image_encoder.neck.0.weight"].shape[0],
            mask_channels=state_dict["prompt_encoder.mask_downscaling.3.weight"].shape[0],
            decoder_mlp_dim=state_dict["mask_decoder.transformer.layers.0.mlp.lin1.weight"].shape[
                0
            ],
        )
    except KeyError as error:
        raise SamflowError(
            f"the checkpoint is no SAM that samflow knows: it has no tensor {error}. Use the "
            "official vit_b, vit_l or vit_h file, or demo."
        ) from None


def build_sam(architecture: SamArchitecture) -> SamModel:
    """Build the official `Sam` module, randomly initialised, in evaluation mode.

    Parameters
    ----------
    architecture : SamArchitecture

    Returns
    -------
    segment_anything.modeling.Sam
    """
    grid = architecture.image_size // architecture.patch_size
    model = SamModel(
        image_encoder=ImageEncoderViT(
            img_size=architecture.image_size,
            patch_size=architecture.patch_size,
            embed_dim=architecture.embed_dim,
            depth=architecture.depth,
            num_heads=architecture.num_heads,
            mlp_ratio=4,
            out_chans=architecture.prompt_dim,
            qkv_bias=True,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=architecture.window_size,
            global_attn_indexes=architecture.global_blocks,
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=architecture.prompt_dim,
            image_embedding_size=(grid, grid),
            input_image_size=(architecture.image_size, architecture.image_size),
            mask_in_chans=architecture.mask_channels,
        ),
        mask_decoder=MaskDecoder(
            transformer_dim=architecture.prompt_dim,
            transformer=TwoWayTransformer(
                depth=2,
                embedding_dim=architecture.prompt_dim,
                num_heads=8,
                mlp_dim=architecture.decoder_mlp_dim,
            ),
            num_multimask_outputs=3,
            iou_head_depth=3,
            iou_head_hidden_dim=256,
        ),
        pixel_mean=PIXEL_MEAN,
        pixel_std=PIXEL_STD,
    )
    return model.eval()
