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


def test_every_public_name_loads():
    for name in dir(samflow):
        assert getattr(samflow, name) is not None
