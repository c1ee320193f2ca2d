"""Every use of a binding module's names in our source: reads, calls, overrides, with the guards they stand behind.

A guard holds in an if, an expression, a comprehension, after an early return, and where a variable or a function of
ours stands for it. Where a function or class is only referred to behind a guard, the guard holds for all of it.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Set

from tests.standins.names import bindings
from tests.standins.names.bindings import PYCUDA
from tests.standins.names.inference import OURS, Inference
from tests.standins.names.syntax import Scope, text, unwrapped
from tests.standins.names.uses import NONE, Needs, Use

ROOT = Path(__file__).parents[3]
PASSES = 8  # until what is known about parameters and guards has gone round
ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)
PINNED = "PagelockedHostAllocation"  # what numpy says nothing about


@lru_cache(maxsize=None)
def of_tensorrt() -> Source:
    """What all of our code uses of TensorRT."""
    return Source(_texts(r"trt|tensorrt"), bindings.together(bindings.VERSIONS), ["trt.library"], {})


@lru_cache(maxsize=None)
def of_pycuda() -> Source:
    """What all of our code uses of pycuda; the streams that it hands out are pycuda's own."""
    holders = {("edge_runtime/gpu/cuda.py", "array.base"): PINNED}
    return Source(_texts(r"pycuda|\bcuda\b"), bindings.together([PYCUDA]), ["pycuda.driver"], holders)


def _texts(speaking: str) -> Dict[str, str]:
    """Our code by path; files that do not as much as name the library are left out, for speed."""
    files = sorted([*ROOT.glob("edge_runtime/**/*.py"), *ROOT.glob("tools/**/*.py")])
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}
    return {path: text for path, text in texts.items() if re.search(speaking, text, re.IGNORECASE)}


