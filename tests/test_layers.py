"""The floors of the package: imports point down, families never meet, nothing goes round in circles."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Dict, Iterator, Set, Tuple

import pytest

import edge_runtime

FLOORS: Tuple[Set[str], ...] = (
    {"errors", "files", "libraries", "text"},
    {"plugins", "jetson", "model", "imaging"},
    {"types", "machine", "native", "graph", "downloads"},
    {"gpu", "zoo", "track"},
    {"backends", "heads", "sources", "sinks", "power", "datasets"},
    {"detect", "events"},
    {"loop"},
    {"energy", "accuracy", "tuning"},
    {"calibrate", "identify"},
    {"audit"},
    {"build", "benchmark", "planning", "study", "reports", "doctor", "prove", "blackbox"},
    {"cli", "__main__", "__init__"},
)
FAMILIES = {"backends", "heads", "sources", "sinks", "power", "datasets"}
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}
PACKAGE = Path(edge_runtime.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].replace(".py", "")


def internal_imports(tree: ast.AST) -> Iterator[Tuple[ast.AST, str]]:
    """Each import of our own code, as (node, part); `from edge_runtime.x import y` is the one form in use."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not any(a.name.split(".")[0] == "edge_runtime" for a in node.names), (
                "use from edge_runtime.x import y"
            )
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the floor"
            if node.module == "edge_runtime":
                yield from ((node, a.name) for a in node.names if a.name != "__version__")
            elif (node.module or "").startswith("edge_runtime."):
                yield node, str(node.module).split(".")[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    tree, part = ast.parse(path.read_text(encoding="utf-8")), part_of(path)
    assert part in FLOOR, f"{part} has no floor: add it to FLOORS"
    nested = {n for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef)) for n in ast.walk(f)}
    for node, target in internal_imports(tree):
        assert node not in nested, f"{part} imports {target} inside a function: a floor is being dodged"
        assert target in FLOOR, f"{target} has no floor: add it to FLOORS"
        assert FLOOR[target] <= FLOOR[part], f"{part} (floor {FLOOR[part]}) may not import {target} ({FLOOR[target]})"
        assert target == part or {target, part} - FAMILIES, f"family {part} may not import family {target}"


def test_no_import_goes_round_in_a_circle() -> None:
    graph: Dict[str, Set[str]] = {}
    for path in FILES:
        targets = {target for _, target in internal_imports(ast.parse(path.read_text(encoding="utf-8")))}
        graph.setdefault(part_of(path), set()).update(targets - {part_of(path)})
    while graph:
        leaves = {part for part, targets in graph.items() if not targets & graph.keys()}
        assert leaves, f"import cycle among {sorted(graph)}"
        graph = {part: targets for part, targets in graph.items() if part not in leaves}
