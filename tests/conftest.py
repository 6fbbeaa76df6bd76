import os
import signal
import sys

# Sums over several threads round differently from run to run on a busy machine, which would make
# tests of equal bytes fail by chance. Commands that tests start inherit it.
os.environ["OMP_NUM_THREADS"] = "1"

# A shell that starts the tests in the background makes them, and with them the commands that they
# start and interrupt, deaf to Ctrl+C.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest
import torch
from hypothesis import HealthCheck, settings

from samflow.cli import main
from terminal import one_line

torch.set_num_threads(1)

# Machines are slow at times, which says nothing about the code. CI repeats the same examples.
settings.register_profile(
    "samflow",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("samflow")


@pytest.fixture
def fails(monkeypatch, capfd):
    """Call the command's entry point with arguments that must end in one clear line.

    It runs in this process, because starting Python a hundred times would take minutes; the
    installed command is used for one mistake of each kind in test_cli.py.
    """

    def call(*arguments, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["samflow", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 1
        return one_line(capfd.readouterr().err)

    return call
