"""Strategies over a video: one frame, or a whole clip streamed, written, recorded and resumed.

Reading a `Run` back takes no torch: what needs it is loaded when it is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
