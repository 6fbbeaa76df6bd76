"""The three ways to install name the same packages, and the repository names no lock file."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"torch": "pytorch", "opencv-python": "opencv"}


def _requirements(lines: list[str]) -> dict[str, str]:
    found = (re.fullmatch(r"([A-Za-z0-9_.-]+)\s*(.*)", line) for line in lines)
    return {match.group(1): match.group(2) for match in found if match}


def test_conda_and_pip_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = _requirements(
        [
            *project["dependencies"],
            *project["optional-dependencies"]["notebook"],
            *project["optional-dependencies"]["sam2"],
            *project["optional-dependencies"]["cluster"],
        ]
    )
    wanted = {CONDA_NAMES.get(name, name): bound for name, bound in wanted.items()}
    wanted["python"] = project["requires-python"]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    plain = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    nested = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert _requirements([*plain, *nested[0]]) == {**wanted, "pip": ""}


def test_each_dependency_has_its_reason():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = text.split("dependencies = [", 1)[1].split("[project.scripts]")[0]
    for line in block.splitlines():
        if line.strip().startswith('"'):
            assert re.search(r'",\s+# \w+', line), f"no reason beside {line.strip()}"


def test_version_is_stated_once_in_step():
    import samflow

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == samflow.__version__
