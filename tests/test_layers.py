"""The import directions of the house, read off the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "samflow"
# lowest first; a module imports from the rows above its own only
HOUSE = [
    {"errors"},
    {"files", "device"},
    {"video", "acquire", "prompts", "masks", "weights", "lockstep", "notebooks"},
    {"sam", "xmem", "maskio", "overlay", "metrics", "measure", "plots", "synthetic"},
    {"strategies", "record"},
    {"report"},
    {"run", "segment", "compare", "score", "quantities", "export", "folders", "training"},
    {"demo"},
    {"benchmark"},
    {"cli", "widget", "lesson"},
]
LAYERS = {module: layer for layer, row in enumerate(HOUSE) for module in row}
TORCH = {"device", "weights", "sam", "xmem", "strategies", "run", "folders", "training"}


def _module(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def _imports(path: Path) -> set[str]:
    """Dotted names that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def test_every_module_has_a_layer():
    assert {_module(path) for path in FILES} == set(LAYERS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downwards(path):
    module = _module(path)
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] != "samflow" or len(parts) < 2 or parts[1] == module:
            continue
        if parts[1] not in LAYERS:
            continue  # a name of samflow/__init__.py, such as __version__
        assert LAYERS[parts[1]] < LAYERS[module], (
            f"{module} imports its sibling or upper {parts[1]}"
        )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_torch_stays_where_it_belongs(path):
    roots = {name.split(".")[0] for name in _imports(path)}
    if roots & {"torch", "torchvision", "segment_anything"}:
        assert _module(path) in TORCH
