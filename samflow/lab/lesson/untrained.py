"""A small SAM 2 with random weights: it shows how other models are called, not what they can do."""

from pathlib import Path
from typing import Any

from samflow.models import MODELS
from samflow.models.library_weights import library

# The library's constants allow no less than 128 channels, and 64 in memory
_CHANNELS = 128


def untrained_sam2(side: int = 64) -> Any:
    """Make a small SAM 2 for films with random weights.

    Parameters
    ----------
    side : int
        Of the network's square input, px; a multiple of 32.

    Returns
    -------
    transformers.Sam2VideoModel
        With about a million parameters, the same ones each time.

    Raises
    ------
    SamflowError
        When the library is not installed.
    """
    import torch

    transformers = library(MODELS["sam2"])
    config = transformers.Sam2VideoConfig(
        image_size=side, vision_config=_vision(side), **decoder_settings(side)
    )
    torch.manual_seed(0)
    return transformers.Sam2VideoModel(config).eval()


def save_untrained_sam2(folder: str | Path) -> Path:
    """Write a small SAM 2 with random weights, as `--weights sam2=FOLDER` takes it."""
    transformers_logging = library(MODELS["sam2"]).utils.logging
    transformers_logging.disable_progress_bar()
    untrained_sam2(128).save_pretrained(folder)
    transformers_logging.enable_progress_bar()
    return Path(folder)


def _vision(side: int) -> dict[str, Any]:
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "image_size": [side, side],
        "blocks_per_stage": [1, 1, 1, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 2],
        "window_size_per_stage": [4, 4, 4, 4],
        "global_attention_blocks": [],
        "window_positional_embedding_background_size": [4, 4],
    }
    return {
        "model_type": "sam2_vision_model",
        "backbone_config": backbone,
        "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": [[side // cell] * 2 for cell in (4, 8, 16)],
        "fpn_hidden_size": _CHANNELS,
    }


def decoder_settings(side: int) -> dict[str, Any]:
    """Settings of small prompt encoders, decoders and memories, which SAM 2's kin shares."""
    prompts = {"hidden_size": _CHANNELS, "image_size": side, "mask_input_channels": 4}
    decoder = {
        "hidden_size": _CHANNELS,
        "mlp_dim": 32,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 32,
    }
    return {
        "prompt_encoder_config": {**prompts, "patch_size": 16},
        "mask_decoder_config": decoder,
        "memory_attention_hidden_size": _CHANNELS,
        "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": 32,
        "memory_attention_rope_feat_sizes": [side // 16] * 2,
        "memory_encoder_hidden_size": _CHANNELS,
        "mask_downsampler_embed_dim": _CHANNELS,
        "memory_fuser_num_layers": 1,
        "memory_fuser_embed_dim": _CHANNELS,
        "memory_fuser_intermediate_dim": 32,
    }
