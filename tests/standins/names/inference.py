"""Follows the objects of a binding module through our source: what class an expression has, and under which guards.

They come from calls that give the module (`trt.library()`), and go on through assignments, parameters, results of our
own functions, and what the bindings say that they return. A guard is `hasattr(x, "name")`.
"""

from __future__ import annotations

import ast
from typing import Any, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from tests.standins.names.bindings import Members
from tests.standins.names.syntax import Scope, constant, definitions, empty, imports, own_names, paired, text, unwrapped
from tests.standins.names.uses import NONE, Condition, Needs

OURS = "ours:"  # before the file of one of our own classes, in the place of a class of the bindings
OF_DICT = ("values", "items", "clear")
Kind = Tuple[str, Needs]  # a class, and the guards that hold where the object is of it


class Inference:
    """What is known about names in some source texts.

    Args:
        sources: texts of Python files, by path below the repository's root.
        members: of all versions together, for what methods return.
        roots: calls that give the module: "trt.library", or the argument of such a call: "pycuda.driver".
        holders: class of an expression that cannot be followed, by file (below the root) and text.

    Attributes:
        unknown: where a name is made at run time in a way that is not followed.
        strangers: names of the bindings on objects whose class is not known.
        held: holders that were of use.
    """

    def __init__(
        self, sources: Dict[str, str], members: Members, roots: Iterable[str], holders: Dict[Tuple[str, str], str]
    ) -> None:
        self.members, self._roots, self._holders = members, set(roots), holders
        self.unknown: Set[str] = set()
        self.strangers: Set[str] = set()
        self.held: Set[Tuple[str, str]] = set()
        self._kinds: Dict[Tuple[Scope, str], Kind] = {}
        self._tests: Dict[Tuple[Scope, str], Tuple[Needs, Needs]] = {}
        self._texts: Dict[Tuple[Scope, str], List[str]] = {}
        self._asked: Set[Scope] = set()  # functions whose result is being found
        self._trees = {path: ast.parse(text) for path, text in sources.items()}
        self._imports = {name: imports(tree) for name, tree in self._trees.items()}
        self._definitions = definitions(self._trees)
        self._ours = own_names(self._trees.values())

    def _definition(self, node: ast.AST, scope: Scope) -> Tuple[Any, Scope]:
        """Where one of our functions or classes is defined that an expression names; (None, ()) for others."""
        base, _, name = text(node).rpartition(".")
        imported = self._imports[scope[0]]
        owner = self._known(base, scope) if base else None
        if owner is not None and owner[0].startswith(OURS):
            file = owner[0][len(OURS) :]
        elif base in ("", "self"):
            file, name = imported.get(name, (scope[0], name)) if not base else (scope[0], name)
        else:
            file = "/".join(filter(None, imported.get(base, ("", ""))))
        places = (f"{file}{ending}" for ending in ("", ".py", "/__init__.py"))
        return next((self._definitions[at, name] for at in places if (at, name) in self._definitions), (None, ()))

    def _names(self, node: ast.AST, scope: Scope, needs: Needs = NONE) -> Iterator[Tuple[str, str, Needs]]:
        """Owner and name of an attribute, written out or by `getattr`."""
        if isinstance(node, ast.Attribute) and node.attr not in OF_DICT:
            kind = self._kind(node.value, scope)
            if kind is not None and not kind[0].startswith(OURS):
                yield kind[0], node.attr, needs | kind[1]
            elif not kind and self._strange(node.attr) and text(node).split(".")[0] not in self._imports[scope[0]]:
                self.strangers.add(f"{self._where(node, scope)}: {text(node)}")
        elif isinstance(node, ast.Call) and text(node.func) == "getattr":
            kind = self._kind(node.args[0], scope)
            if kind is not None and not kind[0].startswith(OURS):
                yield from self._dynamic(kind[0], node, scope, needs | kind[1])

    def _dynamic(self, owner: str, node: ast.Call, scope: Scope, needs: Needs) -> Iterator[Tuple[str, str, Needs]]:
        placeholder = Condition(owner, f"${text(node.args[1])}", True)
        names = self._strings(node.args[1], scope)
        for name in names:
            guarded = placeholder in needs or len(node.args) > 2
            yield owner, name, needs | {Condition(owner, name, True)} if guarded else needs
        if not names and placeholder not in needs:
            self.unknown.add(self._where(node, scope))

    def _strange(self, name: str) -> bool:
        """Whether a name is one of the bindings and of nobody else."""
        telling = "_" in name.strip("_") and name not in self._ours
        return telling and any(name in members for members in self.members.values())

    def _kind(self, node: ast.AST, scope: Scope) -> Optional[Kind]:
        """The class of an expression, "" for the module; a list or a dictionary is what it holds."""
        if isinstance(node, (ast.Name, ast.Attribute)):
            known = self._known(text(node), scope)
            if known is not None:
                return known
        if isinstance(node, ast.IfExp):
            for part, guards in zip((node.body, node.orelse), self._test(node.test, scope)):
                kind = self._kind(part, scope)
                if kind is not None and not kind[0].startswith(OURS):
                    return kind[0], kind[1] | guards
        if isinstance(node, (ast.List, ast.Tuple)) and node.elts:
            return self._kind(node.elts[0], scope)
        if isinstance(node, (ast.ListComp, ast.GeneratorExp)):
            return self._kind(node.elt, scope)
        if isinstance(node, (ast.Starred, ast.Subscript)):
            return self._kind(node.value, scope)
        if isinstance(node, ast.Attribute):
            return self._result(node, scope, called=False)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in OF_DICT:
            return self._kind(node.func.value, scope)
        return self._called(node, scope) if isinstance(node, ast.Call) else None

    def _called(self, node: ast.Call, scope: Scope) -> Optional[Kind]:
        function, _ = unwrapped(node)
        definition, inner = self._definition(function, scope)
        here = f"{scope[0].split('/')[-1][:-3]}.{text(function)}"  # as others write it who import this file
        loads = isinstance(definition, ast.FunctionDef) or text(function) == "import_module"
        argument = constant(node.args[0]) if node.args and loads else ""
        if self._roots & {text(function), here, argument}:
            return "", NONE
        if isinstance(definition, ast.ClassDef):
            return f"{OURS}{inner[0]}", NONE
        if definition is None or inner in self._asked:
            return self._result(function if text(function) != "getattr" else node, scope, called=True)
        self._asked.add(inner)
        values = [part.value for part in ast.walk(definition) if isinstance(part, ast.Return) and part.value]
        found = next(filter(None, (self._kind(value, inner) for value in values)), None)
        self._asked.remove(inner)
        return found

    def _result(self, node: ast.AST, scope: Scope, called: bool) -> Optional[Kind]:
        for owner, name, guards in self._names(node, scope):
            found = self.members.get(owner, {}).get(name)
            if found is not None and (called or found["kind"] != "method"):
                inner = f"{owner}.{name}".lstrip(".")
                candidates = [inner, *(spelt for kind in found["returns"] for spelt in (kind, kind[1:]))]
                kind = next((kind for kind in candidates if kind in self.members), None)
                return (kind, guards) if kind is not None else None
        return None

    def _known(self, dotted: str, scope: Scope) -> Optional[Kind]:
        holder = scope[0], dotted
        if holder in self._holders:
            self.held.add(holder)
            return self._holders[holder], NONE
        places = [scope[:length] for length in range(len(scope), 0, -1)]
        found = next((self._kinds[place, dotted] for place in places if (place, dotted) in self._kinds), None)
        base, _, name = dotted.rpartition(".")
        if found is None and base and base != "self":  # an attribute of one of our own objects
            owner = self._known(base, scope)
            if owner is not None and owner[0].startswith(OURS):
                return self._kinds.get(((owner[0][len(OURS) :],), f"self.{name}"))
        return found

    def _bind(self, target: ast.AST, value: ast.AST, scope: Scope) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            for one, other in paired(target.elts, value) or [(target.elts[0], value)]:  # a tuple is as its first
                self._bind(one, other, scope)
            return
        dotted = text(target.value if isinstance(target, ast.Subscript) else target)
        key = (scope[:1] if dotted.startswith("self.") else scope), dotted
        kind = self._kind(value, scope)
        if kind is not None:
            self._kinds[key] = kind
        test = self._test(value, scope)
        if test != (NONE, NONE):
            self._tests[key] = test
        strings = self._strings(value, scope)
        if strings:
            self._texts[key] = strings

    def _each(self, target: ast.AST, iterated: ast.AST, scope: Scope) -> None:
        """Binds what a loop goes over: objects of one class, or texts that are written out."""
        items = isinstance(iterated, ast.Call) and text(iterated.func).endswith(".items")
        self._bind(target.elts[1] if items and isinstance(target, ast.Tuple) else target, iterated, scope)
        rows = self._rows(iterated, scope)
        targets = target.elts if isinstance(target, ast.Tuple) else [target]
        for number, one in enumerate(targets):
            strings = [row[number] for row in rows if number < len(row) and row[number]]
            if strings:
                self._texts[scope, text(one)] = strings

    def _rows(self, node: ast.AST, scope: Scope) -> List[List[str]]:
        """Texts in a tuple, in a tuple of tuples, or in a constant of the file ("" for what is no text)."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("items", "keys"):
            return self._rows(node.func.value, scope)
        if isinstance(node, ast.Name):
            for statement in self._trees[scope[0]].body:
                if isinstance(statement, ast.Assign) and text(statement.targets[0]) == node.id:
                    return self._rows(statement.value, scope)
        if isinstance(node, ast.Dict):
            return [[constant(key)] for key in node.keys]
        if isinstance(node, (ast.Tuple, ast.List)):
            return [
                [constant(part) for part in (one.elts if isinstance(one, ast.Tuple) else [one])] for one in node.elts
            ]
        return []

    def _strings(self, node: ast.AST, scope: Scope) -> List[str]:
        if isinstance(node, ast.IfExp):
            return self._strings(node.body, scope) + self._strings(node.orelse, scope)
        places = (scope[:length] for length in range(len(scope), 0, -1))
        known = next((self._texts[place, text(node)] for place in places if (place, text(node)) in self._texts), [])
        return [constant(node)] if constant(node) else known

    def _pass(self, function: ast.AST, arguments: List[Any], scope: Scope) -> None:
        """What a call tells about the parameters of one of our functions."""
        definition, inner = self._definition(function, scope)
        if isinstance(definition, ast.ClassDef):
            init = [child for child in definition.body if getattr(child, "name", "") == "__init__"]
            definition, inner = (init[0], (*inner, "__init__")) if init else (None, ())
        if definition is None:
            return
        names = [argument.arg for argument in definition.args.args if argument.arg != "self"]
        for name, argument in zip(names, arguments):
            kind = self._kind(argument, scope)
            if kind is not None:
                self._kinds[inner, name] = kind

    def _test(self, node: ast.AST, scope: Scope) -> Tuple[Needs, Needs]:
        """Guards that hold where an expression is true, and where it is false."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            true, false = self._test(node.operand, scope)
            return false, true
        if isinstance(node, ast.BoolOp):
            parts = [self._test(value, scope) for value in node.values]
            if isinstance(node.op, ast.And):
                return frozenset().union(*(true for true, _ in parts)), NONE
            return NONE, frozenset().union(*(false for _, false in parts))
        if isinstance(node, ast.IfExp) and empty(node.orelse):  # x if GUARD else None
            return self._test(node.test, scope)[0] | self._test(node.body, scope)[0], NONE
        if isinstance(node, ast.Call) and text(node.func) == "hasattr":
            return self._hasattr(node, scope)
        if isinstance(node, ast.Call):
            definition, inner = self._definition(node.func, scope)
            last = definition.body[-1] if isinstance(definition, ast.FunctionDef) else None
            return self._test(last.value, inner) if isinstance(last, ast.Return) and last.value else (NONE, NONE)
        places = (scope[:length] for length in range(len(scope), 0, -1))
        return next((self._tests[p, text(node)] for p in places if (p, text(node)) in self._tests), (NONE, NONE))

    def _hasattr(self, node: ast.Call, scope: Scope) -> Tuple[Needs, Needs]:
        kind = self._kind(node.args[0], scope)
        if kind is None or kind[0].startswith(OURS):
            return NONE, NONE
        name = constant(node.args[1]) or f"${text(node.args[1])}"
        return frozenset({Condition(kind[0], name, True)}), frozenset({Condition(kind[0], name, False)})

    def _where(self, node: Any, scope: Scope) -> str:
        return f"{scope[0]}:{node.lineno}"
