"""From logits of regions to probabilities of labels."""

from collections.abc import Sequence

import numpy as np
import torch


def logits_to_probabilities(logits: np.ndarray) -> np.ndarray:
    """Turn the logits of regions into probabilities of labels.

    Parameters
    ----------
    logits : (N, H, W) float32
        A region is where its logit is above 0.

    Returns
    -------
    (1 + N, H, W) float32
        Softmax with 0 for background: the likeliest label is the region with the highest logit, or
        background where none is above 0.

    Examples
    --------
    >>> logits_to_probabilities(np.log([[[3.0]], [[4.0]]], dtype=np.float32)).ravel()
    array([0.125, 0.375, 0.5  ], dtype=float32)
    """
    whole = torch.from_numpy(np.concatenate([np.zeros_like(logits[:1]), logits]))
    return whole.softmax(0).numpy()


def put_given(probabilities: np.ndarray, labels: np.ndarray, ids: Sequence[int]) -> None:
    """Put a given label map over a prediction (1 + N, H, W), in place."""
    given = [i for i in np.unique(labels).tolist() if i != 0]
    whole = set(given) == set(ids)
    decided = np.ones(labels.shape, bool) if whole else labels > 0
    for channel, region in enumerate(ids, start=1):
        if region in given and not whole:
            probabilities[0] += np.where(decided, 0, probabilities[channel])
            probabilities[channel] = 0
        probabilities[channel][decided] = labels[decided] == region
    probabilities[0][decided] = labels[decided] == 0
