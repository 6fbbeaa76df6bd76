"""Models beside SAM and XMem, and the two roles that strategies are written against.

A *segmenter* turns a frame into an embedding, and prompts into logits: `samflow.sam.Segmenter` says
what that takes, `samflow.sam.Sam` is one. A *tracker* takes a label map on a frame and gives label
maps from there on: `roles` says what that takes, `samflow.xmem.Tracker` is one. `known_models`
lists the others. To add a tracker:

1. Write a class with what `roles.Tracker` names, and no more. `step` gives probabilities, so that a
   strategy knows how sure the tracker is; `state_dict` holds all that the next step depends on.
2. Write a function `(name, source, device, precision)` that loads its weights from a registry name
   or a path, and gives something with what `roles.TrackingModel` names.
3. Give it a row in `known_models.MODELS`: its name, title and licence, and where the function is.

`samflow run --strategies NAME,refined:NAME --weights NAME=PATH` knows it then, and so do resume,
corrections, the comparison video and the measures. The row may also be added from outside of
samflow, before the run, with the function in a module of your own. A segmenter is added likewise: a
subclass of `samflow.sam.Segmenter`, a function that loads it, a row in `known_models.SEGMENTERS`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
