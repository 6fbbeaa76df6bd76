"""SAM and XMem anchored to what the frame itself shows: its colours, and how it moves."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from samflow.masks import (
    ColorEvidence,
    ColorGuide,
    first_field,
    labels_to_one_hot,
    sharpen_labels,
    told_apart,
)
from samflow.sam import Segmenter
from samflow.strategies.base import Frame, KeepingArrays, TrackingStrategy
from samflow.strategies.prompt_options import PromptOptions
from samflow.strategies.prompting import refine_labels
from samflow.strategies.with_flow import BackwardFlow, look_up, to_grey

if TYPE_CHECKING:
    from samflow.strategies.build import Parts

# Probability above which the tracker decides, and not the flow
_SURE = 0.96
# How well colours must tell two labels apart where the flow decides between them
_APART = 0.5
# Least share that a fit gives a label, so that colours can overrule it
_DOUBT = 0.02
# How often colours may move pixels from label to label
_MOVES = 2


@dataclass(frozen=True)
class Anchors:
    """What `anchored` is held to, to find out what each part is good for.

    Parameters
    ----------
    flow : bool
        Carry the latest result to the frame where the tracker is not sure.
    prompts : bool
        Sharpen the label map that prompts SAM.
    colors : bool
        Let pixels change to the label that their colour has elsewhere.
    edges : bool
        Sharpen what comes of it.
    """

    flow: bool = True
    prompts: bool = True
    colors: bool = True
    edges: bool = True


class AnchoredStrategy(KeepingArrays):
    """SAM prompted by a tracker and by its own latest result, held to the frame's colours.

    Parameters
    ----------
    sam : Segmenter
    source : TrackingStrategy
        Where the regions' identity comes from; a tracker of the run.
    options : PromptOptions, optional
    anchors : Anchors
        By default all.
    name : str
        In runs.

    Notes
    -----
    For each frame:

    1. The latest result is carried to the frame by optical flow. Where the tracker is not sure of
       its label (probability at most 0.96), the carried one takes its place; but only between
       labels that colours tell apart (`samflow.masks.told_apart` above 0.5 on the frame before),
       for an error in an edge between equal colours would never be seen again.
    2. That label map, sharpened (`samflow.masks.sharpen_labels`), prompts SAM with mask and box.
    3. SAM's label map is sharpened.
    4. Pixels may change to the label that their colour has elsewhere on the frame: the logarithm of
       the share that the guide's fit gives, plus that of the likelihood by colour histograms, in so
       far as they tell the two labels apart, decides (`samflow.masks.ColorEvidence`).
    5. Two last passes of sharpening.

    One encoding, one step of the tracker and one pass of SAM's decoder, like `refined`; what comes
    on top takes about 0.25 s for 480x270 px and four labels on one core, and memory for a few
    copies of the frame. The first frame's result is its label map, sharpened.
    """

    def __init__(
        self,
        sam: Segmenter,
        source: TrackingStrategy,
        options: PromptOptions | None = None,
        anchors: Anchors = Anchors(),
        name: str = "anchored",
    ) -> None:
        self.name = name
        self.sam = sam
        self.source = source
        self.sources = (source,)
        self.keeps = source.keeps
        self.options = options
        self.anchors = anchors
        self._flow = BackwardFlow()

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Start the tracker with the given label map; the result is that map, sharpened."""
        self.source.start(frame, labels)
        return self._keep(frame, self._sharpen(frame, labels, passes=4, wanted=self.anchors.edges))

    def step(self, frame: Frame) -> np.ndarray:
        """Step the tracker and make the next label map."""
        anchors, labels = self.anchors, self.source.step(frame)
        if anchors.flow:
            labels = self._with_carried(frame, labels)
        prompt = self._sharpen(frame, labels, passes=1, wanted=anchors.prompts)
        labels = refine_labels(self.sam, frame, prompt, options=self.options)
        labels = self._sharpen(frame, labels, passes=1, wanted=anchors.edges)
        if anchors.colors:
            labels = move_by_color(labels, ColorEvidence(frame.image), frame.color_guide)
        return self._keep(frame, self._sharpen(frame, labels, passes=2, wanted=anchors.edges))

    @staticmethod
    def _sharpen(frame: Frame, labels: np.ndarray, passes: int, wanted: bool) -> np.ndarray:
        if not wanted:
            return labels
        return sharpen_labels(labels, frame.image, frame.color_guide, passes)

    def _with_carried(self, frame: Frame, tracked: np.ndarray) -> np.ndarray:
        """The tracker's label map; where it is not sure, the latest result carried by the flow."""
        places = self._flow.places(to_grey(first_field(frame.image)), self.kept["grey"])
        carried = look_up(self.kept["labels"], places, cv2.INTER_NEAREST)
        apart = self.kept["apart"][carried, tracked] > _APART
        return np.where((self.source.certainty <= _SURE) & apart, carried, tracked)

    def _keep(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Keep what the next step looks at; returns the label map."""
        ids = np.unique(labels)
        apart = np.zeros((256, 256), np.float32)
        apart[np.ix_(ids, ids)] = told_apart(ColorEvidence(frame.image).learn(labels, ids))
        self.kept = {"labels": labels, "grey": to_grey(first_field(frame.image)), "apart": apart}
        return labels


def move_by_color(labels: np.ndarray, evidence: ColorEvidence, guide: ColorGuide) -> np.ndarray:
    """Give pixels the label that their colour has elsewhere on the frame.

    Parameters
    ----------
    labels : ndarray
        (H, W) uint8.
    evidence : ColorEvidence
    guide : ColorGuide
        Both of the label map's frame.

    Returns
    -------
    ndarray
        (H, W) uint8. Between labels of one colour nothing moves that the guide would not move.
    """
    ids = np.unique(labels)
    if len(ids) < 2:
        return labels
    histograms = evidence.learn(labels, ids)
    likelihoods, apart = evidence.log_likelihoods(histograms), told_apart(histograms)
    for _ in range(_MOVES):
        shares = labels_to_one_hot(labels, ids.tolist()).astype(np.float32)
        index = np.searchsorted(ids, labels)
        own = np.take_along_axis(likelihoods, index[None], axis=0)
        gain = apart[:, index] * (likelihoods - own)  # (K, H, W), 0 for the label of each pixel
        fitted = np.log(np.clip(guide.fit(shares), _DOUBT, 1))
        labels = ids[(fitted + gain).argmax(axis=0)]
    return labels


def build_anchored(name: str, parts: "Parts") -> AnchoredStrategy:
    """SAM and a tracker that others share, anchored."""
    return AnchoredStrategy(parts.sam, parts.source(name), parts.options, name=name)
