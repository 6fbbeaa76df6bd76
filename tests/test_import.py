import importlib
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import samflow

ROOT = Path(__file__).parents[1]


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


def test_names_and_paths_in_readme_model_cards_and_notebooks_are_there():
    texts = [ROOT / "README.md", *ROOT.glob("samflow/weights/data/*.md")]
    texts += ROOT.glob("notebooks/*.ipynb")
    for name in re.findall(r"`(\w[\w/]*\.py)`", texts[0].read_text(encoding="utf-8")):
        assert (ROOT / name).is_file() or (ROOT / "samflow" / name).is_file(), name
    for path in texts:
        text = path.read_text(encoding="utf-8")
        for name in set(re.findall(r"\bsamflow((?:\.[a-zA-Z_]\w*)+)", text)):
            assert _is_there(name[1:].split(".")), f"{path.name}: samflow{name}"
        for module, names in re.findall(r"from samflow((?:\.\w+)*) import ([\w, ]+)", text):
            for name in names.split(","):
                parts = [*module.split(".")[1:], name.split(" as ")[0].strip()]
                assert _is_there(parts), f"{path.name}: samflow{module}: {name}"
        for name in set(re.findall(r"\bsamflow/[\w/]+\b(?:\.\w+)?", text)):
            assert (ROOT / name).exists(), f"{path.name}: {name}"


def _is_there(parts):
    """Whether a dotted name below `samflow` is a module or something in one."""
    found = samflow
    for number, part in enumerate(parts, start=1):
        with suppress(ModuleNotFoundError):
            importlib.import_module(".".join(["samflow", *parts[:number]]))
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True
