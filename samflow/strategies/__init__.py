"""The ways through a clip: XMem, SAM from frame to frame, SAM refining XMem; and baselines.

A strategy turns frames into label maps one at a time. Its label maps keep the background regions,
because propagation needs them; `samflow.masks.without_labels` drops them from results.

`unet` learns the clip itself. The baselines are what people do without a network: colours
(`by_color`), GrabCut, optical flow. Like the others they begin with the first frame's label map.

`registry` knows all of them by name and takes no torch; the rest is loaded when it is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
