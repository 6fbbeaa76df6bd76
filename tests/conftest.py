import os
import signal

# Sums over several threads round differently from run to run on a busy machine, which would make
# tests of equal bytes fail by chance. Commands that tests start inherit it.
os.environ["OMP_NUM_THREADS"] = "1"

# A shell that starts the tests in the background makes them, and with them the commands that they
# start and interrupt, deaf to Ctrl+C.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)

# Machines are slow at times, which says nothing about the code. CI repeats the same examples.
settings.register_profile(
    "samflow",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("samflow")
