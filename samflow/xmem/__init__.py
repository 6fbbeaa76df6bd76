"""XMem: the network, its three memories, and the tracker that runs it over a clip."""

from samflow.xmem.network import XMem
from samflow.xmem.tracker import Tracker
from samflow.xmem.xmem_checkpoint import load_xmem

__all__ = ["Tracker", "XMem", "load_xmem"]
