"""SAM's image encoder with the official weights and results, in less time.

The computation is that of `segment_anything.modeling.ImageEncoderViT` (a ViT with windowed and
global attention and decomposed relative positions: Li et al., "Exploring Plain Vision Transformer
Backbones for Object Detection", ECCV 2022, arXiv 2203.16527). What is saved:

- windows are cut out of queries, keys and values, not out of tokens: what pads the last windows is
  the bias alone and needs no product;
- scores of global attention are made, biased and normalised a few rows of the frame at a time, so
  that they stay in the processor's cache;
- tables of relative positions are looked up once;
- windows that lie wholly in the padding of a wide or tall frame do not depend on the frame until
  the first global attention: they are computed once for each shape of frame.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from segment_anything.modeling import ImageEncoderViT
from segment_anything.modeling.image_encoder import Block, get_rel_pos
from torch import Tensor, nn

# rows of scores that are worked on at once on a CPU, and their most elements: a few megabytes
_SCORES_AT_ONCE = 1 << 20


class _Positions(NamedTuple):
    """Relative positions of one block's attention, each (side, side, head channels)."""

    rows: Tensor
    columns: Tensor


class FastEncoder(nn.Module):
    """The official image encoder, computed in another order.

    Parameters
    ----------
    encoder : segment_anything.modeling.ImageEncoderViT
        Its parameters are used as they are, not copied.
    """

    def __init__(self, encoder: ImageEncoderViT) -> None:
        super().__init__()
        self.encoder = encoder
        windows = [block.window_size for block in encoder.blocks]
        # blocks before the first global attention see the frame through windows only
        self._local = next((i for i, size in enumerate(windows) if size == 0), len(windows))
        if len(set(windows[: self._local])) > 1:
            self._local = 0
        self._positions: list[_Positions] | None = None
        self._padding: dict[tuple[int, int], Tensor] = {}

    def forward(self, pixels: Tensor, input_size: tuple[int, int]) -> Tensor:
        """Encode one frame.

        Parameters
        ----------
        pixels : (1, 3, S, S) Tensor
            Normalised, padded with zeros to the model's square input; float32.
        input_size : (int, int)
            (H, W) of the frame in it.

        Returns
        -------
        (1, C, S / p, S / p) Tensor
            In the encoder's precision; p is the side of a patch, px.
        """
        pixels = pixels.to(self.encoder.patch_embed.proj.weight)
        if self._positions is None:
            self._positions = [self._look_up(block) for block in self.encoder.blocks]
        height, width = self._live_tokens(input_size)
        tokens = self._embed(pixels)  # (g, g, C)
        side = len(tokens)
        if (height, width) == (side, side):
            tokens = self._go(tokens, 0, self._local)
        else:
            live = self._go(tokens[:height, :width].contiguous(), 0, self._local)
            tokens = self._empty_frame(height, width, pixels).clone()
            tokens[:height, :width] = live
        tokens = self._go(tokens, self._local, len(self.encoder.blocks))
        return self.encoder.neck(tokens.permute(2, 0, 1)[None])

    def _embed(self, pixels: Tensor) -> Tensor:
        """Patches as tokens (g, g, C), with their positions."""
        tokens = self.encoder.patch_embed(pixels)[0]
        if self.encoder.pos_embed is not None:
            tokens = tokens + self.encoder.pos_embed[0]
        return tokens

    def _live_tokens(self, input_size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of tokens whose windows show anything of the frame."""
        side = self.encoder.img_size // (patch := self.encoder.patch_embed.proj.kernel_size[0])
        window = self.encoder.blocks[0].window_size if self._local else side
        height, width = (-(-length // (patch * window)) * window for length in input_size)
        return min(height, side), min(width, side)

    def _empty_frame(self, height: int, width: int, pixels: Tensor) -> Tensor:
        """Tokens of the padding (g, g, C) before the first global attention, for one shape."""
        if (height, width) not in self._padding:
            tokens = self._go(self._embed(torch.zeros_like(pixels)), 0, self._local)
            self._padding = {(height, width): tokens}
        return self._padding[height, width]

    def _look_up(self, block: Block) -> _Positions:
        attention = block.attn
        if not attention.use_rel_pos:
            nothing = attention.qkv.weight.new_zeros(0)
            return _Positions(nothing, nothing)
        side = block.window_size or self.encoder.img_size // self.encoder.patch_embed.proj.stride[0]
        rows, columns = (
            get_rel_pos(side, side, table) for table in (attention.rel_pos_h, attention.rel_pos_w)
        )
        return _Positions(rows, columns)

    def _go(self, tokens: Tensor, first: int, last: int) -> Tensor:
        """Blocks `first` up to `last`: (h, w, C) -> (h, w, C)."""
        assert self._positions is not None
        for block, positions in zip(
            self.encoder.blocks[first:last], self._positions[first:last], strict=True
        ):
            tokens = tokens + _attend(block, tokens, positions)
            tokens = tokens + block.mlp(block.norm2(tokens))
        return tokens


def _attend(block: Block, tokens: Tensor, positions: _Positions) -> Tensor:
    """Attention of a block, in windows or over the whole grid: (h, w, C) -> (h, w, C)."""
    attention, (height, width, _) = block.attn, tokens.shape
    qkv = attention.qkv(block.norm1(tokens))  # (h, w, 3 C)
    side = block.window_size
    if side:
        high, wide = -(-height // side), -(-width // side)
        padded = attention.qkv.bias.expand(high * side, wide * side, -1).clone()
        padded[:height, :width] = qkv
        qkv = padded.unflatten(1, (wide, side)).unflatten(0, (high, side)).transpose(1, 2)
        qkv = qkv.flatten(0, 1)  # (windows, side, side, 3 C)
    else:
        high = wide = 1
        qkv = qkv[None]
    # (windows, rows, columns, 3, heads, c) -> 3 of (windows heads, rows columns, c)
    parts = qkv.unflatten(3, (3, attention.num_heads, -1)).permute(3, 0, 4, 1, 2, 5)
    grid = parts.shape[3:5]
    q, k, v = parts.flatten(1, 2).flatten(2, 3).unbind(0)
    out = _weigh(q, k, v, positions, grid, attention.scale)
    out = out.view(high, wide, attention.num_heads, *grid, -1).permute(0, 3, 1, 4, 2, 5)
    out = out.reshape(high * grid[0], wide * grid[1], -1)[:height, :width]
    return attention.proj(out)


def _weigh(
    q: Tensor, k: Tensor, v: Tensor, positions: _Positions, grid: torch.Size, scale: float
) -> Tensor:
    """Softmax(q k' scale + row and column bias) v, (B, N, c) each; N is the grid's cells."""
    rows, columns = grid
    if not positions.rows.numel():
        return F.scaled_dot_product_attention(q[None], k[None], v[None], scale=scale)[0]
    cells = q.unflatten(1, (rows, columns))
    by_row = torch.einsum("bhwc,hkc->bhwk", cells, positions.rows).flatten(1, 2)
    by_column = torch.einsum("bhwc,wkc->bhwk", cells, positions.columns).flatten(1, 2)
    if q.device.type != "cpu" or q.shape[1] ** 2 < _SCORES_AT_ONCE:
        return _weigh_at_once(q * scale, k, v, by_row, by_column)
    return _weigh_in_parts(q * scale, k, v, by_row, by_column)


def _weigh_at_once(q: Tensor, k: Tensor, v: Tensor, by_row: Tensor, by_column: Tensor) -> Tensor:
    """The bias as further channels of one fused attention: one-hot rows and columns as keys."""
    rows, columns = by_row.shape[-1], by_column.shape[-1]
    row_of, column_of = torch.eye(rows).to(k), torch.eye(columns).to(k)
    places = torch.cat(
        [
            row_of[:, None].expand(rows, columns, rows),
            column_of[None].expand(rows, columns, columns),
        ],
        2,
    ).flatten(0, 1)  # (N, rows + columns)
    q = torch.cat([q, by_row, by_column], 2)
    k = torch.cat([k, places.expand(len(k), -1, -1)], 2)
    # the fused kernels want values as wide as the keys
    out = F.scaled_dot_product_attention(
        q[None], k[None], F.pad(v, (0, rows + columns))[None], scale=1.0
    )
    return out[0, ..., : v.shape[-1]]


def _weigh_in_parts(q: Tensor, k: Tensor, v: Tensor, by_row: Tensor, by_column: Tensor) -> Tensor:
    """Few rows of scores at a time: they never leave the processor's cache."""
    cells = q.shape[1]
    step = max(1, _SCORES_AT_ONCE // cells)
    out = torch.empty_like(q)
    for head in range(len(q)):
        keys = k[head].T.contiguous()
        for start in range(0, cells, step):
            part = slice(start, start + step)
            scores = q[head, part] @ keys
            planes = scores.view(len(scores), by_row.shape[-1], by_column.shape[-1])
            planes += by_row[head, part, :, None]
            planes += by_column[head, part, None, :]
            torch.mm(scores.softmax(1), v[head], out=out[head, part])
    return out
