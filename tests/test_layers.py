"""Imports inside Headcast go one way, so that every room can be read without those to its right."""

import ast
from pathlib import Path

import pytest

import headcast

ORDER = [
    "errors", "compiled", "threads", "geometry", "store", "heads", "render", "solve", "perceive", "capture", "expressions", "track",
    "parse", "avatars", "export", "animate", "fit", "evaluate", "viewer", "studio", "cli",
]  # fmt: skip
SOURCE = Path(headcast.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))


def _imported(tree: ast.AST) -> set[str]:
    """Full names of every headcast module that the source imports, inside functions as well."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import hides which room it comes from"
            names.add(node.module)
            if node.module == "headcast":
                names |= {f"headcast.{alias.name}" for alias in node.names}
    return {name for name in names if name.startswith("headcast.")}


def _room(name: str) -> str:
    return name.split(".")[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_what_stands_to_its_left(path):
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py").replace("__main__", "cli")
    if own == "__init__":
        assert not _imported(ast.parse(path.read_text())), "the package itself must stay importable in an instant"
        return
    assert own in ORDER, f"{own!r} is not one of the rooms"
    wrong = {
        name for name in _imported(ast.parse(path.read_text())) if _room(name) not in ("__version__",) and ORDER.index(_room(name)) > ORDER.index(own)
    }
    assert not wrong, f"{own} stands left of {sorted(wrong)}"


def test_the_check_sees_imports_inside_functions_and_from_the_package():
    tree = ast.parse("from headcast import cli\ndef f():\n    import headcast.studio.jobs")
    assert _imported(tree) == {"headcast.cli", "headcast.studio.jobs"}


def test_no_file_name_says_nothing():
    vague = {"utils", "helpers", "misc", "common", "core"}
    assert not [path for path in MODULES if path.stem in vague]
