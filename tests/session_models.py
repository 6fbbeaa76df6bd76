"""Small random networks of the SAM 2 kind, and how the library itself leads them over a film."""

from pathlib import Path

import numpy as np
import torch
from transformers import (
    EdgeTamVideoConfig,
    EdgeTamVideoModel,
    Sam2ImageProcessor,
    Sam2VideoModel,
    Sam2VideoProcessor,
    Sam3TrackerVideoConfig,
    Sam3TrackerVideoModel,
    SamHQConfig,
    SamHQModel,
)
from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from transformers.models.sam2_video.video_processing_sam2_video import Sam2VideoVideoProcessor

from samflow.lab.lesson.untrained import decoder_settings, untrained_sam2

SIDE = 64
_SETTINGS = decoder_settings(SIDE)
_PERCEIVER = {
    "memory_attention_mlp_hidden_size": 32,
    "memory_attention_rope_k_sizes": [2, 2],
    "perceiver_resampler_num_latents": 4,
    "perceiver_resampler_num_latents_2d": 4,
    "perceiver_resampler_mlp_intermediate_size": 16,
}


def small_sam2() -> Sam2VideoModel:
    return randomise(untrained_sam2(SIDE))


def small_edgetam() -> EdgeTamVideoModel:
    backbone = {
        "model_type": "timm_wrapper",
        "architecture": "repvit_m0_9",
        "num_classes": 2,
        "label_names": ["a", "b"],
        "model_args": {
            "in_chans": 3,
            "features_only": True,
            "out_indices": [0, 1, 2, 3],
            "embed_dim": [8, 16, 24, 32],
            "depth": [1, 1, 1, 1],
        },
    }
    vision = {
        "model_type": "edgetam_vision_model",
        "backbone_config": backbone,
        "backbone_channel_list": [32, 24, 16, 8],
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        "fpn_hidden_size": 128,
    }
    config = EdgeTamVideoConfig(image_size=SIDE, vision_config=vision, **_SETTINGS, **_PERCEIVER)
    torch.manual_seed(0)
    return randomise(EdgeTamVideoModel(config), seed=6, encoder=0.5)


def small_sam3() -> Sam3TrackerVideoModel:
    backbone = {
        "model_type": "sam3_vit_model",
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIDE,
        "patch_size": 16,
        "window_size": 2,
        "global_attn_indexes": [1],
        "pretrain_image_size": 32,
    }
    vision = {
        "model_type": "sam3_vision_model",
        "backbone_config": backbone,
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        "fpn_hidden_size": 128,
    }
    config = Sam3TrackerVideoConfig(image_size=SIDE, vision_config=vision, **_SETTINGS)
    torch.manual_seed(0)
    return randomise(Sam3TrackerVideoModel(config), seed=5)


def small_sam_hq() -> SamHQModel:
    vision = {
        "hidden_size": 32,
        "output_channels": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIDE,
        "window_size": 2,
        "global_attn_indexes": [1],
        "num_pos_feats": 64,
        "mlp_dim": 32,
        "initializer_range": 0.02,
    }
    decoder = {**_SETTINGS["mask_decoder_config"], "vit_dim": 32}
    prompts = _SETTINGS["prompt_encoder_config"]
    config = SamHQConfig(
        vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder
    )
    torch.manual_seed(0)
    return randomise(SamHQModel(config), encoder=0.5)


def randomise(network: torch.nn.Module, seed: int = 8, encoder: float = 1) -> torch.nn.Module:
    """Weights with which what is remembered decides; the library's own at the start ignore it.

    `encoder` makes those of the image encoder smaller, lest its output drown what is remembered.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            scale = 0.2 if parameter.ndim < 2 else 1.5 * parameter[0].numel() ** -0.5
            scale *= encoder if "vision_encoder.backbone" in name else 1
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
        # a random network would lose sight of what it tracks
        if hasattr(network.mask_decoder, "pred_obj_score_head"):
            network.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(30)
    return network.eval()


def film(frames: int, size: tuple[int, int] = (48, 64)) -> tuple[list[np.ndarray], np.ndarray]:
    """Two things that move and one that stays, on grain; with the first frame's label map."""
    rng = np.random.default_rng(0)
    images, first = [], np.zeros(size, np.uint8)
    first[10:20, 5:20], first[25:40, 35:50], first[20:24] = 1, 2, 5
    for index in range(frames):
        image = rng.integers(0, 60, (*size, 3)).astype(np.uint8)
        step = index % 10
        image[10:20, 5 + step : 20 + step] = 200, 30, 30
        image[25:40, 35 - step : 50 - step] = 30, 30, 220
        image[20:24] = 20, 200, 20
        images.append(image)
    return images, first


def save_network(folder: Path, network: torch.nn.Module) -> Path:
    network.save_pretrained(folder)
    return folder


class WholeVideo:
    """The library's own way over a film that it holds in memory."""

    def __init__(self, network, images, mean=IMAGENET_DEFAULT_MEAN, std=IMAGENET_DEFAULT_STD):
        how = {"size": {"height": SIDE, "width": SIDE}, "image_mean": mean, "image_std": std}
        self.network = network
        self.processor = Sam2VideoProcessor(
            Sam2ImageProcessor(**how), Sam2VideoVideoProcessor(**how), target_size=SIDE
        )
        self.session = self.processor.init_video_session(
            video=np.stack(images), inference_device="cpu", dtype=torch.float32
        )
        self.size = images[0].shape[:2]

    def prompt(self, index: int, **inputs) -> None:
        """Masks, boxes by object id on a frame, encoded there and then."""
        for kind, given in inputs.items():
            ids, values = list(given), list(given.values())
            values = values if kind == "input_masks" else [values]
            self.processor.add_inputs_to_inference_session(
                self.session, index, obj_ids=ids, **{kind: values}
            )
        self.network(self.session, frame_idx=index)

    def encode_memories_one_by_one(self, monkeypatch) -> None:
        """The library encodes those of all objects in one batch, which rounds otherwise."""
        network, batch = self.network, self.network._batch_encode_memories

        def each(inference_session, frame_idx, **lists):
            for values in zip(*lists.values(), strict=True):
                one = {name: [value] for name, value in zip(lists, values, strict=True)}
                batch(inference_session=inference_session, frame_idx=frame_idx, **one)

        monkeypatch.setattr(network, "_batch_encode_memories", each)

    def propagate(
        self, start: int, reverse: bool = False, last: int | None = None
    ) -> dict[int, np.ndarray]:
        """Logits (N, H, W) at the frames' size by frame, to the film's end or frame `last`."""
        found = {}
        frames = None if last is None else last - start
        for output in self.network.propagate_in_video_iterator(
            self.session, start, max_frame_num_to_track=frames, reverse=reverse
        ):
            masks = self.processor.post_process_masks(
                [output.pred_masks], [self.size], binarize=False
            )[0]
            found[output.frame_idx] = masks[:, 0].numpy()
        return found
