"""The `samflow` command."""

import sys
import traceback

from rich.console import Console

from samflow.cli import (  # noqa: F401 - importing them adds their commands
    bench_commands,
    benchmark_commands,
    campaign_commands,
    film_commands,
    mask_commands,
    mending_commands,
    notebook_commands,
    results_commands,
    weights_commands,
)
from samflow.cli.app import app
from samflow.errors import SamflowError

# status of a command that Ctrl+C ended, as shells have it
_INTERRUPTED = 130


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def main() -> None:
    """Entry point: exit 0 on success, 2 on wrong arguments, 1 with one line on bad input."""
    debug = "--debug" in sys.argv[1:]
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(args=arguments, prog_name="samflow")
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            print(file=sys.stderr)  # a progress bar may stand in the line
            _say("interrupted: nothing half-written is left, the same command starts again.")
        raise
    except (SamflowError, OSError) as error:
        _fail(" ".join(str(error).split()), debug)
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        _fail("out of memory: use smaller weights, a smaller --size, or --device cpu.", debug)


def _fail(message: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    _say(message)
    sys.exit(1)


def _say(message: str) -> None:
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"samflow: {message}")
