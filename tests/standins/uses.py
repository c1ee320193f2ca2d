"""What our code uses of a binding module, derived from the source: every attribute, call and override, with the guards.

A small inference follows objects from where they come from (`trt.library()`) through assignments, parameters and what
the bindings themselves say they return. A guard is `hasattr(x, "name")`, in an if, an expression, a comprehension, a
variable, an early return, or a function that returns one; where a function or class is only reached behind a guard,
the guard holds for all of it.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from tests.standins.bindings import Members

ROOT = Path(__file__).parents[2]
PASSES = 8  # until what is known about parameters and guards has gone round
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
OURS = "ours:"  # before the file of one of our own classes, in the place of a class of the bindings
ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)
Scope = Tuple[str, ...]  # file, class, function, …


class Condition(NamedTuple):
    """`hasattr(owner, name) is there`."""

    owner: str
    name: str
    there: bool


Needs = FrozenSet[Condition]
Kind = Tuple[str, Needs]  # a class, and the guards that hold where the object is of it
NONE: Needs = frozenset()


class Use(NamedTuple):
    """One use of a name.

    Attributes:
        owner: class, "" the module.
        how: "read", "set", "call" or "override".
        given: number of arguments and names of those given by name; None where that is not known.
        needs: guards that hold there.
        where: file:line.
    """

    owner: str
    name: str
    how: str
    given: Optional[Tuple[int, Tuple[str, ...]]]
    needs: Needs
    where: str

    def reached(self, members: Members) -> bool:
        """Whether the code is run with a version that has these members."""
        return all((need.name in members.get(need.owner, {})) == need.there for need in self.needs)

    def fault(self, members: Members) -> str:
        """What is wrong with it there; "" where nothing is."""
        said = f"{self.where}: {self.owner or 'the module'}.{self.name}"
        found = members.get(self.owner, {}).get(self.name)
        if found is None:
            return f"{said} is not there"
        if self.how == "set" and found["kind"] == "property":
            return f"{said} cannot be set"
        if self.given is not None and found["calls"] and not any(map(self._fits, found["calls"])):
            return f"{said} takes {found['calls']}, it is given {self.given}"
        return ""

    def _fits(self, signature: List[List[Any]]) -> bool:
        assert self.given is not None
        count, named = self.given
        open_ended = {str(name)[:1] for name, _ in signature if str(name).startswith("*")}
        plain = [(name, must) for name, must in signature if not str(name).startswith("*")]
        names = [name for name, _ in plain]
        if self.how == "override":  # TensorRT passes all of them
            return count == len(plain)
        enough = all(name in named for name, must in plain[count:] if must)
        return enough and (count <= len(plain) or bool(open_ended)) and set(named) <= set(names[count:])


class Source:
    """The uses in some files.

    Args:
        files: below the repository's root.
        members: of all versions together, for what methods return.
        roots: calls that give the module, "trt.library".
        holders: class of an expression that the inference cannot follow, by file (below the root) and text.

    Attributes:
        uses: all of them.
        unknown: where a name is made at run time in a way that is not followed.
        strangers: names of the bindings on objects whose class is not known.
    """

    def __init__(
        self, files: Iterable[Path], members: Members, roots: Iterable[str], holders: Dict[Tuple[str, str], str]
    ) -> None:
        self.members, self._roots, self._holders = members, set(roots), holders
        self.uses: Set[Use] = set()
        self.unknown: Set[str] = set()
        self.strangers: Set[str] = set()
        self.held: Set[Tuple[str, str]] = set()  # holders that were of use
        self._kinds: Dict[Tuple[Scope, str], Kind] = {}
        self._asked: Set[Scope] = set()  # functions whose result is being found
        self._tests: Dict[Tuple[Scope, str], Tuple[Needs, Needs]] = {}
        self._texts: Dict[Tuple[Scope, str], List[str]] = {}
        self._entries: Dict[Scope, Needs] = {}
        self._trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in files}
        self._imports = {name: imports(tree) for name, tree in self._trees.items()}
        self._definitions = self._defined()
        self._ours = self._own_names()
        for _ in range(PASSES):
            before = set(self.uses), dict(self._kinds), dict(self._entries)
            self.uses, self.unknown, self.strangers = set(), set(), set()
            self._references: Dict[Scope, List[Needs]] = defaultdict(list)
            for name, tree in self._trees.items():
                self._body(tree.body, (name,), NONE)
            self._entries = {name: frozenset.intersection(*found) for name, found in self._references.items()}
            if before == (self.uses, self._kinds, self._entries):
                break

    def _defined(self) -> Dict[Tuple[str, str], Tuple[Any, Scope]]:
        """Functions and classes by file and name; none where a file gives one name to several."""
        found: Dict[Tuple[str, str], List[Tuple[Any, Scope]]] = defaultdict(list)

        def look(node: Any, scope: Scope) -> None:
            for child in ast.iter_child_nodes(node):
                inner = scope
                if isinstance(child, DEFINITIONS):
                    inner = (*scope, child.name)
                    found[scope[0], child.name].append((child, inner))
                look(child, inner)

        for name, tree in self._trees.items():
            look(tree, (name,))
        return {key: places[0] for key, places in found.items() if len(places) == 1}

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

    def _own_names(self) -> Set[str]:
        """Attributes that our own classes have."""
        found: Set[str] = set()
        for node in (node for tree in self._trees.values() for node in ast.walk(tree)):
            if isinstance(node, DEFINITIONS):
                found.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and text(node.value) == "self":
                found.add(node.attr)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
        return found

    # statements

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

    # what is known

    def _use(self, node: ast.AST, how: str, given: Any, scope: Scope, needs: Needs) -> None:
        for owner, name, guards in self._names(node, scope, needs):
            plain = frozenset(need for need in guards if not need.name.startswith("$"))
            self.uses.add(Use(owner, name, how, given, plain, self._where(node, scope)))

    def _names(self, node: ast.AST, scope: Scope, needs: Needs = NONE) -> Iterator[Tuple[str, str, Needs]]:
        """Owner and name of an attribute, written out or by `getattr`."""
        if isinstance(node, ast.Attribute):
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
        """The class of an expression, "" for the module; a list is what it holds."""
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
        return self._called(node, scope) if isinstance(node, ast.Call) else None

    def _called(self, node: ast.Call, scope: Scope) -> Optional[Kind]:
        function, _ = unwrapped(node)
        if text(function) in self._roots:
            return "", NONE
        definition, inner = self._definition(function, scope)
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
            for one, other in paired(target.elts, value):
                self._bind(one, other, scope)
            return
        dotted = text(target)
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
        self._bind(target, iterated, scope)
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
            return [[constant(part) for part in (one.elts if isinstance(one, ast.Tuple) else [one])] for one in node.elts]
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

    # guards

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


def unwrapped(node: ast.Call) -> Tuple[ast.AST, List[Any]]:
    """Function and arguments, also of `self._do("what for", function, *arguments)`."""
    if text(node.func) == "self._do" and len(node.args) > 1:
        return node.args[1], node.args[2:]
    return node.func, node.args
