"""How a query reads memory: similarity, top-k softmax, weighted sum.

Cheng & Schwing, ECCV 2022 (arXiv 2207.07115), eq. 2.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def similarity(key: Tensor, shrinkage: Tensor, query: Tensor, selection: Tensor) -> Tensor:
    """Similarity of memory elements to queries: an anisotropic, negative squared distance.

    S_qm = -s_m / sqrt(CK) * sum_c e_qc (k_mc - k_qc)^2, with the square expanded so that the sum is
    a matrix product.

    Parameters
    ----------
    key : (..., M, CK) Tensor
        Keys of memory.
    shrinkage : (..., M) Tensor
        At least 1.
    query, selection : (..., Q, CK) Tensor
        Keys and selections of the queries.

    Returns
    -------
    (..., Q, M) Tensor

    Examples
    --------
    >>> k, q = torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0]])
    >>> round(similarity(k, torch.ones(1), q, torch.ones(1, 2)).item(), 4)  # -5 / sqrt(2)
    -3.5355
    """
    weighted = selection * query
    left = torch.cat([selection, -2 * weighted], -1)
    right = torch.cat([key**2, key], -1)
    constant = (weighted * query).sum(-1, keepdim=True)
    distance = left @ right.transpose(-1, -2) + constant
    return distance * (-shrinkage / math.sqrt(key.shape[-1])).unsqueeze(-2)


def top_k_softmax(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Softmax over the k largest scores of each row.

    Parameters
    ----------
    scores : (Q, M) Tensor
        -inf marks an element that does not take part; a row of nothing else gets weights 0.
    k : int
        At least 1; all M take part when there are fewer.

    Returns
    -------
    weights : (Q, min(k, M)) Tensor
        In [0, 1], rows sum to 1.
    indices : (Q, min(k, M)) Tensor
        int64, columns of `scores`.
    """
    best, indices = scores.topk(min(k, scores.shape[1]), dim=1)
    # torch's softmax subtracts the maximum, so nothing underflows to 0 / 0
    return best.softmax(1).nan_to_num(0.0), indices


class Affinity:
    """Sparse weights (Q, k) of M elements, at `indices`."""

    def __init__(self, weights: Tensor, indices: Tensor, elements: int) -> None:
        self.weights, self.indices, self.elements = weights, indices, elements
        # a CPU gathers k rows per query; elsewhere a dense product is faster, and unlike scattered
        # additions it gives the same bits each time
        self.dense = None
        if weights.device.type != "cpu":
            empty = weights.new_zeros(len(weights), elements)
            self.dense = empty.scatter(1, indices, weights)

    def weighted_sum(self, values: Tensor) -> Tensor:
        """(M, CV) -> (Q, CV)."""
        if self.dense is not None:
            return self.dense @ values
        return F.embedding_bag(self.indices, values, per_sample_weights=self.weights, mode="sum")

    def usage(self) -> Tensor:
        """Weights summed over the queries, (M,)."""
        if self.dense is not None:
            return self.dense.sum(0)
        total = self.weights.new_zeros(self.elements)
        return total.index_add_(0, self.indices.flatten(), self.weights.flatten())
