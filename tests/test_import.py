import subprocess
import sys

import samflow


def _python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_importing_samflow_loads_nothing_heavy():
    heavy = ["torch", "numpy", "cv2", "av", "scipy", "pandas", "matplotlib", "pydantic"]
    code = f"import sys, samflow; print([m for m in {heavy!r} if m in sys.modules])"
    assert _python(code) == "[]"


def test_help_loads_no_torch():
    code = (
        "import sys\nsys.argv = ['samflow', 'run', '--help']\nimport samflow.cli\n"
        "try:\n    samflow.cli.main()\nexcept SystemExit as end:\n    code = end.code\n"
        "sys.stdout = sys.__stdout__\nprint('LOADED', code, 'torch' in sys.modules)"
    )
    assert _python(code).splitlines()[-1] == "LOADED 0 False"


def test_a_star_import_gives_the_public_names():
    code = "from samflow import *\nprint(callable(run), callable(measure), 'importlib' in dir())"
    assert _python(code) == "True True False"
    assert {"run", "segment", "score", "compare", "measure", "export"} < set(dir(samflow))


def test_verbs_stay_verbs_whatever_is_imported():
    """No module of the package has the name of a public verb."""
    code = (
        "import pkgutil, importlib, samflow\n"
        "[importlib.import_module(m.name) for m in pkgutil.walk_packages(samflow.__path__, "
        "'samflow.')]\n"
        "print([n for n in ('run', 'segment', 'score', 'compare', 'measure', 'export', 'fetch', "
        "'cut') if not callable(getattr(samflow, n))])"
    )
    assert _python(code) == "[]"


def test_reading_results_back_takes_no_torch():
    code = (
        "import sys\nfrom samflow import Run, Track, compare, score, measure, export\n"
        "from samflow.strategies import TITLES, PromptOptions\nprint('torch' in sys.modules)"
    )
    assert _python(code) == "False"


def test_every_public_name_loads():
    for name in dir(samflow):
        assert getattr(samflow, name) is not None