class Source(Inference):
    """The uses in some source texts; see `Inference` for the arguments.

    Attributes:
        uses: all of them.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.uses: Set[Use] = set()
        self._entries: Dict[Scope, Needs] = {}
        for _ in range(PASSES):
            before = self.uses, dict(self._kinds), self._entries
            self.uses, self.unknown, self.strangers = set(), set(), set()
            self._references: Dict[Scope, List[Needs]] = defaultdict(list)
            for name, tree in self._trees.items():
                self._body(tree.body, (name,), NONE)
            self._entries = {place: frozenset.intersection(*found) for place, found in self._references.items()}
            if before == (self.uses, self._kinds, self._entries):
                break

    def _body(self, statements: List[ast.stmt], scope: Scope, needs: Needs) -> None:
        for statement in statements:
            self._visit(statement, scope, needs)
            if isinstance(statement, ast.If) and not statement.orelse and isinstance(statement.body[-1], ENDS):
                needs |= self._test(statement.test, scope)[1]

    def _visit(self, node: ast.AST, scope: Scope, needs: Needs) -> None:
        special = getattr(self, f"_{type(node).__name__}", None)
        if special is not None:
            special(node, scope, needs)
        else:
            for child in ast.iter_child_nodes(node):
                self._visit(child, scope, needs)

    def _FunctionDef(self, node: ast.FunctionDef, scope: Scope, needs: Needs) -> None:
        inner = (*scope, node.name)
        for argument in node.args.args:
            definition, place = self._definition(argument.annotation, scope) if argument.annotation else (None, ())
            if isinstance(definition, ast.ClassDef):
                self._kinds[inner, argument.arg] = f"{OURS}{place[0]}", NONE
        self._body(node.body, inner, needs | self._entries.get(inner, NONE))

    def _ClassDef(self, node: ast.ClassDef, scope: Scope, needs: Needs) -> None:
        needs |= self._entries.get((*scope, node.name), NONE)  # guards that hold wherever it is referred to
        for base in node.bases:
            self._visit(base, scope, needs)
            owner = self._kind(base, scope)
            theirs = owner is not None and not owner[0].startswith(OURS)
            methods = [child for child in node.body if isinstance(child, ast.FunctionDef) and child.name[0] != "_"]
            for method in methods if owner and theirs else ():
                given = len(method.args.args) - 1, ()
                self.uses.add(Use(owner[0], method.name, "override", given, needs, self._where(method, scope)))
        self._body(node.body, (*scope, node.name), needs)

    def _If(self, node: ast.If, scope: Scope, needs: Needs) -> None:
        self._visit(node.test, scope, needs)
        true, false = self._test(node.test, scope)
        self._body(node.body, scope, needs | true)
        self._body(node.orelse, scope, needs | false)

    def _IfExp(self, node: ast.IfExp, scope: Scope, needs: Needs) -> None:
        self._visit(node.test, scope, needs)
        true, false = self._test(node.test, scope)
        self._visit(node.body, scope, needs | true)
        self._visit(node.orelse, scope, needs | false)

    def _BoolOp(self, node: ast.BoolOp, scope: Scope, needs: Needs) -> None:
        for value in node.values:
            self._visit(value, scope, needs)
            needs |= self._test(value, scope)[0 if isinstance(node.op, ast.And) else 1]

    def _For(self, node: ast.For, scope: Scope, needs: Needs) -> None:
        self._visit(node.iter, scope, needs)
        self._each(node.target, node.iter, scope)
        self._body([*node.body, *node.orelse], scope, needs)

    def _comprehension(self, node: Any, scope: Scope, needs: Needs) -> None:
        for part in node.generators:
            self._visit(part.iter, scope, needs)
            self._each(part.target, part.iter, scope)
            for test in part.ifs:
                self._visit(test, scope, needs)
                needs |= self._test(test, scope)[0]
        for child in ("key", "value", "elt"):
            if hasattr(node, child):
                self._visit(getattr(node, child), scope, needs)

    _ListComp = _SetComp = _GeneratorExp = _DictComp = _comprehension

    def _Assign(self, node: ast.Assign, scope: Scope, needs: Needs) -> None:
        self._visit(node.value, scope, needs)
        for target in node.targets:
            self._bind(target, node.value, scope)
            self._visit(target, scope, needs)

    def _Attribute(self, node: ast.Attribute, scope: Scope, needs: Needs) -> None:
        self._refer(node, scope, needs)
        self._use(node, "set" if isinstance(node.ctx, ast.Store) else "read", None, scope, needs)
        self._visit(node.value, scope, needs)

    def _Name(self, node: ast.Name, scope: Scope, needs: Needs) -> None:
        self._refer(node, scope, needs)

    def _refer(self, node: ast.AST, scope: Scope, needs: Needs) -> None:
        definition, place = self._definition(node, scope)
        if definition is not None:
            self._references[place].append(needs)

    def _Call(self, node: ast.Call, scope: Scope, needs: Needs) -> None:
        function, arguments = unwrapped(node)
        named = tuple(word.arg for word in node.keywords if word.arg)
        starred = any(isinstance(argument, ast.Starred) for argument in arguments) or len(named) < len(node.keywords)
        count = len(arguments) - (isinstance(function, ast.Attribute) and function.attr == "__init__")
        self._use(function, "call", None if starred else (count, named), scope, needs)
        if text(node.func) == "getattr":
            self._use(node, "read", None, scope, needs)
        self._pass(function, arguments, scope)
        inner = function.value if isinstance(function, ast.Attribute) else function
        if isinstance(function, ast.Attribute):
            self._refer(function, scope, needs)
        for child in [inner, *node.args, *(word.value for word in node.keywords)]:
            if child is not function or child is inner:
                self._visit(child, scope, needs)

    def _use(self, node: ast.AST, how: str, given: Any, scope: Scope, needs: Needs) -> None:
        for owner, name, guards in self._names(node, scope, needs):
            plain = frozenset(need for need in guards if not need.name.startswith("$"))
            self.uses.add(Use(owner, name, how, given, plain, self._where(node, scope)))
