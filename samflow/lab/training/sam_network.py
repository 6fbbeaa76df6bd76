"""The demo SAM's network while it is trained: built, resized, saved, run on examples."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from segment_anything.modeling import Sam as SamModel

from samflow.lab.training.examples import Example
from samflow.sam import SamArchitecture, build_sam

DEMO_ARCHITECTURE = SamArchitecture(
    image_size=704,
    patch_size=16,
    embed_dim=192,
    depth=5,
    num_heads=3,
    window_size=22,
    global_blocks=(2, 4),
)


def new_model(
    architecture: SamArchitecture, decoder: dict[str, torch.Tensor] | None, seed: int
) -> SamModel:
    """Build a Sam with a random encoder and, when given, a decoder that has been trained."""
    torch.manual_seed(seed)
    model = build_sam(architecture)
    for module in model.image_encoder.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.trunc_normal_(module.weight, std=0.02)
    torch.nn.init.trunc_normal_(model.image_encoder.pos_embed, std=0.02)
    if decoder is not None:
        missing, unexpected = model.load_state_dict(decoder, strict=False)
        odd = [key for key in missing if not key.startswith("image_encoder.")] + list(unexpected)
        if odd:
            raise ValueError(f"the decoder does not fit this architecture: {odd[:3]}")
    return model


def enlarge(small: SamModel, architecture: SamArchitecture) -> SamModel:
    """Turn a Sam trained on crops into one for larger inputs of the same scale, with its weights.

    The tables of positions grow: rows keep their place and the last one is repeated, columns are
    stretched, and relative positions beyond the small input's take the value of the farthest one
    known.
    """

    def positions(table: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        wide = F.interpolate(table, (table.shape[2], columns), mode="bilinear")
        return F.pad(wide, (0, 0, 0, rows - table.shape[2]), mode="replicate")

    def offsets(table: torch.Tensor, count: int) -> torch.Tensor:
        beyond = (count - table.shape[2]) // 2
        return F.pad(table, (beyond, beyond), mode="replicate")

    return _with_tables(small, architecture, positions, offsets)


def resample(coarse: SamModel, architecture: SamArchitecture) -> SamModel:
    """Turn a Sam into one that looks at the same images with more or fewer pixels.

    `architecture` has attention windows in proportion. The tables of positions are interpolated, so
    that a block attends to the same part of the image as before.
    """

    def positions(table: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        return F.interpolate(table, (rows, columns), mode="bilinear")

    def offsets(table: torch.Tensor, count: int) -> torch.Tensor:
        return F.interpolate(table, count, mode="linear")

    return _with_tables(coarse, architecture, positions, offsets)


def _with_tables(
    source: SamModel,
    architecture: SamArchitecture,
    positions: Callable[[torch.Tensor, int, int], torch.Tensor],
    offsets: Callable[[torch.Tensor, int], torch.Tensor],
) -> SamModel:
    """Build a Sam with the weights of `source` and its tables of positions changed.

    `positions` makes a table (1, channels, rows, columns) of these rows and columns, `offsets` one
    (1, channels, offsets) of this many.
    """
    model = build_sam(architecture)
    state = source.state_dict()
    for key, target in model.state_dict().items():
        table = state[key]
        if key.endswith("pos_embed"):  # (1, rows, columns, channels)
            changed = positions(table.permute(0, 3, 1, 2), *target.shape[1:3])
            state[key] = changed.permute(0, 2, 3, 1)
        elif "rel_pos" in key and table.shape != target.shape:  # (2 * side - 1, channels)
            state[key] = offsets(table.T[None], len(target))[0].T
    model.load_state_dict(state)
    return model


def encode(model: SamModel, examples: list[Example]) -> torch.Tensor:
    """Image embeddings (B, C, h, w) of the examples' images."""
    images = [
        model.preprocess(torch.from_numpy(example.image).permute(2, 0, 1).float())
        for example in examples
    ]
    return model.image_encoder(torch.stack(images))


def decode(
    model: SamModel, features: torch.Tensor, example: Example
) -> tuple[torch.Tensor, torch.Tensor]:
    """Decode the P regions of one example from its image's embedding (1, C, h, w).

    Returned are float32 logits (P, 4, M, M), the single mask first, then the three of the
    ambiguous answer, and the IoU (P, 4) that the model expects.
    """

    def tensor(values: np.ndarray | None) -> torch.Tensor | None:
        return None if values is None else torch.from_numpy(values)

    points = None
    if example.points is not None:
        points = (tensor(example.points), tensor(example.point_labels))
    sparse, dense = model.prompt_encoder(
        points=points, boxes=tensor(example.boxes), masks=tensor(example.masks)
    )
    logits, quality = model.mask_decoder.predict_masks(
        image_embeddings=features,
        image_pe=model.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
    )
    return logits, quality
