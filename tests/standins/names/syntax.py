"""What is read straight from the syntax of Python files, without knowing any class."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
Scope = Tuple[str, ...]  # file, class, function, …


def definitions(trees: Dict[str, ast.Module]) -> Dict[Tuple[str, str], Tuple[Any, Scope]]:
    """Functions and classes by file and name; none where a file gives one name to several."""
    found: Dict[Tuple[str, str], List[Tuple[Any, Scope]]] = defaultdict(list)

    def look(node: Any, scope: Scope) -> None:
        for child in ast.iter_child_nodes(node):
            inner = scope
            if isinstance(child, DEFINITIONS):
                inner = (*scope, child.name)
                found[scope[0], child.name].append((child, inner))
            look(child, inner)

    for name, tree in trees.items():
        look(tree, (name,))
    return {key: places[0] for key, places in found.items() if len(places) == 1}


def own_names(trees: Iterable[ast.Module]) -> Set[str]:
    """Names of all functions, classes, and attributes that our own classes give themselves."""
    found: Set[str] = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, DEFINITIONS):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and text(node.value) == "self":
            found.add(node.attr)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


def imports(tree: ast.Module) -> Dict[str, Tuple[str, str]]:
    """What a file imports, by the name that it gets: the module as a path, and the name in it."""
    found = {}
    for node in ast.walk(tree):
        for alias in node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            found[alias.asname or alias.name.split(".")[0]] = module.replace(".", "/"), alias.name
    return found


def text(node: ast.AST) -> str:
    """Of a name with its dots; "" for other expressions."""
    if isinstance(node, ast.Attribute):
        inner = text(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return node.id if isinstance(node, ast.Name) else ""


def paired(targets: List[ast.expr], value: ast.AST) -> List[Tuple[ast.expr, ast.expr]]:
    """Targets and values of an assignment to several; what is starred at the end gives all that are left."""
    values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
    if values and isinstance(values[-1], ast.Starred):
        values = [*values[:-1], *[values[-1]] * (len(targets) - len(values) + 1)]
    return list(zip(targets, values)) if len(values) == len(targets) else []


def constant(node: Optional[ast.AST]) -> str:
    """A text that is written out, else ""."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def empty(node: ast.AST) -> bool:
    """Whether an expression is None, False, 0, or a list or tuple without entries."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return not node.elts
    return isinstance(node, ast.Constant) and not node.value


def unwrapped(node: ast.Call) -> Tuple[ast.AST, List[Any]]:
    """Function and arguments, also of `self._do("what for", function, *arguments)`."""
    if text(node.func) == "self._do" and len(node.args) > 1:
        return node.args[1], node.args[2:]
    return node.func, node.args
