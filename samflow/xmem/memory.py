"""Working memory and long-term memory: what the tracker has seen, and how it is read.

All elements lie in one bank, the long-term ones first, so that a read is one product. Working
memory begins with the first frame and the permanent ones, which stay.
Consolidation: Cheng & Schwing, ECCV 2022 (arXiv 2207.07115), section 3.3. Permanent frames:
Bekuzarov et al., "XMem++", ICCV 2023 (arXiv 2307.15958).
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from samflow.errors import SamflowError
from samflow.xmem.reading import Affinity, similarity, top_k_softmax

_QUERIES_AT_ONCE = 1024  # bounds the similarity matrix, the largest array of a read


@dataclass(frozen=True)
class MemoryOptions:
    """How memory is read and kept; `Tracker` explains each.

    Raises
    ------
    SamflowError
        For values that leave nothing to read or to consolidate.
    """

    top_k: int = 30
    long_term: bool = True
    count_long_term_usage: bool = True
    max_mid_term_frames: int = 10
    min_mid_term_frames: int = 5
    num_prototypes: int = 128
    max_long_term_elements: int = 10000

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise SamflowError(f"top_k must be at least 1, got {self.top_k}.")
        if not 1 <= self.min_mid_term_frames < self.max_mid_term_frames:
            raise SamflowError(
                "expected 1 <= min_mid_term_frames < max_mid_term_frames, got "
                f"{self.min_mid_term_frames} and {self.max_mid_term_frames}."
            )
        if not 1 <= self.num_prototypes <= self.max_long_term_elements:
            raise SamflowError(
                "expected 1 <= num_prototypes <= max_long_term_elements, got "
                f"{self.num_prototypes} and {self.max_long_term_elements}."
            )


class Memory:
    """The elements of working and long-term memory.

    Parameters
    ----------
    options : MemoryOptions
        How it is read and kept.

    Notes
    -----
    N objects, M elements: `key` (M, CK), `shrinkage` (M,), `values` N tensors (M, CV), `valid`
    (N, M) bool: an object that appears later has values from its first frame on. `usage` and `life`
    (M,) count reads. `selection` belongs to the working elements alone. `permanent` counts the
    frames besides the first one that consolidation never takes.
    """

    def __init__(self, options: MemoryOptions) -> None:
        self.options = options
        self.long = 0
        self.per_frame = 0
        self.permanent = 0
        self.key: Tensor | None = None
        self.shrinkage = self.selection = self.usage = self.life = torch.empty(0)
        self.valid = torch.empty(0, 0, dtype=torch.bool)
        self.values: list[Tensor] = []

    @property
    def sizes(self) -> tuple[int, int]:
        """Elements in working memory and in long-term memory."""
        return (0 if self.key is None else len(self.key) - self.long), self.long

    def read(self, query: Tensor, selection: Tensor) -> Tensor:
        """Read the values for every cell of a frame and count which elements were used.

        Parameters
        ----------
        query, selection : (1, CK, h, w) Tensor

        Returns
        -------
        (1, N, CV, h, w) Tensor
        """
        assert self.key is not None, "a read before the first memory frame"
        queries, selections = _rows(query), _rows(selection)
        groups = self._groups()
        usage = torch.zeros_like(self.usage)
        parts = []
        for q, e in zip(
            queries.split(_QUERIES_AT_ONCE), selections.split(_QUERIES_AT_ONCE), strict=True
        ):
            scores = similarity(self.key, self.shrinkage, q, e)
            read: list[Tensor] = [q] * len(self.values)
            for number, (valid, objects) in enumerate(groups):
                masked = scores if valid is None else scores.masked_fill(~valid, -torch.inf)
                affinity = Affinity(*top_k_softmax(masked, self.options.top_k), len(self.key))
                for i in objects:
                    read[i] = affinity.weighted_sum(self.values[i])
                if number == 0:
                    usage = usage + affinity.usage()
            parts.append(torch.stack(read))
        self.usage = self.usage + usage
        self.life = self.life + 1
        values = torch.cat(parts, 1).transpose(1, 2)  # (N, Q, CV) -> (N, CV, Q)
        return values.unflatten(2, query.shape[-2:])[None].contiguous()

    def add(
        self,
        key: Tensor,
        shrinkage: Tensor,
        selection: Tensor,
        value: Tensor,
        permanent: bool = False,
    ) -> None:
        """Append a memory frame; consolidate when working memory is full.

        Parameters
        ----------
        key, shrinkage, selection : (1, C, h, w) Tensor
            From `XMem.encode_key`.
        value : (1, N, CV, h, w) Tensor
            Objects not known before come last.
        permanent : bool
            Never consolidate it; the clip's first frame stays in any case, and must come first.
        """
        rows = _rows(key)
        self.per_frame = len(rows)
        if self.key is None:
            self.key = rows[:0]
            self.shrinkage = self.usage = self.life = rows[:0, 0]
            self.selection = rows[:0]
            self.valid = torch.empty(0, 0, dtype=torch.bool, device=rows.device)
        self._admit(value.shape[1], value.shape[2])
        self.key = torch.cat([self.key, rows])
        self.shrinkage = torch.cat([self.shrinkage, _rows(shrinkage)[:, 0]])
        self.usage = torch.cat([self.usage, torch.zeros_like(rows[:, 0])])
        self.life = torch.cat([self.life, torch.full_like(rows[:, 0], 1e-7)])
        self.values = [
            torch.cat([old, _rows(v[None])]) for old, v in zip(self.values, value[0], strict=True)
        ]
        self.valid = F.pad(self.valid, (0, len(rows)), value=True)
        if self.options.long_term:
            self.selection = torch.cat([self.selection, _rows(selection)])
        if permanent:
            self._keep_latest()
            return
        most = (self.options.max_mid_term_frames + self.permanent) * self.per_frame
        if self.options.long_term and self.sizes[0] >= most:
            self._expire()
            self._consolidate()

    def _admit(self, count: int, value_dim: int) -> None:
        """Make room for objects that appear on this frame: no valid element so far."""
        assert self.key is not None
        fresh = count - len(self.values)
        self.values += [self.key.new_zeros(len(self.key), value_dim) for _ in range(fresh)]
        if fresh:
            none = self.valid.new_zeros(fresh, len(self.key))
            self.valid = none if not len(self.valid) else torch.cat([self.valid, none])

    @property
    def _first_candidate(self) -> int:
        """Row where the frames that stay in working memory end."""
        return self.long + (1 + self.permanent) * self.per_frame

    def _keep_latest(self) -> None:
        """Move the frame that was added last to those that stay."""
        rows = torch.arange(len(self.usage), device=self.usage.device)
        at, new = self._first_candidate, len(rows) - self.per_frame
        order = torch.cat([rows[:at], rows[new:], rows[at:new]])
        self._select(order)
        if self.options.long_term:
            self.selection = self.selection[order[self.long :] - self.long]
        self.permanent += 1

    def _groups(self) -> list[tuple[Tensor | None, list[int]]]:
        """Objects that share their valid elements share one softmax; object 0 comes first."""
        if bool(self.valid.all()):
            return [(None, list(range(len(self.values))))]
        groups: dict[bytes, list[int]] = {}
        for i, row in enumerate(self.valid.cpu().numpy()):
            groups.setdefault(row.tobytes(), []).append(i)
        return [(self.valid[objects[0]], objects) for objects in groups.values()]

    def _expire(self) -> None:
        """Remove the least-used long-term elements when the prototypes would not fit."""
        room = self.options.max_long_term_elements - self.options.num_prototypes
        if self.long <= room or not self.options.count_long_term_usage:
            return
        usage = (self.usage / self.life)[: self.long]
        threshold = usage.sort().values[self.long - room - 1]
        kept = (usage > threshold).nonzero()[:, 0]
        working = torch.arange(self.long, len(self.usage), device=kept.device)
        self.long = len(kept)
        self._select(torch.cat([kept, working]))

    def _select(self, rows: Tensor) -> None:
        assert self.key is not None
        self.key = self.key[rows]
        self.shrinkage, self.usage, self.life = (
            t[rows] for t in (self.shrinkage, self.usage, self.life)
        )
        self.values = [v[rows] for v in self.values]
        self.valid = self.valid[:, rows]

    def _consolidate(self) -> None:
        """Turn all working frames but those that stay and the last few into prototypes."""
        assert self.key is not None
        total, start = len(self.key), self._first_candidate
        stop = total - (self.options.min_mid_term_frames - 1) * self.per_frame
        self._settle_late_objects(start, stop)
        usage = (self.usage / self.life)[start:stop]
        chosen = usage.topk(min(self.options.num_prototypes, stop - start)).indices
        key, shrinkage = self.key[start:stop], self.shrinkage[start:stop]
        selection = self.selection[start - self.long : stop - self.long]
        # potentiation: each prototype takes in the candidates that are similar to it
        scores = similarity(key, shrinkage, key[chosen], selection[chosen])
        prototypes = []
        for value, valid in zip(self.values, self.valid[:, start:stop], strict=True):
            affinity = scores.masked_fill(~valid, -torch.inf).softmax(1).nan_to_num(0.0)
            prototypes.append((affinity @ value[start:stop]) * valid[chosen, None])
        working = torch.arange(self.long, total, device=key.device)
        kept = torch.cat([working[: start - self.long], working[stop - self.long :]])

        def insert(old: Tensor, added: Tensor) -> Tensor:
            return torch.cat([old[: self.long], added, old[kept]])

        self.values = [insert(v, p) for v, p in zip(self.values, prototypes, strict=True)]
        self.valid = torch.stack([insert(v, v[start:stop][chosen]) for v in self.valid])
        self.shrinkage = insert(self.shrinkage, scores.softmax(1) @ shrinkage)
        self.usage = insert(self.usage, torch.zeros_like(key[chosen, 0]))
        self.life = insert(self.life, torch.full_like(key[chosen, 0], 1e-7))
        self.key = insert(self.key, key[chosen])
        self.selection = self.selection[kept - self.long]
        self.long += len(chosen)

    def _settle_late_objects(self, start: int, stop: int) -> None:
        """Keep the first values of an object that came later, as the official code does.

        When its own first frame is among the candidates (rows `start` to `stop`), its values there
        take the place of the clip's first frame, which working memory keeps. What is left of it
        among the candidates becomes prototypes when that is more than one frame.
        """
        first = slice(self.long, self.long + self.per_frame)
        valid = self.valid.clone()
        for i, late in enumerate(~self.valid[:, self.long : start].any(1)):
            own = start + int(self.valid[i, start:].byte().argmax())
            if not late or own >= stop:
                continue
            values = self.values[i].clone()
            values[first] = values[own : own + self.per_frame]
            self.values[i] = values
            valid[i, first] = True
            left = own + self.per_frame
            valid[i, start : left if stop - left > self.per_frame else stop] = False
        self.valid = valid

    def state_dict(self) -> dict[str, Any]:
        """Everything the next read depends on: plain tensors, numbers and lists."""
        tensors = ("key", "shrinkage", "selection", "usage", "life", "valid", "values")
        return {name: getattr(self, name) for name in (*tensors, "long", "per_frame", "permanent")}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Take the state that `state_dict` gave, on `device`."""
        for name, value in state.items():
            if isinstance(value, Tensor):
                value = value.to(device, copy=True)
            elif isinstance(value, list):
                value = [v.to(device, copy=True) for v in value]
            setattr(self, name, value)


def _rows(x: Tensor) -> Tensor:
    # (1, C, h, w) -> (h * w, C)
    return x[0].flatten(1).T.contiguous()
