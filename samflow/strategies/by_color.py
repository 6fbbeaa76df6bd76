"""Baselines that know only colours, learnt once from the first frame's label map.

They look at each pixel alone, in CIELAB, after a median over 3 x 3 px that takes grain off. What
they learn is a handful of numbers, the same for the whole clip: they can't drift, and they can't
follow a light that does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from samflow.masks import logits_to_labels
from samflow.strategies.base import Frame, KeepingArrays

if TYPE_CHECKING:
    from samflow.strategies.build import Parts

Colors = NDArray[np.float32]
Learnt = dict[str, NDArray[Any]]

# Kernel of the median that takes off grain, px
_MEDIAN = 3
# Pixels that clusters are fitted to: more change the clusters by less than grain does
_SAMPLE = 20_000
_CLUSTERS = 8
_BINS = 64
# A threshold stays away from the two mean colours by this share of their distance
_MARGIN = 0.1


@dataclass(frozen=True)
class ColorMethod:
    """How to learn colours and how to use them.

    Parameters
    ----------
    learn : callable
        (colours (P, 3) float32 CIELAB, labels (P,) uint8) -> named arrays.
    apply : callable
        (colours (P, 3), what was learnt) -> labels (P,) uint8.
    """

    learn: Callable[[Colors, NDArray[np.uint8]], Learnt]
    apply: Callable[[Colors, Learnt], NDArray[np.uint8]]


class ColorStrategy(KeepingArrays):
    """Classify each pixel of each frame by its colour.

    Parameters
    ----------
    name : str
        Of `COLOR_METHODS`.

    Notes
    -----
    The first frame's result is the method's own, like that of every later frame: what the colours
    can't tell apart on the frame that they were learnt on is seen there.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._method = COLOR_METHODS[name]

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Learn the colours of the given label map, background included."""
        self.kept = self._method.learn(_colors(frame.image), labels.reshape(-1))
        return self.step(frame)

    def step(self, frame: Frame) -> np.ndarray:
        """Label map of a frame."""
        labels = self._method.apply(_colors(frame.image), self.kept)
        return labels.reshape(frame.image.shape[:2])


def _colors(image: np.ndarray) -> Colors:
    """Pixels of an (H, W, 3) uint8 RGB image as (H W, 3) float32 CIELAB."""
    calm = cv2.medianBlur(image, _MEDIAN).astype(np.float32) / 255
    return np.asarray(cv2.cvtColor(calm, cv2.COLOR_RGB2LAB), dtype=np.float32).reshape(-1, 3)


def learn_means(colors: Colors, labels: NDArray[np.uint8]) -> Learnt:
    """Mean colour of each label, of the background (0) as well.

    Examples
    --------
    >>> colors = np.array([[90, 0, 0], [80, 0, 0], [30, 40, 20]], np.float32)
    >>> learnt = learn_means(colors, np.array([0, 0, 2], np.uint8))
    >>> learnt["labels"].tolist(), learnt["colors"][0].tolist()
    ([0, 2], [85.0, 0.0, 0.0])
    """
    shown = np.unique(labels)
    means = np.stack([colors[labels == label].mean(axis=0) for label in shown])
    return {"labels": shown, "colors": means}


def apply_nearest(colors: Colors, learnt: Learnt) -> NDArray[np.uint8]:
    """Label of the nearest of the learnt colours (Euclidean in CIELAB, the Delta E of 1976)."""
    # |c - m|^2 = |c|^2 - 2 c.m + |m|^2, and |c|^2 is the same for every m
    means = learnt["colors"]
    score = colors @ (2 * means.T) - (means**2).sum(axis=1)  # (P, K)
    return np.asarray(learnt["labels"][score.argmax(axis=1)], dtype=np.uint8)


def learn_thresholds(colors: Colors, labels: NDArray[np.uint8]) -> Learnt:
    """One threshold for each label, at the minimum of a histogram.

    Colours are projected on the direction that separates the label from all else best (Fisher's
    linear discriminant). On that axis the first frame's histogram (64 bins, smoothed) has its
    minimum between the two mean values: there is the threshold. Written as a margin that is linear
    in colour, 0 at the threshold and 1 at the label's mean.

    References
    ----------
    R. A. Fisher, Annals of Eugenics 7, 179 (1936).
    """
    shown = np.array([label for label in np.unique(labels) if label != 0], np.uint8)
    weights, offsets = np.zeros((len(shown), 3), np.float32), np.ones(len(shown), np.float32)
    for i, label in enumerate(shown):
        inside, outside = colors[labels == label], colors[labels != label]
        if not len(outside):
            continue  # the label is everywhere: every colour is its own
        centre, other = inside.mean(axis=0), outside.mean(axis=0)
        # weighed evenly, however large the label is; one unit keeps flat colours invertible
        spread = sum(np.cov(part.T, bias=True) for part in (inside, outside)) + np.eye(3)
        axis = np.linalg.solve(spread, centre - other)
        low, high = float(other @ axis), float(centre @ axis)
        if high <= low:
            continue
        threshold = _histogram_minimum(colors @ axis.astype(np.float32), low, high)
        weights[i] = axis / (high - threshold)
        offsets[i] = -threshold / (high - threshold)
    return {"labels": shown, "weights": weights, "offsets": offsets}


def _histogram_minimum(values: NDArray[np.float32], low: float, high: float) -> float:
    """Where values are rarest between two levels."""
    counts, edges = np.histogram(values, _BINS, (low, high))
    smooth = gaussian_filter1d(counts.astype(float), 2.0, mode="nearest")
    inner = round(_MARGIN * _BINS)
    place = inner + int(smooth[inner:-inner].argmin())
    return float((edges[place] + edges[place + 1]) / 2)


def apply_thresholds(colors: Colors, learnt: Learnt) -> NDArray[np.uint8]:
    """Label with the largest margin above its threshold; 0 where none is above."""
    if not len(learnt["labels"]):
        return np.zeros(len(colors), np.uint8)
    margins = learnt["weights"] @ colors.T + learnt["offsets"][:, None]  # (N, P)
    return logits_to_labels(margins[:, None, :], ids=learnt["labels"].tolist())[0]


def learn_kmeans(colors: Colors, labels: NDArray[np.uint8]) -> Learnt:
    """k-means with 8 clusters; each cluster takes the label that most of its pixels have."""
    from sklearn.cluster import KMeans

    sample = _sample(colors)
    clusters = min(_CLUSTERS, len(np.unique(sample, axis=0)))
    fitted = KMeans(clusters, n_init=3, random_state=0).fit(sample)
    learnt: Learnt = {"colors": fitted.cluster_centers_.astype(np.float32)}
    numbers = apply_nearest(colors, learnt | {"labels": np.arange(clusters, dtype=np.uint8)})
    return learnt | {"labels": _majority(numbers, labels, clusters)}


def learn_mixture(colors: Colors, labels: NDArray[np.uint8]) -> Learnt:
    """Mixture of 8 Gaussians; each takes the label that most of its pixels have."""
    from sklearn.mixture import GaussianMixture

    sample = _sample(colors)
    clusters = min(_CLUSTERS, len(np.unique(sample, axis=0)))
    # a variance of one unit at least: flat areas of a drawn frame have none
    fitted = GaussianMixture(clusters, reg_covar=1.0, random_state=0).fit(sample)
    learnt: Learnt = {
        "means": fitted.means_.astype(np.float32),
        "whitening": fitted.precisions_cholesky_.astype(np.float32),
        "log_weights": np.log(fitted.weights_).astype(np.float32),
    }
    numbers = apply_mixture(colors, learnt | {"labels": np.arange(clusters, dtype=np.uint8)})
    return learnt | {"labels": _majority(numbers, labels, clusters)}


def apply_mixture(colors: Colors, learnt: Learnt) -> NDArray[np.uint8]:
    """Label of the likeliest Gaussian: highest log w + log |W| - |W^T (c - m)|^2 / 2, W whitens."""
    parts = zip(learnt["means"], learnt["whitening"], learnt["log_weights"], strict=True)
    scores = [
        log_weight
        + np.log(np.diag(whitening)).sum()
        - 0.5 * (((colors - mean) @ whitening) ** 2).sum(axis=1)
        for mean, whitening, log_weight in parts
    ]
    return np.asarray(learnt["labels"][np.argmax(scores, axis=0)], dtype=np.uint8)


def _sample(colors: Colors) -> Colors:
    if len(colors) <= _SAMPLE:
        return colors
    return colors[np.random.default_rng(0).choice(len(colors), _SAMPLE, replace=False)]


def _majority(
    numbers: NDArray[np.uint8], labels: NDArray[np.uint8], clusters: int
) -> NDArray[np.uint8]:
    """Label that most pixels of each cluster have; 0 for a cluster without pixels."""
    votes = np.bincount(numbers * np.int64(256) + labels, minlength=256 * clusters)
    return votes.reshape(clusters, 256).argmax(axis=1).astype(np.uint8)


COLOR_METHODS = {
    "nearest-colour": ColorMethod(learn_means, apply_nearest),
    "threshold": ColorMethod(learn_thresholds, apply_thresholds),
    "kmeans": ColorMethod(learn_kmeans, apply_nearest),
    "gmm": ColorMethod(learn_mixture, apply_mixture),
}


def build_color(name: str, parts: "Parts") -> ColorStrategy:
    """The method of `COLOR_METHODS` that has this name."""
    return ColorStrategy(name)
