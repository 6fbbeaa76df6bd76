"""Segment dye in films of turbulent flow, compare the ways through the clip, measure the result.

The house, from the ground up; a module imports from lower floors only:

- `video`: frames in and out; `prompts`: what the user marks; `masks`: conversions of masks;
  `weights`: checkpoints
- `acquire`: download and cut; `sam`: frame to embedding, prompts to logits; `xmem`: the tracker;
  `maskio`: tracks on disk; `overlay`: what a user looks at
- `strategies`: the ways through a clip, by name
- `runs`: strategies side by side over a video, recorded and resumed
- `results`: what one does with a finished run: score, compare, measure, plot, report, export
- `campaigns`: many films, on one machine or a cluster
- `lab`: how the project knows what it knows: synthetic clips, training, benchmark, demo
- `cli`, `widget`: the commands, and the notebook's widgets

The names below are loaded when they are first used, so that `import samflow` stays quick.
"""

import sys

import lazy_loader

__version__ = "0.1.0"

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    """Load a name; the first that needs torch takes seconds on a slow disk."""
    if "torch" in sys.modules or name.startswith("_"):
        return _load(name)
    from samflow.weights import waiting

    with waiting(f"loading samflow.{name}"):
        return _load(name)
