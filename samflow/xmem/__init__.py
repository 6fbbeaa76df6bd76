"""XMem: the network, its three memories, and the tracker that runs it over a clip."""

from samflow.xmem.loading import load_xmem
from samflow.xmem.network import XMem
from samflow.xmem.tracker import Tracker

__all__ = ["Tracker", "XMem", "load_xmem"]
