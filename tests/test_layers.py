"""The import directions of the house, read off the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "samflow"
# lowest first; a module imports from its own room, and from the rows above its own
HOUSE = [
    {"errors"},
    {"files", "device"},
    {"video", "prompts", "masks", "weights"},
    {"acquire", "sam", "xmem", "maskio", "overlay"},
    {"models"},
    {"strategies"},
    {"runs"},
    {"results"},
    {"lab", "campaigns"},
    {"cli", "widget"},
]
FLOOR = {room: floor for floor, row in enumerate(HOUSE) for room in row}
TORCH = {"device", "weights", "sam", "xmem", "models", "strategies", "runs", "lab"}


def _room(path: Path) -> str:
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


def test_every_room_has_a_floor_and_there_are_at_most_20_names_at_the_top():
    assert {_room(path) for path in FILES} == set(FLOOR)
    top = {path.name for path in ROOT.iterdir() if not path.name.startswith(("__", "."))}
    assert {name.split(".")[0] for name in top} == set(FLOOR)
    assert len(FLOOR) <= 20


def test_a_name_of_a_module_is_in_one_room_only():
    rooms = {}
    for path in FILES:
        if path.name != "__init__.py":
            rooms.setdefault(path.name, set()).add(path.relative_to(ROOT).parts[0])
    assert {name: found for name, found in rooms.items() if len(found) > 1} == {}


def test_no_function_has_the_name_of_its_module_or_of_one_beside_it():
    """`from samflow.lab import x` gives a module or a function, whatever was imported before."""
    for path in FILES:
        modules = {each.stem for each in path.parent.iterdir()} | {path.parent.name}
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                assert node.name not in modules, f"{path}: {node.name}"


def test_no_variable_has_the_name_of_a_module_of_the_standard_library_in_reach():
    """A reader who sees `time` in a file that measures seconds takes it for the module."""
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            (alias.asname or alias.name).split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        bound = {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        } | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        assert not imported & bound, f"{path}: {imported & bound}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downwards(path):
    room = _room(path)
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] != "samflow" or len(parts) < 2 or parts[1] == room:
            continue
        if parts[1] not in FLOOR:
            continue  # a name of samflow/__init__.py, such as __version__
        assert FLOOR[parts[1]] < FLOOR[room], f"{room} imports its sibling or upper {parts[1]}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_torch_stays_where_it_belongs(path):
    roots = {name.split(".")[0] for name in _imports(path)}
    if roots & {"torch", "torchvision", "segment_anything"}:
        assert _room(path) in TORCH
